package jwtbearer_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// cors lets the pages of one origin call next.
func cors(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if r.Header.Get("Origin") == origin {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
				w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
				w.WriteHeader(http.StatusNoContent) // a preflight request carries no token
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// CORS middleware goes outside Require: a browser sends its preflight request
// without a token.
func ExampleVerifier_Require_cors() {
	verifier, err := jwtbearer.New("https://id.example.com", nil)
	if err != nil {
		panic(err)
	}
	defer verifier.Close()
	api := cors("https://app.example.com", verifier.Require("api1")(http.HandlerFunc(listOrders)))

	preflight := httptest.NewRequest(http.MethodOptions, "/orders", nil)
	preflight.Header.Set("Origin", "https://app.example.com")
	preflight.Header.Set("Access-Control-Request-Method", "GET")
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, preflight)
	fmt.Println(answer.Code, answer.Header().Get("Access-Control-Allow-Headers"))
	// Output: 204 Authorization, Content-Type
}

func TestCORSOutsideRequire(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	protected := issuer.Verifier(t, nil).Require("api1")(http.HandlerFunc(listOrders))
	send := func(h http.Handler, method, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/orders", nil)
		r.Header.Set("Origin", "https://app.example.com")
		r.Header.Set("Access-Control-Request-Method", "GET")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	allowed := cors("https://app.example.com", protected)
	other := cors("https://other.example.com", protected)

	if w := send(protected, http.MethodOptions, ""); w.Code != http.StatusUnauthorized {
		t.Errorf("OPTIONS without a token and without CORS: got %d, want 401", w.Code)
	}
	if w := send(allowed, http.MethodOptions, ""); w.Code != http.StatusNoContent {
		t.Errorf("preflight: got %d, want 204", w.Code)
	}
	if w := send(other, http.MethodOptions, ""); w.Code != http.StatusUnauthorized {
		t.Errorf("preflight of another origin: got %d, want 401", w.Code)
	}
	w := send(allowed, http.MethodGet, "")
	if got, want := w.Header().Get("Access-Control-Expose-Headers"), "WWW-Authenticate, Retry-After"; w.Code != 401 || got != want {
		t.Errorf("refused request: got %d, exposed %q; want 401, exposed %q", w.Code, got, want)
	}
	if w := send(allowed, http.MethodGet, issuer.Token("api1")); w.Code != http.StatusOK {
		t.Errorf("good request: got %d, want 200", w.Code)
	}
}
