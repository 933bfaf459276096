package strictjson

// tooLarge are the first digits of the numbers that are rounded to infinity:
// from 1.7976931348623158079e308 on, half a step above the largest float64
// (math.MaxFloat64). Twenty digits tell all but a few numbers above it apart,
// which are taken for too large.
const (
	tooLarge         = "17976931348623158079"
	tooLargeExponent = 308
)

// overflows reports whether a number, whose syntax is right, is out of the range
// of a float64. strconv.ParseFloat would tell it too, and take a hundred times as
// long for the numbers that are chosen for that.
func overflows(number string) bool {
	var first [len(tooLarge)]byte // digits from the first that is not 0
	have := 0
	exponent := -1 // of the digit first[0]
	fraction := false
	i := 0
	if number[0] == '-' {
		i++
	}
	for ; i < len(number) && number[i] != 'e' && number[i] != 'E'; i++ {
		c := number[i]
		switch {
		case c == '.':
			fraction = true
			continue
		case have == 0 && c == '0':
			if fraction {
				exponent--
			}
			continue
		case have < len(first):
			first[have] = c
			have++
		}
		if !fraction {
			exponent++
		}
	}
	if have == 0 {
		return false // zero, whatever its exponent
	}
	if i < len(number) {
		exponent += power(number[i+1:])
	}
	if exponent != tooLargeExponent {
		return exponent > tooLargeExponent
	}
	for have < len(first) {
		first[have] = '0'
		have++
	}
	return string(first[:]) >= tooLarge
}

// power returns the value of the digits after the e, cut down to what no text of
// [MaxLength] can outweigh.
func power(s string) int {
	const most = 1 << 20
	negative := s[0] == '-'
	if s[0] == '-' || s[0] == '+' {
		s = s[1:]
	}
	n := 0
	for i := 0; i < len(s) && n < most; i++ {
		n = n*10 + int(s[i]-'0')
	}
	if negative {
		return -n
	}
	return n
}
