package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/strictjson"
)

func nested(n int) string {
	return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}"
}

func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":0`, i)
	}
	return "{" + b.String()[1:] + "}"
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		ok         bool
	}{
		{"empty object", `{}`, true},
		{"space inside", "{ \t\r\n}", true},
		{"space everywhere inside", "{ \"a\" : [ 1 , { \"b\" : null } ] , \"c\" : \"\" }", true},
		{"nothing", ``, false},
		{"leading space", ` {}`, false},
		{"trailing space", `{} `, false},
		{"trailing newline", "{}\n", false},
		{"trailing brace", `{}}`, false},
		{"second object", `{}{}`, false},
		{"byte order mark", "\ufeff{}", false},
		{"array", `[]`, false},
		{"null", `null`, false},
		{"string", `"a"`, false},
		{"cut after brace", `{`, false},
		{"cut in name", `{"a`, false},
		{"cut after name", `{"a"`, false},
		{"cut after colon", `{"a":`, false},
		{"cut after value", `{"a":1`, false},
		{"cut after comma", `{"a":1,`, false},
		{"trailing comma", `{"a":1,}`, false},
		{"trailing comma in array", `{"a":[1,]}`, false},
		{"missing comma", `{"a":1 "b":2}`, false},
		{"missing colon", `{"a" 1}`, false},
		{"something else instead of a colon", `{"a"=1}`, false},
		{"unquoted name", `{a:1}`, false},
		{"half-quoted name", `{a":1}`, false},
		{"single quotes", `{'a':1}`, false},
		{"comment", `{/**/}`, false},
		{"duplicate", `{"a":1,"a":1}`, false},
		{"duplicate with another between", `{"a":1,"b":2,"a":1}`, false},
		{"duplicate by escape", `{"exp":1,"\u0065xp":2}`, false},
		{"duplicate by escape in a nested object", `{"x":{"a":1,"\u0061":2}}`, false},
		{"duplicate by two escapes in a nested object", `{"x":{"\u0061":1,"\u0061":2}}`, false},
		{"names in nested objects that differ by an escape", `{"x":{"a":1,"\u0062":2,"\u0063":3},"\u0061":{"\u0061":4},"b":5}`, true},
		{"duplicate in a nested object", `{"a":{"b":1,"b":2}}`, false},
		{"duplicate in an object in an array", `{"a":[{"b":1,"b":2}]}`, false},
		{"duplicate of an outer name after a nested object", `{"a":{"b":1},"a":2}`, false},
		{"same name at two depths", `{"a":{"a":{"a":1}},"b":{"a":1}}`, true},
		{"same name in other case", `{"a":1,"A":2}`, true},
		{"true false null", `{"a":true,"b":false,"c":null}`, true},
		{"True", `{"a":True}`, false},
		{"nul", `{"a":nul}`, false},
		{"nullx", `{"a":nullx}`, false},
		{"another word as long as null", `{"a":nvll}`, false},
		{"another word as long as true", `{"a":trve}`, false},
		{"another word as long as false", `{"a":fal5e}`, false},
		{"zero", `{"a":0}`, true},
		{"minus zero", `{"a":-0}`, true},
		{"leading zero", `{"a":01}`, false},
		{"minus leading zero", `{"a":-01}`, false},
		{"plus", `{"a":+1}`, false},
		{"minus alone", `{"a":-}`, false},
		{"fraction", `{"a":1.5}`, true},
		{"no fraction digits", `{"a":1.}`, false},
		{"no integer digits", `{"a":.5}`, false},
		{"exponent", `{"a":1E+2,"b":1e-2,"c":1e2}`, true},
		{"no exponent digits", `{"a":1e}`, false},
		{"hex", `{"a":0x10}`, false},
		{"NaN", `{"a":NaN}`, false},
		{"Infinity", `{"a":Infinity}`, false},
		{"overflow by exponent", `{"a":1e309}`, false},
		{"just below overflow", `{"a":1e308}`, true},
		{"overflow by digits", `{"a":1` + strings.Repeat("0", 400) + `}`, false},
		{"many digits", `{"a":0.` + strings.Repeat("1", 400) + `}`, true},
		{"escapes", `{"a":"\"\\\/\b\f\n\r\t\u00e9"}`, true},
		{"bad escape", `{"a":"\x"}`, false},
		{"short unicode escape", `{"a":"\u12"}`, false},
		{"bad unicode escape", `{"a":"\u12g4"}`, false},
		{"surrogate pair", `{"a":"\ud83d\ude00"}`, true},
		{"high surrogate alone", `{"a":"\ud83d"}`, false},
		{"low surrogate alone", `{"a":"\ude00"}`, false},
		{"surrogates swapped", `{"a":"\ude00\ud83d"}`, false},
		{"high surrogate and a letter", `{"a":"\ud83d\u0041"}`, false},
		{"UTF-8", `{"a":"é😀"}`, true},
		{"replacement character itself", "{\"a\":\"\ufffd\"}", true},
		{"cut UTF-8", "{\"a\":\"\xc3\"}", false},
		{"overlong UTF-8", "{\"a\":\"\xc0\xaf\"}", false},
		{"surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", false},
		{"bad UTF-8 in a name", "{\"\xff\":1}", false},
		{"control character", "{\"a\":\"\x01\"}", false},
		{"newline in a string", "{\"a\":\"\n\"}", false},
		{"NUL in a string", "{\"a\":\"\x00\"}", false},
		{"DEL in a string", "{\"a\":\"\x7f\"}", true},
		{"deepest", nested(strictjson.MaxDepth - 1), true},
		{"too deep", nested(strictjson.MaxDepth), false},
		{"most members", members(strictjson.MaxMembers), true},
		{"too many members", members(strictjson.MaxMembers + 1), false},
		{"many members and a duplicate", strings.TrimSuffix(members(100), "}") + `,"m50":1}`, false},
		{"many members and a late duplicate", strings.TrimSuffix(members(100), "}") + `,"m99":1}`, false},
		{"too many elements", `{"a":[` + strings.Repeat("0,", strictjson.MaxMembers) + `0]}`, false},
		{"longest", `{"a":"` + strings.Repeat("x", strictjson.MaxLength-8) + `"}`, true},
		{"too long", `{"a":"` + strings.Repeat("x", strictjson.MaxLength-7) + `"}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := strictjson.Parse(tt.text)
			if (err == nil) != tt.ok {
				t.Fatalf("got error %v, want ok %t", err, tt.ok)
			}
			if err != nil {
				if !errors.Is(err, strictjson.ErrInvalid) {
					t.Errorf("error %v does not match ErrInvalid", err)
				}
				if o.Text() != "" || o.Len() != 0 {
					t.Error("a refused text gave members")
				}
				return
			}
			agree(t, o)
		})
	}
}

// agree checks that encoding/json sees the same members.
func agree(t *testing.T, o strictjson.Object) {
	t.Helper()
	var want map[string]json.RawMessage
	if err := json.Unmarshal([]byte(o.Text()), &want); err != nil {
		t.Fatalf("encoding/json refuses what was accepted: %v", err)
	}
	if o.Len() != len(want) {
		t.Fatalf("got %d members, want %d", o.Len(), len(want))
	}
	for name, raw := range want {
		v, ok := o.Get(name)
		if !ok || v.Raw() != string(raw) {
			t.Fatalf("member %q: got %q, %t, want %q", name, v.Raw(), ok, raw)
		}
		var deep any
		if err := json.Unmarshal(raw, &deep); err != nil {
			t.Fatal(err)
		}
		if got := rebuild(v); !reflect.DeepEqual(got, deep) {
			t.Fatalf("member %q: walked %v, want %v", name, got, deep)
		}
	}
}

// rebuild walks v with the accessors into what encoding/json makes of it.
func rebuild(v strictjson.Value) any {
	switch v.Kind() {
	case strictjson.Array:
		list := []any{}
		for e := range v.Elements {
			list = append(list, rebuild(e))
		}
		return list
	case strictjson.ObjectKind:
		m := map[string]any{}
		for name, e := range v.Members {
			m[name] = rebuild(e)
		}
		return m
	case strictjson.String:
		s, _ := v.Str()
		return s
	}
	var x any
	_ = json.Unmarshal([]byte(v.Raw()), &x)
	return x
}

func TestNamesAreExact(t *testing.T) {
	o, err := strictjson.Parse(`{"EXP":1,"\u0061ud":"x"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := o.Get("exp"); ok {
		t.Error(`"EXP" was taken for "exp"`)
	}
	if v, ok := o.Get("aud"); !ok || v.Raw() != `"x"` {
		t.Error("an escaped name was not found")
	}
	if v, ok := o.Get("none"); ok || v.Kind() != strictjson.Absent {
		t.Error("an absent member was found")
	}
}

func TestStrings(t *testing.T) {
	o, err := strictjson.Parse(`{"a":["x","\u0079"],"b":[],"c":["x",1],"d":"x","e":[["x"]],"f":null}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{"a": {"x", "y"}, "b": nil} {
		v, _ := o.Get(name)
		if got, ok := v.Strings(); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, %t", name, got, ok)
		}
	}
	for _, name := range []string{"c", "d", "e", "f", "none"} {
		v, _ := o.Get(name)
		if got, ok := v.Strings(); ok || got != nil {
			t.Errorf("%s: got %q, %t", name, got, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,{"b":"\ud83d\ude00"}],"c":1e5}`, `{"a":1,"\u0061":2}`, "{\"a\":\"\xff\"}", nested(40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := strictjson.Parse(text)
		if err != nil {
			if o.Text() != "" || o.Len() != 0 {
				t.Fatal("a refused text gave members")
			}
			return
		}
		if o.Text() != text {
			t.Fatal("the text changed")
		}
		agree(t, o)
		for name, v := range o.All {
			s, ok := v.Str()
			if !ok || len(v.Raw()) > 2<<10 {
				s = ""
			}
			ascii := !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' || r == '/' })
			if got := strictjson.Glimpse([]byte(text), name); got != s && ascii {
				t.Fatalf("a glimpse of %q is %q, want %q", name, got, s)
			}
		}
	})
}

func TestGlimpse(t *testing.T) {
	long := strings.Repeat("x", 2<<10-2)
	for text, want := range map[string]string{
		`{"iss":"a"}`:                           "a",
		"{ \t\r\n\"iss\" \t\r\n: \t\r\n\"a\" }": "a",
		`{"a":{"iss":"b"},"iss":"a"}`:           "a",
		`{"a":[{"iss":"b"},"iss"],"iss":"a"}`:   "a",
		`{"a":["iss","b"],"iss":"a"}`:           "a",
		`{"a":"iss","iss":"a"}`:                 "a",
		`{"a":"\"iss\":\"b\"","iss":"a"}`:       "a",
		`{"a":"\\","iss":"a"}`:                  "a",
		`{"iss":"https:\/\/a"}`:                 "https://a",
		`{"iss":1,"iss":"a"}`:                   "",
		`{"iss":"","iss":"a"}`:                  "",
		`{"iss":"a","iss":"b"}`:                 "a",
		`{"iss":"` + long + `"}`:                long,
		`{"iss":"` + long + `x"}`:               "",
		`{"\u0069ss":"a"}`:                      "a",
		`{"\u0069\u0073\u0073":"a"}`:            "a",
		`{"\u0069s":"a"}`:                       "",
		`{"\u0069sss":"a"}`:                     "",
		`{"\u006Ass":"a"}`:                      "",
		`{"\iss":"a"}`:                          "",
		`{"is\u007":"a"}`:                       "",
		`{"ISS":"a"}`:                           "",
		`{"a":{"iss":"b"}}`:                     "",
		`{"a":["iss",{"iss":"b"}]}`:             "",
		`{"iss":["a"]}`:                         "",
		`{"iss":"a`:                             "",
		`{"iss":"a\`:                            "",
		`{"iss":"a\"`:                           "",
		`{"iss":"\x"}`:                          "",
		"{\"iss\":\"\xff\"}":                    "",
		`{"iss":`:                               "",
		`{"iss"`:                                "",
		`{"iss`:                                 "",
		`{"`:                                    "",
		`{`:                                     "",
		``:                                      "",
		`}}{"iss":"a"}`:                         "",
	} {
		if got := strictjson.Glimpse([]byte(text), "iss"); got != want {
			t.Errorf("%.60s: got %.20q, want %.20q", text, got, want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	const text = `{"iss":"https://id.example.com","sub":"3f1c1f9a-6f0e-4b53-9a06-d4b2c3a1e5f7","aud":["api1","api2"],"exp":1790000000,"nbf":1780000000,"iat":1780000000,"jti":"0b9f3b1e5c6d4f1f8a3c2b1d0e9f8a7b","client_id":"web","scope":"openid profile orders.read orders.write","sid":"9d1f0a2b3c4d5e6f","roles":["admin","user"],"auth_time":1780000000}`
	b.ReportAllocs()
	for b.Loop() {
		if _, err := strictjson.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

// hostile are texts that are made to be expensive, none longer than can be in a
// token.
func hostile() map[string]string {
	join := func(n int, element func(i int) string) string {
		list := make([]string, n)
		for i := range list {
			list[i] = element(i)
		}
		return strings.Join(list, ",")
	}
	return map[string]string{
		"plain":        `{"a":"` + strings.Repeat("x", 48_000) + `"}`,
		"numbers":      `{"a":[` + join(1950, func(int) string { return "2.2250738585072011e-308" }) + `]}`,
		"limit":        `{"a":[` + join(1950, func(int) string { return "1.7976931348623157e308" }) + `]}`,
		"names":        "{" + join(4000, func(i int) string { return fmt.Sprintf(`"%x":0`, i) }) + "}",
		"escapedNames": "{" + join(4000, func(i int) string { return fmt.Sprintf(`"\/%x":0`, i) }) + "}",
		"objects": `{"a":[` + join(240, func(int) string {
			return "{" + join(16, func(i int) string { return fmt.Sprintf(`"abcd%x":0`, i) }) + "}"
		}) + `]}`,
		"deep": `{"a":[` + join(120, func(int) string { return strings.Repeat("[", 30) + strings.Repeat("]", 30) }) + `]}`,
	}
}

func TestHostileTextsAreValid(t *testing.T) {
	for name, text := range hostile() {
		o, err := strictjson.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &want); err != nil || len(want) != o.Len() {
			t.Errorf("%s: got %d members, want %d, error %v", name, o.Len(), len(want), err)
		}
		for member, value := range o.All {
			if string(want[member]) != value.Raw() {
				t.Fatalf("%s: member %q: got %.20q, want %.20q", name, member, value.Raw(), want[member])
			}
		}
	}
}

func BenchmarkHostile(b *testing.B) {
	for name, text := range hostile() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				o, err := strictjson.Parse(text)
				if err != nil {
					b.Fatal(err)
				}
				o.Get("none")
			}
		})
	}
}
