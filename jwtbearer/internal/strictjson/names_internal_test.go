package strictjson

import "testing"

// TestNamesOfOneHash: names are duplicates if they mean the same, and not because
// their hashes happen to be equal, which no text can be made to show.
func TestNamesOfOneHash(t *testing.T) {
	p := &parser{text: `a\u0061b`}
	plain, escaped, other := name{7, 0, 1, 0}, name{7, 1, 7, 0}, name{7, 7, 8, 0}
	if !p.same(plain, escaped) || p.same(plain, other) || p.same(escaped, other) {
		t.Error("names of one hash are told apart by something else than what they mean")
	}
	many := make([]name, 0, 2*manyNames)
	for i := range 2 * manyNames {
		p.text += string(rune('0' + i))
		many = append(many, name{7, uint16(len(p.text) - 1), uint16(len(p.text)), 0})
	}
	if !p.unique(many) || p.unique(append(many, many[3])) {
		t.Error("many names of one hash")
	}
}
