package jwtbearer

import (
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/strictjson"
)

// Decode stores the claims in the value that v points to, as [json.Unmarshal]
// does, except that a member is stored in a struct field only if their names
// are equal. encoding/json would fold case, and "Role" would speak for a field
// tagged "role" although every check of this package ignored it. That holds for
// nested structs too; a type with an UnmarshalJSON method of its own gets its
// JSON as it is. Decode returns the errors of json.Unmarshal, and an error for
// a nil Token.
func (t *Token) Decode(v any) error {
	if t == nil {
		return errors.New("jwtbearer: Decode of a nil Token")
	}
	text := t.claims.Text()
	if target := reflect.ValueOf(v); target.Kind() == reflect.Pointer {
		text = exact(text, target.Type(), target)
	}
	return json.Unmarshal([]byte(text), v)
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// exact returns the JSON value text without the members that encoding/json
// would store in a struct field of t with another name. It returns text itself
// in the usual case that there are none. v is the value of type t that is
// decoded into, where there is one yet: an interface in it may hold a pointer,
// and encoding/json decodes into what that points to.
func exact(text string, t reflect.Type, v reflect.Value) string {
	for range maxIndirections {
		if decodesItself(t) {
			return text
		}
		switch {
		case t.Kind() == reflect.Pointer:
			t = t.Elem()
			if v.IsValid() {
				v = v.Elem()
			}
			continue
		case t.Kind() == reflect.Interface && v.IsValid() && v.Elem().Kind() == reflect.Pointer:
			v = v.Elem()
			t = v.Type()
			continue
		}
		break
	}
	value := strictjson.ValueOf(text)
	switch t.Kind() {
	case reflect.Struct:
		fields := fieldsOf(t)
		return rewrite(value, func(name string, member string) (string, bool) {
			f, ok := fields[name]
			switch {
			case !ok:
				return member, !fields.folds(name)
			case f.typ == nil:
				return "", false
			}
			return exact(member, f.typ, fieldOf(v, f.index)), true
		})
	case reflect.Map:
		return rewrite(value, func(_, member string) (string, bool) {
			return exact(member, t.Elem(), reflect.Value{}), true
		})
	case reflect.Slice, reflect.Array:
		return rewriteElements(value, func(i int, element string) string {
			return exact(element, t.Elem(), elementOf(v, i))
		})
	}
	return text
}

// maxIndirections is more pointers in a row than anybody means to have; a type
// that points to itself has no end of them.
const maxIndirections = 100

// fieldOf returns the field of the struct v, none if there is no struct yet.
func fieldOf(v reflect.Value, index []int) reflect.Value {
	if !v.IsValid() {
		return v
	}
	field, err := v.FieldByIndexErr(index)
	if err != nil { // a nil pointer on the way
		return reflect.Value{}
	}
	return field
}

// elementOf returns the element that encoding/json decodes into: it reuses those
// of a slice up to its capacity.
func elementOf(v reflect.Value, i int) reflect.Value {
	switch {
	case !v.IsValid():
	case v.Kind() == reflect.Slice && i < v.Cap():
		return v.Slice(0, v.Cap()).Index(i)
	case v.Kind() == reflect.Array && i < v.Len():
		return v.Index(i)
	}
	return reflect.Value{}
}

// rewrite applies change to the members of the object v. change tells the text
// of a member, and whether to keep it.
func rewrite(v strictjson.Value, change func(name, member string) (string, bool)) string {
	if v.Kind() != strictjson.ObjectKind {
		return v.Raw()
	}
	var b strings.Builder
	changed := false
	for name, e := range v.Members {
		s, keep := change(name, e.Raw())
		changed = changed || !keep || s != e.Raw()
		if !keep {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		quoted, _ := json.Marshal(name) // a string always can be
		b.Write(quoted)
		b.WriteByte(':')
		b.WriteString(s)
	}
	if !changed {
		return v.Raw()
	}
	return "{" + b.String() + "}"
}

// rewriteElements applies change to the elements of the array v.
func rewriteElements(v strictjson.Value, change func(i int, element string) string) string {
	if v.Kind() != strictjson.Array {
		return v.Raw()
	}
	var b strings.Builder
	changed := false
	i := 0
	for e := range v.Elements {
		if i > 0 {
			b.WriteByte(',')
		}
		s := change(i, e.Raw())
		changed = changed || s != e.Raw()
		b.WriteString(s)
		i++
	}
	if !changed {
		return v.Raw()
	}
	return "[" + b.String() + "]"
}

func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Implements(jsonUnmarshaler) || p.Implements(jsonUnmarshaler) ||
		t.Implements(textUnmarshaler) || p.Implements(textUnmarshaler)
}

// structFields are the names under which encoding/json fills a struct.
type structFields map[string]structField

type structField struct {
	typ    reflect.Type // nil if several fields compete for the name: none is filled
	index  []int
	tagged bool
}

// folds reports whether encoding/json would take name for one of the fields.
func (f structFields) folds(name string) bool {
	for n := range f {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

var structFieldsCache sync.Map // reflect.Type → structFields

func fieldsOf(t reflect.Type) structFields {
	if f, ok := structFieldsCache.Load(t); ok {
		return f.(structFields)
	}
	f := collectFields(t)
	structFieldsCache.Store(t, f)
	return f
}

// collectFields finds the fields of t as encoding/json does: level by level of
// embedding, an outer field before an inner one of the same name, and on one
// level one with a tag before one without. A type that is embedded twice on one
// level competes with itself.
func collectFields(t reflect.Type) structFields {
	fields := structFields{}
	seen := map[reflect.Type]bool{}
	times := map[reflect.Type]int{t: 1}
	for level := []structField{{typ: t}}; len(level) > 0; {
		var next []structField
		nextTimes := map[reflect.Type]int{}
		here := structFields{}
		for _, outer := range level {
			if seen[outer.typ] {
				continue
			}
			seen[outer.typ] = true
			for i := range outer.typ.NumField() {
				f := outer.typ.Field(i)
				name, ok := jsonName(f)
				if !ok {
					continue
				}
				found := structField{typ: f.Type, index: append(slices.Clone(outer.index), i), tagged: name != ""}
				if f.Anonymous && name == "" {
					if inner := pointedTo(f.Type); inner.Kind() == reflect.Struct {
						if nextTimes[inner]++; nextTimes[inner] == 1 {
							next = append(next, structField{typ: inner, index: found.index})
						}
						continue
					}
				}
				if name == "" {
					name = f.Name
				}
				other, taken := here[name]
				switch {
				case taken && other.tagged && !found.tagged:
					continue
				case taken && other.tagged == found.tagged, times[outer.typ] > 1:
					found.typ = nil
				}
				here[name] = found
			}
		}
		for name, f := range here {
			if _, taken := fields[name]; !taken {
				fields[name] = f
			}
		}
		level, times = next, nextTimes
	}
	return fields
}

// jsonName returns the name in the tag of f, "" if it has none that
// encoding/json takes, and whether f is decoded into at all.
func jsonName(f reflect.StructField) (name string, ok bool) {
	if !f.IsExported() && !(f.Anonymous && pointedTo(f.Type).Kind() == reflect.Struct) {
		return "", false
	}
	tag := f.Tag.Get("json")
	if tag == "-" {
		return "", false
	}
	name, _, _ = strings.Cut(tag, ",")
	for _, r := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return "", true
		}
	}
	return name, true
}

func pointedTo(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
