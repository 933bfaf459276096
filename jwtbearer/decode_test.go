package jwtbearer_test

//lint:file-ignore SA5008 odd tags, and what encoding/json makes of them, are what is tested

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

// claimsToken is an accepted token with these members besides.
func claimsToken(t *testing.T, members string) *jwtbearer.Token {
	t.Helper()
	lab := newLaboratory()
	token, err := lab.ours(lab.sign("EdDSA", `{"alg":"EdDSA","kid":"ed"}`, laboratoryPayload[:len(laboratoryPayload)-1]+","+members+"}"))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

type (
	roleInner struct {
		Role string `json:"role"`
	}
	// RoleOuter is promoted.
	RoleOuter struct {
		Role  string    `json:"role"`
		Inner roleInner `json:"in"`
	}
	// RoleDeep is promoted from two levels down, with other types.
	RoleDeep struct{ RoleDeeper }
	// RoleDeeper hides behind what is above it.
	RoleDeeper struct {
		Pick struct {
			Name string `json:"NAME"`
		} `json:"pick"`
	}
	// RolePick stands above RoleDeeper.
	RolePick struct {
		Pick struct {
			Name string `json:"name"`
		} `json:"pick"`
	}
	// RolePlain and RoleOther compete for one name.
	RolePlain struct{ Role string }
	RoleOther struct{ Role string }
	// RoleLeft and RoleRight embed one type each, the same.
	RoleLeft   struct{ RolePlain }
	RoleRight  struct{ RolePlain }
	rawRole    struct{ text string }
	textRole   string
	selfRole   *selfRole
	tagOfField struct {
		Name string `json:"na'me"` // no name that encoding/json takes
	}
)

func (r *rawRole) UnmarshalJSON(b []byte) error { r.text = string(b); return nil }
func (r *textRole) UnmarshalText(b []byte) error {
	*r = textRole("text:" + string(b))
	return nil
}

// TestDecodeMatchesNamesExactly: each row has a member that encoding/json would
// have stored under another name.
func TestDecodeMatchesNamesExactly(t *testing.T) {
	for _, tt := range []struct {
		name, members string
		into          any
		want          string // as JSON
	}{
		{"the right name", `"role":"user"`, &struct {
			Role string `json:"role"`
		}{}, `{"role":"user"}`},
		{"another case", `"Role":"admin"`, &struct {
			Role string `json:"role"`
		}{}, `{"role":""}`},
		{"another case after the right one", `"role":"user","ROLE":"admin"`, &struct {
			Role string `json:"role"`
		}{}, `{"role":"user"}`},
		{"another case before the right one", `"Role":"admin","role":"user"`, &struct {
			Role string `json:"role"`
		}{}, `{"role":"user"}`},
		{"an escape in the right name", `"r\u006fle":"user"`, &struct {
			Role string `json:"role"`
		}{}, `{"role":"user"}`},
		{"an escape in another case", `"\u0052ole":"admin"`, &struct {
			Role string `json:"role"`
		}{}, `{"role":""}`},
		{"a letter that folds to ASCII", `"ſcope2":"admin"`, &struct {
			Scope string `json:"scope2"`
		}{}, `{"scope2":""}`},
		{"a Kelvin sign", `"\u212aey":"admin"`, &struct {
			Key string `json:"key"`
		}{}, `{"key":""}`},
		{"a field without a tag", `"role":"admin"`, &struct{ Role string }{}, `{"Role":""}`},
		{"a tag that is no name", `"NAME":"admin"`, &tagOfField{}, `{"Name":""}`},
		{"a name that two fields compete for, beside a field of another case", `"Role":"admin"`, &struct {
			RolePlain
			RoleOther
			Upper string `json:"ROLE"`
		}{}, `{"ROLE":""}`},
		{"a name of a type that is embedded twice, beside a field of another case", `"Role":"admin"`, &struct {
			RoleLeft
			RoleRight
			Upper string `json:"ROLE"`
		}{}, `{"ROLE":""}`},
		{"a struct in a struct", `"in":{"Role":"admin"}`, &struct {
			In roleInner `json:"in"`
		}{}, `{"in":{"role":""}}`},
		{"a pointer to a struct", `"in":{"Role":"admin"}`, &struct {
			In *roleInner `json:"in"`
		}{}, `{"in":{"role":""}}`},
		{"pointers to pointers", `"in":{"Role":"admin"}`, &struct {
			In ***roleInner `json:"in"`
		}{}, `{"in":{"role":""}}`},
		{"a slice of structs", `"in":[{"role":"user"},{"Role":"admin"}]`, &struct {
			In []roleInner `json:"in"`
		}{}, `{"in":[{"role":"user"},{"role":""}]}`},
		{"a slice of pointers to structs", `"in":[{"role":"user"},{"Role":"admin"},null]`, &struct {
			In []*roleInner `json:"in"`
		}{}, `{"in":[{"role":"user"},{"role":""},null]}`},
		{"an array of structs", `"in":[{"Role":"admin"},{"role":"user"}]`, &struct {
			In [2]roleInner `json:"in"`
		}{}, `{"in":[{"role":""},{"role":"user"}]}`},
		{"a map of structs keeps its own keys", `"in":{"A":{"Role":"admin"},"a":{"role":"user"}}`, &struct {
			In map[string]roleInner `json:"in"`
		}{}, `{"in":{"A":{"role":""},"a":{"role":"user"}}}`},
		{"a map of slices of structs", `"in":{"A":[{"Role":"admin"}]}`, &struct {
			In map[string][]roleInner `json:"in"`
		}{}, `{"in":{"A":[{"role":""}]}}`},
		{"an embedded struct", `"Role":"admin","in":{"ROLE":"admin"}`, &struct{ RoleOuter }{}, `{"role":"","in":{"role":""}}`},
		{"an embedded pointer", `"Role":"admin","in":{"ROLE":"admin"}`, &struct{ *RoleOuter }{&RoleOuter{}}, `{"role":"","in":{"role":""}}`},
		{"an embedded struct that is not exported", `"Role":"admin"`, &struct{ roleInner }{}, `{"role":""}`},
		{"an embedded struct with a name that is not exported", `"in":{"Role":"admin"}`, &struct {
			roleInner `json:"in"`
		}{}, `{"in":{"role":""}}`},
		{"embedded structs that compete: the outer one's names count", `"pick":{"name":"user","NAME":"admin"}`, &struct {
			RoleDeep
			RolePick
		}{}, `{"pick":{"name":"user"}}`},
		{"an interface", `"in":{"Role":"admin"}`, &struct {
			In any `json:"in"`
		}{}, `{"in":{"Role":"admin"}}`},
		{"an interface that holds a pointer", `"in":{"Role":"admin"}`, &struct {
			In any `json:"in"`
		}{&roleInner{}}, `{"in":{"role":""}}`},
		{"an interface that holds a pointer to another", `"in":{"Role":"admin"}`, &struct {
			In any `json:"in"`
		}{pointTo(any(&roleInner{}))}, `{"in":{"role":""}}`},
		{"interfaces in a slice that hold pointers", `"in":[{"Role":"admin"}]`, &struct {
			In []any `json:"in"`
		}{[]any{&roleInner{}}}, `{"in":[{"role":""}]}`},
		{"interfaces in a slice that hold pointers, behind its length", `"in":[{"Role":"admin"}]`, &struct {
			In []any `json:"in"`
		}{[]any{&roleInner{}}[:0]}, ``},
		{"interfaces in an array that hold pointers", `"in":[{"Role":"admin"}]`, &struct {
			In [1]any `json:"in"`
		}{[1]any{&roleInner{}}}, `{"in":[{"role":""}]}`},
		{"a target that is a pointer in an interface", `"Role":"admin"`, pointTo(any(&roleInner{})), `{"role":""}`},
		{"a target that is a pointer to a pointer", `"Role":"admin"`, pointTo(&roleInner{}), `{"role":""}`},
		{"a field that is left out", `"Role":"admin"`, &struct {
			Role string `json:"-"`
			Dash string `json:"-,"`
		}{}, `{"-":""}`},
		{"a string of a number keeps its option", `"n":"7","N":"8"`, &struct {
			N int `json:"n,string"`
		}{}, `{"n":"7"}`},
		{"text", `"in":"Role"`, &struct {
			In textRole `json:"in"`
		}{}, `{"in":"text:Role"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := claimsToken(t, tt.members).Decode(tt.into); err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(tt.into)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if strings.Contains(string(got), `"role":"admin"`) {
					t.Errorf("got %s", got)
				}
				return
			}
			if string(got) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func pointTo[T any](v T) *T { return &v }

// TestDecodeLeavesOtherTypesAlone: what has a way of its own gets its JSON.
func TestDecodeLeavesOtherTypesAlone(t *testing.T) {
	token := claimsToken(t, `"in":{"Role":"admin","role": 7 },"Big":12345678901234567890`)
	var whole rawRole
	if err := token.Decode(&whole); err != nil || !strings.Contains(whole.text, `"in":{"Role":"admin","role": 7 }`) {
		t.Errorf("got %s, error %v", whole.text, err)
	}
	var into struct {
		In  *rawRole        `json:"in"`
		Raw json.RawMessage `json:"x"`
		Big json.Number     `json:"Big"`
	}
	if err := token.Decode(&into); err != nil {
		t.Fatal(err)
	}
	if into.In.text != `{"Role":"admin","role": 7 }` || string(into.Raw) != `{"y":[1,2,{"z":null}]}` || into.Big != "12345678901234567890" {
		t.Errorf("got %+v %s", into, into.In.text)
	}
	var all map[string]any
	if err := token.Decode(&all); err != nil || all["in"].(map[string]any)["Role"] != "admin" {
		t.Errorf("got %v, error %v", all, err)
	}
}

func TestDecodeErrors(t *testing.T) {
	token := claimsToken(t, `"in":{"role":7}`)
	var typed *json.UnmarshalTypeError
	if err := token.Decode(&struct {
		In roleInner `json:"in"`
	}{}); !errors.As(err, &typed) {
		t.Errorf("a number into a string: got %v", err)
	}
	var invalid *json.InvalidUnmarshalError
	for name, v := range map[string]any{"nil": nil, "a struct": roleInner{}, "a nil pointer": (*roleInner)(nil)} {
		if err := token.Decode(v); !errors.As(err, &invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := (*jwtbearer.Token)(nil).Decode(&struct{}{}); err == nil {
		t.Error("a nil Token: got no error")
	}
	// A type without an end ends.
	var self selfRole
	if err := claimsToken(t, `"y":1`).Decode(&struct {
		In selfRole `json:"in"`
	}{self}); err != nil {
		t.Errorf("a type that points to itself: %v", err)
	}
	var loop any
	loop = &loop
	_ = token.Decode(loop)
}

// TestTokensShareNoMemory changes everything that a token hands out, while others
// read it: requests with one token share one Token.
func TestTokensShareNoMemory(t *testing.T) {
	lab := newLaboratory()
	raw := lab.sign("EdDSA", `{"alg":"EdDSA","kid":"ed"}`, `{"iss":"https://issuer.test","aud":["api1","api2"],"exp":32503680000,"scope":["read","write"],"roles":["user"],"in":{"list":[1,2]}}`)
	type claims struct {
		Roles []string        `json:"roles"`
		In    map[string]any  `json:"in"`
		Raw   json.RawMessage `json:"scope"`
	}
	check := func(token *jwtbearer.Token) error {
		var c claims
		if err := token.Decode(&c); err != nil {
			return err
		}
		if got := fmt.Sprintf("%v %v %v %v %s %v %v", token.Audience(), token.Scopes(), c.Roles, c.In, c.Raw, token.HasRole("user"), token.HasScope("read")); got != `[api1 api2] [read write] [user] map[list:[1 2]] ["read","write"] true true` {
			return errors.New("the token has changed: " + got)
		}
		// And now spoil it.
		for _, list := range [][]string{token.Audience(), token.Scopes(), c.Roles} {
			_ = append(list[:1], "spoiled")
			for i := range list {
				list[i] = "spoiled"
			}
			slices.Reverse(list)
		}
		c.In["list"].([]any)[0] = "spoiled"
		c.In["more"] = "spoiled"
		for i := range c.Raw {
			c.Raw[i] = '!'
		}
		return nil
	}
	first, err := lab.ours(raw)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				token, err := lab.ours(raw)
				if err == nil {
					err = check(token)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if second, _ := lab.ours(raw); second != first {
		t.Error("the token was not remembered: this test shows nothing")
	}
}

// TestScopesOfAnErrorAreItsOwn: a hook may sort them, say.
func TestScopesOfAnErrorAreItsOwn(t *testing.T) {
	lab := newLaboratory()
	raw := lab.sign("EdDSA", `{"alg":"EdDSA","kid":"ed"}`, laboratoryPayload)
	p, err := lab.verifier.Policy("api1", jwtbearer.Scope("b", "a"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := p.Verify(t.Context(), raw)
		var e *jwtbearer.Error
		if !errors.As(err, &e) || !reflect.DeepEqual(e.Scopes, []string{"b", "a"}) {
			t.Fatalf("got %v", err)
		}
		e.Scopes[0] = "spoiled"
	}
}
