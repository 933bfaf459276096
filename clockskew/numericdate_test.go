package clockskew_test

import (
	"errors"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
)

func TestParseNumericDate(t *testing.T) {
	unix := func(seconds, nanos int64) time.Time { return time.Unix(seconds, nanos).UTC() }
	tests := []struct {
		number string
		want   time.Time
	}{
		{"0", unix(0, 0)},
		{"-0", unix(0, 0)},
		{"-0.0", unix(0, 0)},
		{"0e99", unix(0, 0)},
		{"0.0e-99", unix(0, 0)},
		{"1", unix(1, 0)},
		{"-1", unix(-1, 0)},
		{"10", unix(10, 0)},
		{"1300819380", unix(1300819380, 0)}, // the example of RFC 7519, Section 3.1

		{"1300819380.5", unix(1300819380, 500_000_000)},
		{"1300819380.000000001", unix(1300819380, 1)},
		{"1300819380.123456789", unix(1300819380, 123456789)},
		{"1300819380.1234567899", unix(1300819380, 123456789)},
		{"1300819380.9999999999999999999", unix(1300819380, 999_999_999)},
		{"0.1", unix(0, 100_000_000)},
		{"-0.000000001", unix(0, -1)},
		{"-0.0000000019", unix(0, -1)},
		{"-1.5", unix(-2, 500_000_000)},
		// A float64 would lose the last digits of this one.
		{"253402300798.123456789", unix(253402300798, 123456789)},

		{"1e9", unix(1_000_000_000, 0)},
		{"1E9", unix(1_000_000_000, 0)},
		{"1e+9", unix(1_000_000_000, 0)},
		{"1e009", unix(1_000_000_000, 0)},
		{"1.30081938e9", unix(1300819380, 0)},
		{"1.3008193805e9", unix(1300819380, 500_000_000)},
		{"1.5e0", unix(1, 500_000_000)},
		{"13008193805e-1", unix(1300819380, 500_000_000)},
		{"130081938000000000000e-11", unix(1300819380, 0)},
		{"1e-9", unix(0, 1)},
		{"19e-10", unix(0, 1)},
		{"1e-10", unix(0, 0)},
		{"1e-99", unix(0, 0)},
		{"0.00000000000000000001e20", unix(1, 0)},

		{"253402300799", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{"253402300799.0000000001", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{"-62135596800", time.Time{}},
		{"-62135596799", time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)},
		{"-62135596800.0000000009", time.Time{}},
		{"-62135596799.999999999", time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)},

		{"1300819380." + strings.Repeat("1", 53), unix(1300819380, 111_111_111)},
	}
	for _, tt := range tests {
		t.Run(tt.number, func(t *testing.T) {
			got, err := clockskew.ParseNumericDate(tt.number)
			if err != nil || got != tt.want {
				t.Errorf("ParseNumericDate(%q): got %v, %v, want %v", tt.number, got, err, tt.want)
			}
		})
	}
}

func TestParseNumericDateRefuses(t *testing.T) {
	const form, size, outside = "not a JSON number", "more than 64 bytes", "outside the years"
	tests := []struct{ number, want string }{
		{"", form},
		{"-", form},
		{"+1", form},
		{"--1", form},
		{"-+1", form},
		{"01", form},
		{"-01", form},
		{"00", form},
		{"1.", form},
		{"1.e5", form},
		{".5", form},
		{"-.5", form},
		{"1.5.5", form},
		{"1e", form},
		{"1e+", form},
		{"1e-", form},
		{"1e+-1", form},
		{"1e1.5", form},
		{"1e1e1", form},
		{"e5", form},
		{"1 ", form},
		{" 1", form},
		{"1\n", form},
		{"1\x00", form},
		{"1e5 ", form},
		{"1.5 ", form},
		{"1,5", form},
		{"1_000", form},
		{"0x10", form},
		{"0b1", form},
		{"1f", form},
		{"NaN", form},
		{"Infinity", form},
		{"-Infinity", form},
		{"inf", form},
		{"null", form},
		{"true", form},
		{`"1300819380"`, form},
		{"[1]", form},
		{"{}", form},
		{"١", form}, // an Arabic-Indic digit
		{"1٠", form},
		{"\uff11", form},

		{"253402300800", outside},
		{"253402300799.000000001", outside},
		{"-62135596801", outside},
		{"-62135596800.000000001", outside},
		{"1300819380000", outside}, // milliseconds
		{"9223372036854775807", outside},
		{"9223372036854775808", outside},
		{"-9223372036854775809", outside},
		{"18446744073709551616", outside}, // 2^64: 0 to arithmetic that wraps
		{"18446744075010370996", outside}, // 2^64 + 1300819380
		{"1e12", outside},
		{"-1e12", outside},
		{"1e99", outside},
		{"0.1e99", outside},
		{strings.Repeat("9", 64), outside},

		{"1e100", size},
		{"0e100", size},
		{"1e-100", size},
		{"1e18446744073709551617", size}, // 2^64 + 1
		{"1300819380." + strings.Repeat("1", 54), size},
		{strings.Repeat("9", 65), size},
		{strings.Repeat("x", 65), size},
	}
	for _, tt := range tests {
		t.Run(tt.number, func(t *testing.T) {
			got, err := clockskew.ParseNumericDate(tt.number)
			if !errors.Is(err, clockskew.ErrNumericDate) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseNumericDate(%q): got %v, %v, want an error with %q", tt.number, got, err, tt.want)
			}
			if !got.IsZero() {
				t.Errorf("ParseNumericDate(%q): got %v with an error, want the zero Time", tt.number, got)
			}
			if len(tt.number) > 2 && strings.Contains(err.Error(), tt.number) {
				t.Errorf("the error quotes the input: %v", err)
			}
		})
	}
}

