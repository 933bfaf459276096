package strictjson

import (
	"fmt"
	"hash/maphash"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

func invalid(rule string) error { return fmt.Errorf("%w: %s", ErrInvalid, rule) }

// The errors are made once: junk must be cheap to refuse.
var (
	errLength      = invalid("too long")
	errNotObject   = invalid("does not begin with a brace")
	errTrailing    = invalid("bytes after the object")
	errCut         = invalid("ends too early")
	errSyntax      = invalid("syntax")
	errControl     = invalid("control character in a string")
	errUTF8        = invalid("not UTF-8")
	errEscape      = invalid("escape sequence")
	errSurrogate   = invalid("unpaired surrogate")
	errNumber      = invalid("number syntax")
	errNumberRange = invalid("number out of range")
	errDepth       = invalid("too deep")
	errMembers     = invalid("too many members")
	errDuplicate   = invalid("duplicate member")
)

// Parse parses text, which must be one JSON object and nothing else: not even
// white space round it. The result refers to text and nothing else.
func Parse(text string) (Object, error) { return ParseSmall(text, MaxMembers) }

// ParseSmall is Parse for an object with at most so many members and array elements
// in all.
func ParseSmall(text string, most int) (Object, error) {
	if len(text) > MaxLength {
		return Object{}, errLength
	}
	if text == "" || text[0] != '{' {
		return Object{}, errNotObject
	}
	p := parsers.Get().(*parser)
	p.text, p.pos, p.count, p.depth, p.most = text, 0, 0, 0, most
	p.top, p.names, p.resolved = p.top[:0], p.names[:0], p.resolved[:0]
	err := p.object()
	if err == nil && p.pos != len(text) {
		err = errTrailing
	}
	var o Object
	if err == nil {
		o = Object{text: text, members: append([]member(nil), p.top...)}
		if len(p.resolved) > 0 {
			o.names = p.resolvedNames()
		}
	}
	p.text = ""
	parsers.Put(p)
	return o, err
}

// parser is the state of one Parse; its slices are reused.
type parser struct {
	text     string
	pos      int
	depth    int
	count    int      // members and elements so far
	most     int      // of them
	top      []member // of the outermost object
	names    []name   // of the objects that are open, as a stack; the outermost one's stay
	resolved []byte   // those of the outermost object that have escape sequences, without them
	inner    []byte   // one of another object
	table    []uint16 // for finding duplicates among many names
	seed     maphash.Seed
}

// name is where the name of a member is, and the hash of what it means.
type name struct {
	hash       uint64
	start, end uint16
	resolved   uint16 // where it ends in parser.resolved; 0 if it is not there
}

var parsers = sync.Pool{New: func() any { return &parser{seed: maphash.MakeSeed()} }}

// push puts the name between start and end on the stack.
func (p *parser) push(start, end int, escaped bool) {
	n := name{start: uint16(start), end: uint16(end)}
	text := p.text[start:end]
	switch {
	case !escaped:
		n.hash = maphash.String(p.seed, text)
	case p.depth == 1:
		before := len(p.resolved)
		p.resolved = appendUnescaped(p.resolved, text)
		n.hash = maphash.Bytes(p.seed, p.resolved[before:])
		n.resolved = uint16(len(p.resolved))
	default:
		p.inner = appendUnescaped(p.inner[:0], text)
		n.hash = maphash.Bytes(p.seed, p.inner)
	}
	p.names = append(p.names, n)
}

// resolvedNames returns the names of the outermost object. Those with escape
// sequences are cut from one string: an allocation for each would be a way to make
// this host work.
func (p *parser) resolvedNames() []string {
	list := make([]string, len(p.names))
	resolved, before := string(p.resolved), uint16(0)
	for i, n := range p.names {
		if n.resolved == 0 {
			list[i] = p.text[n.start:n.end]
			continue
		}
		list[i] = resolved[before:n.resolved]
		before = n.resolved
	}
	return list
}

// same reports whether two names, which have one hash, mean the same.
func (p *parser) same(a, b name) bool {
	return unescape(p.text[a.start:a.end]) == unescape(p.text[b.start:b.end])
}

// manyNames is how many members an object may have before its names are found by
// their hashes: comparing each with each would let one token of 4,096 members cost
// milliseconds.
const manyNames = 16

// unique reports whether no name is there twice.
func (p *parser) unique(names []name) bool {
	if len(names) <= manyNames {
		for i := range names {
			for j := range i {
				if names[j].hash == names[i].hash && p.same(names[j], names[i]) {
					return false
				}
			}
		}
		return true
	}
	size := 4 * manyNames
	for size < 2*len(names) {
		size *= 2
	}
	if cap(p.table) < size {
		p.table = make([]uint16, size)
	}
	table := p.table[:size]
	clear(table)
	for i, name := range names {
		at := name.hash % uint64(size)
		for table[at] != 0 {
			if other := names[table[at]-1]; other.hash == name.hash && p.same(other, name) {
				return false
			}
			at = (at + 1) % uint64(size)
		}
		table[at] = uint16(i + 1)
	}
	return true
}

// object moves past an object.
func (p *parser) object() error {
	if p.depth++; p.depth > MaxDepth {
		return errDepth
	}
	base := len(p.names)
	p.pos++ // the brace
	p.space()
	if p.peek() == '}' {
		p.pos++
		p.depth--
		return nil
	}
	for {
		if p.count++; p.count > p.most {
			return errMembers
		}
		if p.peek() != '"' {
			return p.unexpected()
		}
		start := p.pos + 1
		escaped, err := p.str()
		if err != nil {
			return err
		}
		end := p.pos - 1
		p.push(start, end, escaped)
		p.space()
		if p.peek() != ':' {
			return p.unexpected()
		}
		p.pos++
		p.space()
		valueStart := p.pos
		if err := p.value(); err != nil {
			return err
		}
		if p.depth == 1 {
			p.top = append(p.top, member{uint16(start), uint16(end), uint16(valueStart), uint16(p.pos)})
		}
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			p.space()
		case '}':
			p.pos++
			p.depth--
			if !p.unique(p.names[base:]) {
				return errDuplicate
			}
			if p.depth > 0 {
				p.names = p.names[:base]
			}
			return nil
		default:
			return p.unexpected()
		}
	}
}

