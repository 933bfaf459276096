package strictjson

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func TestOverflows(t *testing.T) {
	if !overflows("1.79769313486231580793e308") { // which strconv would round down by a hair
		t.Error("a number that the first digits do not tell from too large ones is accepted")
	}
	zeros := strings.Repeat("0", 400)
	for number, want := range map[string]bool{
		"0": false, "-0": false, "0e999": false, "0.000e+99999999999999999999": false, "1": false,
		"1e308": false, "-1e308": false, "1e309": true, "-1e309": true, "10e308": true, "0.1e309": false, "0.1e310": true,
		"1.7976931348623157e308":          false, // the largest float64
		"1.7976931348623158e308":          false, // rounded down to it
		"1.79769313486231580794e308":      true,
		"1.7976931348623159e308":          true,
		"17976931348623157" + zeros[:292]: false,
		"17976931348623159" + zeros[:292]: true,
		"1" + zeros:                       true,
		"0." + zeros + "1e700":            false,
		"0." + zeros + "1e709":            false,
		"0." + zeros + "1e710":            true,
		"1" + zeros + "e-100":             false,
		"1" + zeros + "e-91":              true,
		"1e99999999999999999999":          true,
		"1e-99999999999999999999":         false,
		"1e18446744073709551616":          true, // 2⁶⁴
		"1e-18446744073709551306":         false,
		"2.2250738585072011e-308":         false,
		"1" + strings.Repeat("0", 60_000): true,
	} {
		if got := overflows(number); got != want {
			t.Errorf("%.40s: got %t, want %t", number, got, want)
		}
		if _, err := strconv.ParseFloat(number, 64); errors.Is(err, strconv.ErrRange) != want {
			t.Errorf("%.40s: strconv says %v", number, err)
		}
	}
}

// strconv is of the same opinion, except that what is within 10⁻¹⁹ of the limit may
// be taken for too large.
func TestOverflowsLikeStrconv(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + random.IntN(10))
		}
		return string(b)
	}
	for range 100_000 {
		whole := strings.TrimLeft(digits(random.IntN(30)), "0")
		number := whole
		if whole == "" {
			number = "0"
		}
		if random.IntN(2) == 0 {
			number += "." + strings.Repeat("0", random.IntN(10)) + digits(1+random.IntN(30))
		}
		number += "e" + strconv.Itoa(random.IntN(700)-350)
		_, err := strconv.ParseFloat(number, 64)
		if got := overflows(number); got != (err != nil) {
			t.Fatalf("%s: got %t, strconv says %v", number, got, err)
		}
	}
}
