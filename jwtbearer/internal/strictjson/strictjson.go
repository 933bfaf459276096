// Package strictjson reads the JSON objects inside tokens more strictly than
// encoding/json does: no duplicate member at any depth, no invalid UTF-8, no
// unpaired surrogate, no number that overflows, nothing before or after the
// object, bounded depth and member count. Names are compared exactly, after
// their escapes are resolved.
//
// Two readers of one token must not see two different tokens (RFC 8259,
// Section 4: the behaviour of software that receives duplicate names is
// unpredictable), so what this package accepts is what every reader agrees on.
package strictjson

import (
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The bounds on an object.
const (
	MaxLength  = 1<<16 - 1 // bytes of the text; positions are 16 bits wide
	MaxDepth   = 32        // nested objects and arrays, the outermost included
	MaxMembers = 4096      // members and array elements in all, at every depth
)

// ErrInvalid is wrapped by every error of [Parse]. The texts name the broken
// rule and never repeat the input.
var ErrInvalid = errors.New("invalid JSON object")

// Object is one parsed JSON object: its text, and where in the text its
// members are. The zero value is an object without members. It is immutable
// and safe for concurrent use.
type Object struct {
	text    string
	members []member
	names   []string // with escapes resolved; nil if there are none
}

// member is the position of a name, without its quotes, and of its value.
type member struct {
	nameStart, nameEnd, valueStart, valueEnd uint16
}

// Text returns the object as it was parsed.
func (o *Object) Text() string { return o.text }

// Escaped reports whether the text has an escape sequence, so that a string of it
// may be no part of the text.
func (o *Object) Escaped() bool { return strings.IndexByte(o.text, '\\') >= 0 }

// Memory returns about how many bytes the object takes.
func (o *Object) Memory() int {
	n := len(o.text) + 8*cap(o.members) + 16*cap(o.names)
	for _, name := range o.names {
		n += len(name)
	}
	return n
}

// Len returns the number of members.
func (o *Object) Len() int { return len(o.members) }

// Get returns the value of the member with exactly this name.
func (o *Object) Get(name string) (Value, bool) {
	for i := range o.members {
		m := &o.members[i]
		if o.names == nil && int(m.nameEnd-m.nameStart) != len(name) {
			continue
		}
		if o.name(i) == name {
			return Value{o.text[m.valueStart:m.valueEnd]}, true
		}
	}
	return Value{}, false
}

func (o *Object) name(i int) string {
	if o.names != nil {
		return o.names[i]
	}
	m := o.members[i]
	return o.text[m.nameStart:m.nameEnd]
}

// All calls yield for each member in order, its name with escapes resolved.
func (o *Object) All(yield func(name string, v Value) bool) {
	for i, m := range o.members {
		if !yield(o.name(i), Value{o.text[m.valueStart:m.valueEnd]}) {
			return
		}
	}
}

// Kind is the type of a [Value].
type Kind uint8

// The kinds of values. Absent is that of the zero Value.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Array
	ObjectKind
)

// Value is one value of a parsed object. The zero Value is an absent one.
type Value struct{ raw string }

// ValueOf returns the value whose JSON text is raw, which must be a part of the
// text of a parsed object: it is not checked again.
func ValueOf(raw string) Value { return Value{raw} }

// Raw returns the JSON text of the value.
func (v Value) Raw() string { return v.raw }

// Kind returns the type of the value.
func (v Value) Kind() Kind {
	if v.raw == "" {
		return Absent
	}
	switch v.raw[0] {
	case '"':
		return String
	case '{':
		return ObjectKind
	case '[':
		return Array
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	}
	return Number
}

// Str returns the value of a string; ok is false for any other kind.
func (v Value) Str() (s string, ok bool) {
	if len(v.raw) < 2 || v.raw[0] != '"' {
		return "", false
	}
	return unescape(v.raw[1 : len(v.raw)-1]), true
}

