package jose

// Alphabet is a set of bytes.
type Alphabet [256]byte // 0 for those in it

// NewAlphabet returns the set of the bytes of s.
func NewAlphabet(s string) *Alphabet {
	a := new(Alphabet)
	for c := range a {
		a[c] = 1
	}
	for i := range len(s) {
		a[s[i]] = 0
	}
	return a
}

// HasAll reports whether s consists of bytes of the set. It takes eight at a time,
// and goes to the end: junk can be long, and would be good until there.
func (a *Alphabet) HasAll(s string) bool {
	var other byte
	for ; len(s) >= 8; s = s[8:] {
		other |= a[s[0]] | a[s[1]] | a[s[2]] | a[s[3]] | a[s[4]] | a[s[5]] | a[s[6]] | a[s[7]]
	}
	for i := range len(s) {
		other |= a[s[i]]
	}
	return other == 0
}
