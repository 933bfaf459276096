package orders_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/examples/api/orders"
	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// api is the handler with its authority.
type api struct {
	http.Handler
	*jwtbearertest.Issuer
}

func newAPI(t *testing.T, rules ...jwtbearer.Rule) api {
	t.Helper()
	issuer := jwtbearertest.NewIssuer(t)
	verifier := issuer.Verifier(t, nil)
	if err := verifier.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	handler, err := orders.New(verifier, "api1", rules...)
	if err != nil {
		t.Fatal(err)
	}
	return api{handler, issuer}
}

// send sends a request with a token, unless it is "".
func (a api) send(method, path, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	a.Handler.ServeHTTP(w, r)
	return w
}

func TestRoutes(t *testing.T) {
	a := newAPI(t)
	reader := a.Token("api1", jwtbearertest.Scopes("orders.read"))
	writer := a.Token("api1", jwtbearertest.Scopes("orders.read", orders.WriteScope))
	other := a.Token("api2", jwtbearertest.Scopes(orders.WriteScope))
	const tea = `{"item": "tea"}`
	tests := []struct {
		name, method, path, token, body string
		want                            int
	}{
		{"health is public", "GET", "/healthz", "", "", 200},
		{"readiness is public", "GET", "/readyz", "", "", 200},
		{"list with a token", "GET", "/orders", reader, "", 200},
		{"list without", "GET", "/orders", "", "", 401},
		{"list with another API's", "GET", "/orders", other, "", 401},
		{"create with the scope", "POST", "/orders", writer, tea, 201},
		{"create without the scope", "POST", "/orders", reader, tea, 403},
		{"create without a token", "POST", "/orders", "", tea, 401},
		{"create with another API's", "POST", "/orders", other, tea, 401},
		{"create from no JSON", "POST", "/orders", writer, "tea", 400},
		{"create nothing", "POST", "/orders", writer, `{}`, 400},
		{"create from too much", "POST", "/orders", writer, `{"item": "` + strings.Repeat("tea", 2000) + `"}`, 413},
		{"another method", "DELETE", "/orders", writer, "", 405},
		{"another path", "GET", "/", writer, "", 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if w := a.send(tt.method, tt.path, tt.token, tt.body); w.Code != tt.want {
				t.Errorf("got %d, want %d: %s", w.Code, tt.want, w.Body)
			}
		})
	}
}

func TestListShowsTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI(t)
		w := a.send("GET", "/orders", a.Token("api1", jwtbearertest.Subject("alice"),
			jwtbearertest.Scopes("a", "b"), jwtbearertest.ExpiresIn(time.Minute)), "")
		var got struct {
			Sub, Scope string
			Exp        int64
			Orders     []orders.Order
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		if want := time.Now().Add(time.Minute).Unix(); got.Sub != "alice" || got.Scope != "a b" || got.Exp != want || got.Orders == nil {
			t.Errorf(`got %s, want sub alice, scope "a b", exp %d, orders []`, w.Body, want)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control: got %q, want no-store", got)
		}
	})
}

func TestOrdersBelongToTheirOwner(t *testing.T) {
	a := newAPI(t)
	token := func(opts ...jwtbearertest.TokenOption) string {
		return a.Token("api1", append(opts, jwtbearertest.Scopes(orders.WriteScope))...)
	}
	alice, bob := token(jwtbearertest.Subject("alice")), token(jwtbearertest.Subject("bob"))
	client1 := token(jwtbearertest.WithoutClaim("sub"), jwtbearertest.Claim("client_id", "one"))
	client2 := token(jwtbearertest.WithoutClaim("sub"), jwtbearertest.Claim("client_id", "two"))
	for _, each := range []struct{ token, item string }{{alice, "tea"}, {client1, "paper"}} {
		if w := a.send("POST", "/orders", each.token, `{"item": "`+each.item+`"}`); w.Code != http.StatusCreated {
			t.Fatalf("got %d: %s", w.Code, w.Body)
		}
	}
	for _, tt := range []struct{ name, token, want string }{
		{"alice", alice, `[{"id":1,"item":"tea"}]`},
		{"bob", bob, `[]`},
		{"client one", client1, `[{"id":2,"item":"paper"}]`},
		{"client two", client2, `[]`},
	} {
		var got struct{ Orders json.RawMessage }
		if err := json.Unmarshal(a.send("GET", "/orders", tt.token, "").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if string(got.Orders) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got.Orders, tt.want)
		}
	}
}

