package clockskew

import (
	"errors"
	"fmt"
	"time"
)

// ErrNumericDate is wrapped by every error of [ParseNumericDate].
var ErrNumericDate = errors.New("clockskew: not a NumericDate")

// The errors name the rule and never the value: it comes from a token that is
// not verified yet.
var (
	errNumberForm  = fmt.Errorf("%w: not a JSON number", ErrNumericDate)
	errNumberSize  = fmt.Errorf("%w: more than %d bytes, or an exponent beyond %d", ErrNumericDate, maxNumberLength, maxExponent)
	errNumberRange = fmt.Errorf("%w: outside the years 1 to 9999 (seconds are expected, not milliseconds)", ErrNumericDate)
)

const (
	// maxNumberLength leaves room for 12 digits of seconds and far more of a
	// fraction than any encoder writes.
	maxNumberLength = 64
	// maxExponent is far beyond what the range lets pass, so the bound refuses
	// nothing but oddities such as 0e1000.
	maxExponent = 99

	minSeconds = -62135596800 // 0001-01-01T00:00:00Z
	maxSeconds = 253402300799 // 9999-12-31T23:59:59Z
)

// ParseNumericDate parses the text of a JSON number as a NumericDate: seconds
// since 1970-01-01T00:00:00Z, "non-integer values can be represented"
// (RFC 7519, Section 2). The result is in UTC.
//
// The text must be a number by the grammar of RFC 8259, Section 6, alone: no
// space around it, no leading plus sign or zero, no point without digits on
// both sides, no hexadecimal form, no NaN. It may have at most 64 bytes and an
// exponent from -99 to 99. Arithmetic is decimal and exact, never by way of a
// floating-point number; digits beyond the nanosecond are cut off towards zero.
//
// What then is outside 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z is refused:
// these are the years that RFC 3339 can write, and a time in milliseconds, the
// usual mistake of an issuer, is caught by it (in range, it would be an expiry
// in the far future).
//
// Every error wraps [ErrNumericDate], comes with the zero Time and holds
// nothing of number. ParseNumericDate allocates nothing.
func ParseNumericDate(number string) (time.Time, error) {
	if len(number) > maxNumberLength {
		return time.Time{}, errNumberSize
	}
	unsigned := number
	negative := number != "" && number[0] == '-'
	if negative {
		unsigned = number[1:]
	}

	whole := countDigits(unsigned)
	if whole == 0 || (whole > 1 && unsigned[0] == '0') {
		return time.Time{}, errNumberForm
	}
	var seconds, nanos int64
	if whole == len(unsigned) {
		seconds = digits(unsigned)
	} else {
		fraction, exponent, err := parseTail(unsigned[whole:])
		if err != nil {
			return time.Time{}, err
		}
		d := decimal{whole: unsigned[:whole], fraction: fraction}
		point := whole + exponent
		seconds = d.digits(0, point)
		nanos = d.digits(point, point+9)
	}

	if negative {
		seconds, nanos = -seconds, -nanos
	}
	if seconds < minSeconds || (seconds == minSeconds && nanos < 0) ||
		seconds > maxSeconds || (seconds == maxSeconds && nanos > 0) {
		return time.Time{}, errNumberRange
	}
	return time.Unix(seconds, nanos).UTC(), nil
}

// parseTail parses what follows the whole part of a number, which is not empty:
// a fraction, an exponent, or both.
func parseTail(tail string) (fraction string, exponent int, err error) {
	if tail[0] == '.' {
		n := countDigits(tail[1:])
		if n == 0 {
			return "", 0, errNumberForm
		}
		fraction, tail = tail[1:1+n], tail[1+n:]
	}
	if tail == "" {
		return fraction, 0, nil
	}
	if tail[0] != 'e' && tail[0] != 'E' {
		return "", 0, errNumberForm
	}
	tail = tail[1:]
	negative := tail != "" && tail[0] == '-'
	if negative || (tail != "" && tail[0] == '+') {
		tail = tail[1:]
	}
	if tail == "" || countDigits(tail) != len(tail) {
		return "", 0, errNumberForm
	}
	power := digits(tail)
	if power > maxExponent {
		return "", 0, errNumberSize
	}
	if negative {
		power = -power
	}
	return fraction, int(power), nil
}

// decimal is the digits of a number, without its point.
type decimal struct{ whole, fraction string }

// digits returns the value of the digits from one position to before another,
// as in [digits]; positions outside the number hold zeros.
func (d decimal) digits(from, to int) int64 {
	var n int64
	for i := from; i < to && n < saturated; i++ {
		n *= 10
		switch {
		case i < 0:
		case i < len(d.whole):
			n += int64(d.whole[i] - '0')
		case i < len(d.whole)+len(d.fraction):
			n += int64(d.fraction[i-len(d.whole)] - '0')
		}
	}
	return n
}

// saturated is where adding up digits stops: outside every range of this file,
// and one digit more would still fit an int64.
const saturated = 1e15

// digits returns the value of s, all digits; from [saturated] on, some value not
// below that.
func digits(s string) int64 {
	var n int64
	for i := 0; i < len(s) && n < saturated; i++ {
		n = n*10 + int64(s[i]-'0')
	}
	return n
}

// countDigits returns how many digits s begins with.
func countDigits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}
