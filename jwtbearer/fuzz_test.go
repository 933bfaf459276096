package jwtbearer_test

//lint:file-ignore SA5008 odd tags, and what encoding/json makes of them, are what is tested

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

// laboratoryPayload is good for a thousand years.
const laboratoryPayload = `{"iss":"https://issuer.test","sub":"alice","aud":["api1","api2"],"exp":32503680000,"nbf":1000000000,"iat":1000000000.5,"jti":"1","client_id":"web","scope":"read write","roles":["admin"],"x":{"y":[1,2,{"z":null}]}}`

// FuzzVerify judges tokens of any text, and tokens of any header and payload
// with a good signature, without which no input would ever be accepted.
func FuzzVerify(f *testing.F) {
	lab := newLaboratory()
	for _, alg := range allAlgorithms {
		header := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"JWT"}`, alg, laboratoryKeys[alg])
		f.Add(true, "", header, laboratoryPayload)
		f.Add(false, lab.sign(alg, header, laboratoryPayload), "", "")
	}
	const header = `{"alg":"EdDSA","kid":"ed"}`
	for _, more := range []string{`"crit":["x"]`, `"b64":false`, `"typ":"at+jwt"`, `"typ":"application/AT+JWT"`, `"kid":"p256"`, `"jwk":{"kty":"oct"}`, `"\u0061lg":"none"`, `"x":[[[[{}]]]]`} {
		f.Add(true, "", header[:len(header)-1]+","+more+"}", laboratoryPayload)
	}
	for _, change := range [][2]string{
		{`"exp"`, `"Exp"`}, {`32503680000`, `32503680000.5`}, {`32503680000`, `3.2503680e10`}, {`32503680000`, `"32503680000"`}, {`32503680000`, `1`}, {`["api1","api2"]`, `"api1"`}, {`["api1","api2"]`, `[["api1"]]`},
		{`"sub"`, `"\u0073ub"`}, {`"sub":"alice"`, `"sub":"\ud83d\ude00"`}, {`"sub":"alice"`, `"sub":"\ud83d"`}, {`"x":`, `"x":1,"x":`}, {`"x":{`, `"x":{"y":1,`}, {`{"iss"`, ` {"iss"`}, {`"jti":"1"`, `"cnf":{}`}, {`"jti"`, `"at_hash"`}, {`1000000000.5`, `-1`},
	} {
		f.Add(true, "", header, strings.Replace(laboratoryPayload, change[0], change[1], 1))
	}
	for _, raw := range []string{"", "..", "a.b.c", "e30.e30.e30", "a..b.c.d", `{"payload":""}`} {
		f.Add(false, raw, "", "")
	}
	require := lab.policy.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }))

	f.Fuzz(func(t *testing.T, sign bool, raw, header, payload string) {
		if sign {
			var h struct {
				Alg string `json:"alg"`
			}
			json.Unmarshal([]byte(header), &h)
			if laboratoryKeys[h.Alg] == "" {
				h.Alg = "EdDSA"
			}
			raw = lab.sign(h.Alg, header, payload)
			// Whether the claims come before the signature changes no verdict.
			if strings.HasPrefix(payload, "{") && len(payload) < 8<<10 {
				short, shortErr := lab.ours(raw)
				long, longErr := lab.ours(lab.sign(h.Alg, header, longer(payload)))
				if (short == nil) != (long == nil) {
					t.Fatalf("with claims first: %v, with the signature first: %v", shortErr, longErr)
				}
			}
		}
		token, err := lab.ours(raw)
		if (token == nil) != (err != nil) {
			t.Fatalf("got token %v with error %v", token, err)
		}
		if again, againErr := lab.ours(raw); again != nil != (token != nil) || fmt.Sprint(againErr) != fmt.Sprint(err) {
			t.Fatalf("the second verdict differs: %v, %v", err, againErr)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{"Bearer " + raw}
		w := httptest.NewRecorder()
		require.ServeHTTP(w, r)
		if (w.Code == http.StatusNoContent) != (token != nil) {
			t.Fatalf("Verify: %v, over HTTP: %d", err, w.Code)
		}
		if err != nil {
			checkRefusal(t, err, w)
			return
		}
		if again, err := canonical(raw); err != nil || again != raw {
			t.Errorf("accepted, and not the one text of this token: %q", raw)
		}
		theirs, theirErr := lab.theirs(raw)
		switch {
		case theirErr == nil:
			if err := agree(token, theirs); err != nil {
				t.Error(err)
			}
		case explain(raw, "") < 0:
			t.Errorf("we accept, jwx refuses, and nobody knows why: %v", theirErr)
		}
	})
}

// checkRefusal holds what is true of every refusal: an *Error of one class, and
// an answer in which nothing can be reflected, since it is one of a few texts.
func checkRefusal(t *testing.T, err error, w *httptest.ResponseRecorder) {
	t.Helper()
	var e *jwtbearer.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want an *Error", err)
	}
	classes := 0
	for _, class := range conformanceClasses {
		if errors.Is(err, class) {
			classes++
		}
	}
	if classes != 1 {
		t.Errorf("%v is of %d classes", err, classes)
	}
	for _, r := range conformanceReasons {
		if w.Code == r.status && w.Header().Get("WWW-Authenticate") == r.challenge("", "") && w.Body.String() == r.body() {
			return
		}
	}
	t.Errorf("an answer that is none of ours: %d %v %s", w.Code, w.Header(), w.Body)
}

// credentialsSyntax is that of RFC 6750, Section 2.1, with the scheme's case and
// the number of spaces left open by RFC 9110, Section 11.
var (
	credentialsSyntax = regexp.MustCompile(`^(?i:bearer) +([A-Za-z0-9._~+/-]+=*)$`)
	schemeSyntax      = regexp.MustCompile("^(?i:bearer)([^A-Za-z0-9!#$%&'*+.^_`|~-]|$)")
)

// FuzzAuthorizationHeader compares how a field is taken apart with the grammar.
// T stands for a good token.
func FuzzAuthorizationHeader(f *testing.F) {
	lab := newLaboratory()
	good := lab.sign("EdDSA", `{"alg":"EdDSA","kid":"ed"}`, laboratoryPayload)
	for _, field := range []string{
		"Bearer T", "bearer T", "BEARER   T", " Bearer T\t", "Bearer", "Bearer ", "Bearer\tT", "Bearer \tT", "Bearer T T", "Bearer T,", "Bearer T, Bearer T", "Bearer,T", "Bearer:T", "Bearer=T", "Bearerx T", "Bearer-T", "Basic T", "T", "", "Bearer T=", "Bearer T==",
		"Bearer =", "Bearer =T", "Bearer T\x00", "Bearer T\r\nX: y", "Bearer {\"payload\":\"\"}", "Bearer a.b.c.d.e", "Bearer é", "\u212aearer T",
		"Bearer " + strings.Repeat("a", 70000), "Bearer " + strings.Repeat("a", 70000) + "\x00", "Bearer \x00" + strings.Repeat("a", 70000),
	} {
		f.Add(field)
	}
	require := lab.policy.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	f.Fuzz(func(t *testing.T, field string) {
		field = strings.ReplaceAll(field, "T", good)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{field}
		w := httptest.NewRecorder()
		require.ServeHTTP(w, r)
		token, err := lab.policy.Check(r)
		if (token == nil) != (err != nil) || (w.Code == http.StatusNoContent) != (err == nil) {
			t.Fatalf("got %d, token %v, error %v", w.Code, token, err)
		}
		trimmed := strings.Trim(field, " \t")
		match := credentialsSyntax.FindStringSubmatch(trimmed)
		switch {
		case len(field) > 64<<10+64 && errors.Is(err, jwtbearer.ErrTooLarge):
			// What is in it beyond the bound is not looked at.
		case match != nil:
			_, wantErr := lab.ours(match[1])
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("%q: got %v, want the verdict on the token: %v", field, err, wantErr)
			}
		case !schemeSyntax.MatchString(trimmed):
			if !errors.Is(err, jwtbearer.ErrNoToken) {
				t.Errorf("%q: got %v, want ErrNoToken", field, err)
			}
		case strings.HasPrefix(strings.TrimLeft(trimmed[len("Bearer"):], " "), "{"):
			// The JSON serialization is told what it is, if that was what it is.
			if !errors.Is(err, jwtbearer.ErrSerialization) && !errors.Is(err, jwtbearer.ErrInvalidRequest) && !errors.Is(err, jwtbearer.ErrTooLarge) {
				t.Errorf("%q: got %v", field, err)
			}
		case len(trimmed) > 64<<10 && errors.Is(err, jwtbearer.ErrTooLarge):
			// No token68, and not looked at for that.
		case !errors.Is(err, jwtbearer.ErrMalformedCredentials):
			t.Errorf("%q: got %v, want ErrMalformedCredentials", field, err)
		}
		if err != nil {
			checkRefusal(t, err, w)
		}
	})
}

// fuzzTarget has the shapes of struct that claims are decoded into.
type fuzzTarget struct {
	Role   string               `json:"role"`
	Roles  []string             `json:"roles"`
	Inner  *fuzzInner           `json:"inner"`
	List   []fuzzInner          `json:"list"`
	Map    map[string]fuzzInner `json:"map"`
	Any    any                  `json:"any"`
	Number json.Number          `json:"number"`
	Plain  string
	FuzzEmbedded
}

type fuzzInner struct {
	Name string  `json:"name"`
	NAME string  `json:"NAME"`
	Pair [2]int  `json:"pair"`
	Deep []*Nest `json:"deep"`
	K    string  `json:"k"`
	Skip string  `json:"-"`
	Dash string  `json:"-,"`
}

// Nest holds itself.
type Nest struct {
	Nest  *Nest  `json:"nest"`
	Value string `json:"value,omitempty"`
}

// FuzzEmbedded is promoted.
type FuzzEmbedded struct {
	Role  string `json:"role"` // hidden by the outer one
	Extra string `json:"extra"`
}

// exactly decodes text into a value of type t by way of maps, whose names are
// exact: what [jwtbearer.Token.Decode] must come to.
func exactly(text []byte, into reflect.Value) error {
	switch t := into.Type(); {
	case t.Kind() == reflect.Pointer:
		if string(text) == "null" {
			into.SetZero()
			return nil
		}
		into.Set(reflect.New(t.Elem()))
		return exactly(text, into.Elem())
	case t.Kind() == reflect.Struct:
		if string(text) == "null" {
			return nil
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(text, &members); err != nil {
			return err
		}
		names := map[string][]int{}
		for _, f := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous || !f.IsExported() || f.Tag.Get("json") == "-":
				continue
			case name == "":
				name = f.Name
			}
			if at, ok := names[name]; !ok || len(at) > len(f.Index) {
				names[name] = f.Index
			}
		}
		for name, index := range names {
			if member, ok := members[name]; ok {
				if err := exactly(member, into.FieldByIndex(index)); err != nil {
					return err
				}
			}
		}
		return nil
	case t.Kind() == reflect.Map:
		var members map[string]json.RawMessage
		if err := json.Unmarshal(text, &members); err != nil || members == nil {
			return err
		}
		into.Set(reflect.MakeMap(t))
		for name, member := range members {
			v := reflect.New(t.Elem()).Elem()
			if err := exactly(member, v); err != nil {
				return err
			}
			into.SetMapIndex(reflect.ValueOf(name), v)
		}
		return nil
	case t.Kind() == reflect.Slice:
		var elements []json.RawMessage
		if err := json.Unmarshal(text, &elements); err != nil || elements == nil {
			return err
		}
		into.Set(reflect.MakeSlice(t, len(elements), len(elements)))
		for i, element := range elements {
			if err := exactly(element, into.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
	return json.Unmarshal(text, into.Addr().Interface())
}

// FuzzDecode compares Decode with a decoding through maps.
func FuzzDecode(f *testing.F) {
	lab := newLaboratory()
	for _, text := range []string{
		`{}`, `null`, `[]`, `7`, `{"role":"a","Role":"b","ROLE":"c"}`, `{"Role":"b"}`, `{"roLe":"b","plain":"x","Plain":"y"}`, `{"inner":{"name":"a","Name":"b","NAME":"c"}}`, `{"Inner":{"name":"a"}}`, `{"inner":{"nAme":"b"}}`,
		`{"list":[{"name":"a"},{"Name":"b"},null]}`, `{"map":{"a":{"Name":"b"},"A":{"name":"c"}}}`, `{"any":{"Role":1,"role":2}}`, `{"extra":"a","Extra":"b"}`, `{"inner":{"deep":[{"nest":{"Nest":{"value":"x"},"nest":{"VALUE":"y","value":"z"}}}]}}`,
		`{"inner":{"\u212a":"x","k":"y"}}`, `{"r\u006fle":"a","roleſ":"b","roles":["x"],"role\u017f":["y"]}`, `{"inner":{"-":"x","Skip":"y","Dash":"z","raw":{}}}`, `{"number":1.50,"Number":2}`, `{"inner":{"pair":[1,2,3]}}`, `{"role":7}`, `{"inner":[1]}`, `{"FuzzEmbedded":{"role":"x"},"fuzzEmbedded":1}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := lab.ours(lab.sign("EdDSA", `{"alg":"EdDSA","kid":"ed"}`, `{"iss":"https://issuer.test","aud":"api1","exp":32503680000,"c":`+text+`}`))
		if err != nil {
			return
		}
		var got, want struct {
			C fuzzTarget `json:"c"`
		}
		var claims map[string]json.RawMessage
		if err := token.Decode(&claims); err != nil {
			t.Fatal(err)
		}
		gotErr := token.Decode(&got)
		wantErr := exactly(claims["c"], reflect.ValueOf(&want.C).Elem())
		if (gotErr != nil) != (wantErr != nil) {
			t.Fatalf("got error %v, by way of maps %v", gotErr, wantErr)
		}
		if gotErr == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got.C, want.C)
		}
	})
}