func (p *parser) array() error {
	if p.depth++; p.depth > MaxDepth {
		return errDepth
	}
	p.pos++ // the bracket
	p.space()
	if p.peek() == ']' {
		p.pos++
		p.depth--
		return nil
	}
	for {
		if p.count++; p.count > p.most {
			return errMembers
		}
		if err := p.value(); err != nil {
			return err
		}
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			p.space()
		case ']':
			p.pos++
			p.depth--
			return nil
		default:
			return p.unexpected()
		}
	}
}

func (p *parser) value() error {
	switch c := p.peek(); {
	case c == '"':
		_, err := p.str()
		return err
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return p.literal("true")
	case c == 'f':
		return p.literal("false")
	case c == 'n':
		return p.literal("null")
	}
	return p.unexpected()
}

// peek returns the next byte, 0 at the end (a NUL is no JSON syntax either).
func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *parser) unexpected() error {
	if p.pos >= len(p.text) {
		return errCut
	}
	return errSyntax
}

func (p *parser) space() {
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *parser) literal(word string) error {
	if len(p.text)-p.pos < len(word) || p.text[p.pos:p.pos+len(word)] != word {
		return errSyntax
	}
	p.pos += len(word)
	return nil
}

// plain marks the bytes that a string holds as they are.
var plain = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// shortEscape marks what can stand behind a backslash alone.
var shortEscape = func() (t [256]bool) {
	for _, c := range []byte(`"\/bfnrt`) {
		t[c] = true
	}
	return t
}()

// str moves past a string and reports whether it has an escape sequence.
func (p *parser) str() (escaped bool, err error) {
	s, i := p.text, p.pos+1
	for {
		for i < len(s) && plain[s[i]] {
			i++
		}
		if i >= len(s) {
			return false, errCut
		}
		switch c := s[i]; {
		case c == '"':
			p.pos = i + 1
			return escaped, nil
		case c == '\\':
			escaped = true
			if i+1 < len(s) && shortEscape[s[i+1]] { // the usual ones
				i += 2
				continue
			}
			n, err := escapeLength(s[i:])
			if err != nil {
				return false, err
			}
			i += n
		case c < ' ':
			return false, errControl
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n <= 1 {
				return false, errUTF8
			}
			i += n
		}
	}
}

// escapeLength returns the length of the escape sequence that s begins with, a
// surrogate pair being one sequence.
func escapeLength(s string) (int, error) {
	switch {
	case len(s) < 2:
		return 0, errCut
	case shortEscape[s[1]]:
		return 2, nil
	}
	r, ok := hex4(s)
	if !ok {
		return 0, errEscape
	}
	if !utf16.IsSurrogate(r) {
		return 6, nil
	}
	low, ok := hex4(s[6:])
	if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
		return 0, errSurrogate
	}
	return 12, nil
}

// hex4 returns the value of a \uXXXX sequence at the beginning of s.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for i := 2; i < 6; i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func (p *parser) number() error {
	s, i := p.text, p.pos
	if s[i] == '-' {
		i++
	}
	switch {
	case i < len(s) && s[i] == '0':
		i++
	case i < len(s) && s[i] >= '1' && s[i] <= '9':
		i = digits(s, i)
	default:
		return errNumber
	}
	if i < len(s) && s[i] == '.' {
		end := digits(s, i+1)
		if end == i+1 {
			return errNumber
		}
		i = end
	}
	exponent := 0 // digits of it, if it makes the number larger
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		smaller := false
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			smaller = s[i] == '-'
			i++
		}
		end := digits(s, i)
		if end == i {
			return errNumber
		}
		if !smaller {
			exponent = end - i
		}
		i = end
	}
	// 1e999 would be infinite to one reader and an error to another. What has neither
	// many digits nor an exponent of more than two cannot be.
	if (exponent > 2 || i-p.pos > 200) && overflows(s[p.pos:i]) {
		return errNumberRange
	}
	p.pos = i
	return nil
}

func digits(s string, i int) int {
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}