// The subjects of two authorities are different people, whatever their names.
func TestSubjectsBelongToTheirIssuer(t *testing.T) {
	one, two := jwtbearertest.NewIssuer(t), jwtbearertest.NewIssuer(t, &jwtbearertest.Options{URL: "https://two.test"})
	verifier, err := jwtbearer.Join(one.Verifier(t, nil), two.Verifier(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	handler, err := orders.New(verifier, "api1")
	if err != nil {
		t.Fatal(err)
	}
	alice := func(of *jwtbearertest.Issuer) string {
		return of.Token("api1", jwtbearertest.Subject("alice"), jwtbearertest.Scopes(orders.WriteScope))
	}
	a := api{handler, one}
	if w := a.send("POST", "/orders", alice(one), `{"item": "tea"}`); w.Code != http.StatusCreated {
		t.Fatalf("got %d: %s", w.Code, w.Body)
	}
	if body := a.send("GET", "/orders", alice(one), "").Body.String(); !strings.Contains(body, "tea") {
		t.Errorf("alice does not see her order: %s", body)
	}
	if body := a.send("GET", "/orders", alice(two), "").Body.String(); strings.Contains(body, "tea") {
		t.Errorf("another authority's alice sees the order: %s", body)
	}
}

// What is kept is bounded: the oldest order makes room.
func TestOldOrdersMakeRoom(t *testing.T) {
	a := newAPI(t)
	token := a.Token("api1", jwtbearertest.Scopes(orders.WriteScope))
	for range 1001 {
		a.send("POST", "/orders", token, `{"item": "tea"}`)
	}
	var got struct{ Orders []orders.Order }
	if err := json.Unmarshal(a.send("GET", "/orders", token, "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if n := len(got.Orders); n != 1000 || got.Orders[0].ID != 2 || got.Orders[n-1].ID != 1001 {
		t.Errorf("got %d orders, want 1000, from 2 to 1001", n)
	}
}

// Rules given to New hold on both routes.
func TestRules(t *testing.T) {
	a := newAPI(t, jwtbearer.Claim("department", "sales"))
	sales := a.Token("api1", jwtbearertest.Scopes(orders.WriteScope), jwtbearertest.Claim("department", "sales"))
	stock := a.Token("api1", jwtbearertest.Scopes(orders.WriteScope), jwtbearertest.Claim("department", "stock"))
	for _, tt := range []struct {
		method, token string
		want          int
	}{{"GET", sales, 200}, {"GET", stock, 403}, {"POST", sales, 201}, {"POST", stock, 403}} {
		if w := a.send(tt.method, "/orders", tt.token, `{"item": "tea"}`); w.Code != tt.want {
			t.Errorf("%s: got %d, want %d", tt.method, w.Code, tt.want)
		}
	}
}

func TestNewRefusesMistakes(t *testing.T) {
	verifier := jwtbearertest.NewIssuer(t).Verifier(t, nil)
	if _, err := orders.New(verifier, ""); err == nil {
		t.Error("an empty audience is accepted")
	}
	if _, err := orders.New(verifier, "api1", nil); err == nil {
		t.Error("a nil rule is accepted")
	}
}

// While the authority has never been reached, the API is up and not ready.
func TestNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down())
		verifier, err := jwtbearer.New(issuer.URL(), &jwtbearer.Options{HTTPClient: issuer.Client()})
		if err != nil {
			t.Fatal(err)
		}
		defer verifier.Close()
		handler, err := orders.New(verifier, "api1")
		if err != nil {
			t.Fatal(err)
		}
		a := api{handler, issuer}
		for path, want := range map[string]int{"/healthz": 200, "/readyz": 503} {
			if w := a.send("GET", path, "", ""); w.Code != want {
				t.Errorf("%s: got %d, want %d", path, w.Code, want)
			}
		}
	})
}
