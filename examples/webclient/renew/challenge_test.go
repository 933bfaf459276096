package renew

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// show writes challenges in one form: scheme{name=value …}, scheme(token68).
func show(all []challenge) string {
	var parts []string
	for _, c := range all {
		if c.params == nil {
			parts = append(parts, c.scheme+"(token68)")
			continue
		}
		var params []string
		for name, value := range c.params {
			params = append(params, name+"="+value)
		}
		slices.Sort(params)
		parts = append(parts, c.scheme+"{"+strings.Join(params, " ")+"}")
	}
	return strings.Join(parts, " ")
}

func TestParseChallenges(t *testing.T) {
	for _, test := range []struct {
		fields []string
		want   string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"Bearer"}, "Bearer{}"},
		{[]string{"  ,, Bearer , "}, "Bearer{}"},
		{[]string{`Bearer error="invalid_token"`}, "Bearer{error=invalid_token}"},
		{[]string{`Bearer error=invalid_token`}, "Bearer{error=invalid_token}"},
		{[]string{`BEARER ERROR = "invalid_token"`}, "BEARER{error=invalid_token}"},
		{[]string{`Bearer realm="a, b", error="invalid_token",error_description="say \"no\""`}, `Bearer{error=invalid_token error_description=say "no" realm=a, b}`},
		{[]string{`Basic realm="x", Bearer error="invalid_token"`}, "Basic{realm=x} Bearer{error=invalid_token}"},
		{[]string{`Bearer, DPoP algs="ES256", error="invalid_token"`}, "Bearer{} DPoP{algs=ES256 error=invalid_token}"},
		{[]string{`Negotiate YII==, Bearer error="invalid_token"`}, "Negotiate(token68) Bearer{error=invalid_token}"},
		{[]string{`Negotiate YII`, `Bearer error="invalid_token"`}, "Negotiate(token68) Bearer{error=invalid_token}"},
		{[]string{`Basic realm="error=\"invalid_token\""`}, `Basic{realm=error="invalid_token"}`},
		// The sender contradicts itself.
		{[]string{`Bearer error="invalid_token", error="insufficient_scope"`}, ""},
		{[]string{`Bearer error="invalid_token", ERROR="invalid_token", Basic realm="x"`}, "Basic{realm=x}"},
		// Malformed: the whole field counts for nothing, other fields do.
		{[]string{`error="invalid_token"`}, ""},
		{[]string{`Bearer error="invalid_token`}, ""},
		{[]string{`Bearer error="invalid_token\`}, ""},
		{[]string{`Bearer error="invalid_token" realm="x"`}, ""},
		{[]string{`Bearer error="invalid_token"; realm="x"`}, ""},
		{[]string{`Bearer error="invalid` + "\x01" + `_token"`}, ""},
		{[]string{`Bearer error="invalid\` + "\b" + `_token"`}, ""},
		{[]string{`Negotiate YII==, error="invalid_token"`}, ""},
		{[]string{`"Bearer" error="invalid_token"`, `Bearer error="invalid_token"`}, "Bearer{error=invalid_token}"},
		{[]string{`Bearer é`}, ""},
	} {
		t.Run(fmt.Sprintf("%q", test.fields), func(t *testing.T) {
			if got := show(parseChallenges(test.fields)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// FuzzParseChallenges: whatever is accepted means the same when it is written
// in the plainest form.
func FuzzParseChallenges(f *testing.F) {
	for _, seed := range []string{
		`Bearer error="invalid_token"`, `Negotiate YII==, Bearer realm="a\"b"`, "Bearer", `,,a b=c,d="e",f`, `a b==`, "Bearer error=\"\\\b\"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		parsed := parseChallenges([]string{field})
		var plain []string
		for _, c := range parsed {
			if c.params == nil {
				plain = append(plain, c.scheme+" x==")
				continue
			}
			var params []string
			for name, value := range c.params {
				params = append(params, name+`="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)+`"`)
			}
			plain = append(plain, c.scheme+" "+strings.Join(params, ", "))
		}
		if got, want := show(parseChallenges([]string{strings.Join(plain, ", ")})), show(parsed); got != want {
			t.Errorf("%q: got %s, want %s", field, got, want)
		}
	})
}