func TestParseNumericDateAllocatesNothing(t *testing.T) {
	for _, number := range []string{"1300819380", "1300819380.25", "1.3e9", "1300819380000", "x"} {
		if n := testing.AllocsPerRun(100, func() {
			_, _ = clockskew.ParseNumericDate(number)
		}); n != 0 {
			t.Errorf("ParseNumericDate(%q): got %v allocations, want 0", number, n)
		}
	}
}

var jsonNumber = regexp.MustCompile(`\A(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?)(?:[eE]([+-]?[0-9]+))?\z`)

// referenceNumericDate is ParseNumericDate by means of a regular expression and
// math/big: slow, and with nothing in common with it.
func referenceNumericDate(number string) (time.Time, bool) {
	parts := jsonNumber.FindStringSubmatch(number)
	if len(number) > 64 || parts == nil {
		return time.Time{}, false
	}
	value, ok := new(big.Rat).SetString(parts[1])
	if !ok {
		return time.Time{}, false
	}
	if parts[2] != "" {
		exponent, ok := new(big.Int).SetString(strings.TrimPrefix(parts[2], "+"), 10)
		if !ok || exponent.CmpAbs(big.NewInt(99)) > 0 {
			return time.Time{}, false
		}
		power := new(big.Int).Exp(big.NewInt(10), new(big.Int).Abs(exponent), nil)
		if exponent.Sign() < 0 {
			value.Quo(value, new(big.Rat).SetInt(power))
		} else {
			value.Mul(value, new(big.Rat).SetInt(power))
		}
	}
	value.Mul(value, big.NewRat(1e9, 1))
	nanos := new(big.Int).Quo(value.Num(), value.Denom()) // towards zero
	first := new(big.Int).Mul(big.NewInt(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()), big.NewInt(1e9))
	last := new(big.Int).Mul(big.NewInt(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()), big.NewInt(1e9))
	if nanos.Cmp(first) < 0 || nanos.Cmp(last) > 0 {
		return time.Time{}, false
	}
	seconds, rest := new(big.Int).QuoRem(nanos, big.NewInt(1e9), new(big.Int))
	return time.Unix(seconds.Int64(), rest.Int64()).UTC(), true
}

func FuzzParseNumericDate(f *testing.F) {
	for _, seed := range []string{
		"0", "-0", "1300819380", "1300819380.123456789", "-1.5", "1e9", "1.30081938E+9", "13008193805e-1",
		"253402300799", "253402300800", "253402300799.000000001", "-62135596800", "-62135596800.000000001",
		"1300819380000", "18446744073709551616", "0.00000000000000000001e20", "1e99", "0e100", "1e-99",
		"", "-", "+1", "01", "1.", ".5", "1e", "0x10", "NaN", " 1", "1 ", "null",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, number string) {
		got, err := clockskew.ParseNumericDate(number)
		want, ok := referenceNumericDate(number)
		if ok != (err == nil) || got != want {
			t.Errorf("ParseNumericDate(%q): got %v, %v, want %v, %v", number, got, err, want, ok)
		}
		if err != nil && !errors.Is(err, clockskew.ErrNumericDate) {
			t.Errorf("ParseNumericDate(%q): %v does not wrap ErrNumericDate", number, err)
		}
	})
}

// TestRoundTrip holds that whatever a time.Time of the range says in decimal is
// read back as the same instant.
func TestRoundTrip(t *testing.T) {
	for seconds := int64(-62135596800); seconds < 253402300799; seconds += 997_000_003 {
		want := time.Unix(seconds, seconds&0x1fffffff).UTC()
		nanos := new(big.Int).Mul(big.NewInt(want.Unix()), big.NewInt(1e9))
		nanos.Add(nanos, big.NewInt(int64(want.Nanosecond())))
		number := new(big.Rat).SetFrac(nanos, big.NewInt(1e9)).FloatString(9)
		if got, err := clockskew.ParseNumericDate(number); err != nil || got != want {
			t.Errorf("ParseNumericDate(%q): got %v, %v, want %v", number, got, err, want)
		}
	}
}

func BenchmarkParseNumericDate(b *testing.B) {
	for _, bench := range []struct{ name, number string }{
		{"Integer", "1300819380"},
		{"Fraction", "1300819380.123456"},
		{"Exponent", "1.30081938e9"},
		{"Refused", "1300819380000"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = clockskew.ParseNumericDate(bench.number)
			}
		})
	}
}