// Elements calls yield for each element of an array, and nothing for any
// other kind.
func (v Value) Elements(yield func(Value) bool) {
	if v.Kind() != Array {
		return
	}
	i := skipSpace(v.raw, 1)
	for v.raw[i] != ']' {
		end := skipValue(v.raw, i)
		if !yield(Value{v.raw[i:end]}) {
			return
		}
		if i = skipSpace(v.raw, end); v.raw[i] == ',' {
			i = skipSpace(v.raw, i+1)
		}
	}
}

// Strings returns the elements of an array that holds only strings; ok is
// false for anything else.
func (v Value) Strings() (list []string, ok bool) {
	if v.Kind() != Array {
		return nil, false
	}
	for e := range v.Elements {
		if e.Kind() != String {
			return nil, false
		}
		if list == nil { // not more than there are, if some have commas in them
			list = make([]string, 0, min(strings.Count(v.raw, ",")+1, MaxMembers))
		}
		list = append(list, e.raw[1:len(e.raw)-1])
	}
	if strings.IndexByte(v.raw, '\\') >= 0 {
		unescapeAll(list)
	}
	return list, true
}

// HoldsStrings reports whether v is an array that holds only strings.
func (v Value) HoldsStrings() bool {
	if v.Kind() != Array {
		return false
	}
	for e := range v.Elements {
		if e.Kind() != String {
			return false
		}
	}
	return true
}

// Member returns the value of the member with exactly this name, if v is an
// object that has one.
func (v Value) Member(name string) (Value, bool) {
	if v.Kind() != ObjectKind {
		return Value{}, false
	}
	for n, m := range v.Members {
		if n == name {
			return m, true
		}
	}
	return Value{}, false
}

// Members calls yield for each member of an object, and nothing for any other
// kind.
func (v Value) Members(yield func(name string, value Value) bool) {
	if v.Kind() != ObjectKind {
		return
	}
	i := skipSpace(v.raw, 1)
	for v.raw[i] != '}' {
		end := skipString(v.raw, i)
		name := unescape(v.raw[i+1 : end-1])
		i = skipSpace(v.raw, skipSpace(v.raw, end)+1) // past the colon
		end = skipValue(v.raw, i)
		if !yield(name, Value{v.raw[i:end]}) {
			return
		}
		if i = skipSpace(v.raw, end); v.raw[i] == ',' {
			i = skipSpace(v.raw, i+1)
		}
	}
}

// unescape resolves the escape sequences in the inside of a string that the
// parser has accepted (RFC 8259, Section 7).
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return string(appendUnescaped(make([]byte, 0, len(s)), s))
}

// unescapeAll does so with each of the list. All are cut from one string: one
// allocation for each would be a way to make this host work.
func unescapeAll(list []string) {
	size := 0
	for _, s := range list {
		size += len(s)
	}
	text := make([]byte, 0, size)
	for i, s := range list {
		before := len(text)
		text = appendUnescaped(text, s)
		list[i] = s[:len(text)-before] // for its length: no escape sequence is shorter than what it means
	}
	rest := string(text)
	for i, s := range list {
		list[i], rest = rest[:len(s)], rest[len(s):]
	}
}

func appendUnescaped(out []byte, s string) []byte {
	i := strings.IndexByte(s, '\\')
	for i >= 0 {
		out = append(out, s[:i]...)
		s = s[i:]
		n := 2
		switch c := s[1]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(s)
			n = 6
			if utf16.IsSurrogate(r) {
				low, _ := hex4(s[6:])
				r, n = utf16.DecodeRune(r, low), 12
			}
			out = utf8.AppendRune(out, r)
		default: // quote, backslash, slash
			out = append(out, c)
		}
		s = s[n:]
		i = strings.IndexByte(s, '\\')
	}
	return append(out, s...)
}

// The skip functions walk over text that the parser has accepted.

func skipSpace(s string, i int) int {
	for s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r' {
		i++
	}
	return i
}

func skipString(s string, i int) int {
	for i++; s[i] != '"'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipValue(s string, i int) int {
	switch s[i] {
	case '"':
		return skipString(s, i)
	case '{', '[':
		depth := 0
		for {
			switch s[i] {
			case '"':
				i = skipString(s, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	}
	for i < len(s) && s[i] != ',' && s[i] != '}' && s[i] != ']' && s[i] > ' ' {
		i++
	}
	return i
}
