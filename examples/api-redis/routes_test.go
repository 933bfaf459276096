package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// TestRoutes is about this program's own routes, with a store in memory.
func TestRoutes(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	store := session.NewMemory(nil)
	checker, err := session.New(store, &session.Options{Missing: session.SkipMissing})
	if err != nil {
		t.Fatal(err)
	}
	verifier := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checker}})
	handler, err := routes(verifier, store, config{audience: "api1", clientID: "web"})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"s1", "s2"} {
		if err := store.Put(t.Context(), session.Session{Issuer: issuer.URL(), ID: id, Subject: "alice", Device: "device of " + id}); err != nil {
			t.Fatal(err)
		}
	}
	call := func(method, path, token string, body url.Values) (int, string) {
		r := httptest.NewRequest(method, "https://api.test"+path, strings.NewReader(body.Encode()))
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if body != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		text, _ := io.ReadAll(recorder.Body)
		return recorder.Code, string(text)
	}
	user := func(id string) string {
		return issuer.Token("api1", jwtbearertest.Subject("alice"), jwtbearertest.Claim("sid", id))
	}
	admin := issuer.Token("api1", jwtbearertest.Scopes(revokeScope))

	want := func(what string, status, wanted int) {
		t.Helper()
		if status != wanted {
			t.Errorf("%s: got %d, want %d", what, status, wanted)
		}
	}
	status, _ := call("GET", "/orders", user("s1"), nil)
	want("orders", status, http.StatusOK)
	status, _ = call("GET", "/sessions", "", nil)
	want("sessions without a token", status, http.StatusUnauthorized)
	status, text := call("GET", "/sessions", user("s1"), nil)
	want("sessions", status, http.StatusOK)
	if !strings.Contains(text, "device of s1") || !strings.Contains(text, "device of s2") || strings.Contains(text, `"s1"`) {
		t.Errorf("got sessions %s", text)
	}
	status, _ = call("DELETE", "/sessions/s1", user("s2"), nil)
	want("revoke without the scope", status, http.StatusForbidden)
	status, _ = call("DELETE", "/sessions/s1", admin, nil)
	want("revoke", status, http.StatusNoContent)
	status, _ = call("GET", "/orders", user("s1"), nil)
	want("orders after it", status, http.StatusUnauthorized)
	status, _ = call("GET", "/orders", user("s2"), nil)
	want("orders of the other session", status, http.StatusOK)

	status, _ = call("GET", "/backchannel-logout", "", nil)
	want("logout by GET", status, http.StatusMethodNotAllowed)
	status, _ = call("POST", "/backchannel-logout", "", url.Values{"logout_token": {issuer.LogoutToken("web", jwtbearertest.Subject("alice"))}})
	want("logout", status, http.StatusOK)
	status, _ = call("GET", "/orders", user("s2"), nil)
	want("orders after logout", status, http.StatusUnauthorized)
	status, _ = call("GET", "/orders", admin, nil)
	want("orders of a client without session", status, http.StatusOK)
}

func TestConfig(t *testing.T) {
	for _, args := range [][]string{{}, {"-authority", "https://id.example.com"}, {"-audience", "api1"}, {"x"}, {"-nothing"}} {
		if _, err := readConfig(args, io.Discard); err == nil {
			t.Errorf("%q: got no error, want one", args)
		}
	}
	c, err := readConfig([]string{"-authority", "https://id.example.com", "-audience", "api1"}, io.Discard)
	if err != nil || c.clientID != "web" || c.adopt || c.allowHTTP {
		t.Errorf("got %+v, error %v", c, err)
	}
}
