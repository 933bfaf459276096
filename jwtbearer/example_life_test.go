package jwtbearer_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

var lifeInREADME = regexp.MustCompile("(?s)<!-- output: jwtbearer/example_life_test.go -->\n```text\n(.*?)```\n")

// The README's account of a token's life is what this test sees happen.
func TestLifeOfAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		life := &tokenLife{t: t, start: time.Now()}
		life.build()

		first := life.issuer.SignIn(nil)
		life.note("alice signs in", "access token of %.0f s, refresh token R1", first.ExpiresIn.Seconds())
		life.call("the client calls the API", first)
		life.at(90 * time.Second)
		life.call("it calls again: expired, within the skew", first)
		life.at(120 * time.Second)
		life.call("it calls again", first)
		second := life.refresh("it refreshes with R1", first, "R2")
		life.call("it repeats the call, once", second)

		life.at(140 * time.Second)
		life.refresh("R1 again, within the leeway of 30 s", first, "R3")
		life.at(170 * time.Second)
		life.refresh("R1 again, after the leeway of 30 s", first, "")
		life.refresh("R2, of the same sign-in", second, "")

		life.at(180 * time.Second)
		again := life.issuer.SignIn(nil)
		life.note("alice signs in again", "access token of %.0f s, refresh token R4", again.ExpiresIn.Seconds())
		life.call("the client calls the API", again)
		life.at(190 * time.Second)
		if err := life.issuer.EndSession(again.SessionID); err != nil {
			t.Error(err)
		}
		life.note("she signs out", "the authority tells the API: logout token")
		life.call("the same token, unexpired", again)
		life.refresh("R4", again, "")

		found := lifeInREADME.FindStringSubmatch(readREADME(t))
		if found == nil {
			t.Fatal("the README has no place for this")
		}
		if got := life.text.String(); got != found[1] {
			t.Errorf("README and test differ.\nREADME:\n%s\nhere:\n%s", found[1], got)
		}
	})
}

// tokenLife plays authority, API and client, and writes down what happens.
type tokenLife struct {
	t      *testing.T
	start  time.Time
	issuer *jwtbearertest.Issuer
	api    http.Handler
	text   strings.Builder
}

func (l *tokenLife) build() {
	mux := http.NewServeMux()
	l.issuer = jwtbearertest.NewIssuer(l.t, &jwtbearertest.Options{
		Clients: []*jwtbearertest.Client{{
			ID: "web-client", Secret: "secret", InsecureAnyRedirectURI: true,
			BackChannelLogoutURI: "https://api.test/backchannel-logout",
		}},
		HTTPClient: jwtbearertest.HandlerClient(mux),
	})
	sessions := session.NewMemory(nil)
	checker, err := session.New(sessions, &session.Options{AdoptUnknown: true})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { checker.Close() })
	verifier := l.issuer.Verifier(l.t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checker}})
	logout, err := session.NewLogoutHandler(verifier, "web-client", &session.LogoutOptions{Sessions: sessions})
	if err != nil {
		l.t.Fatal(err)
	}
	mux.Handle("POST /backchannel-logout", logout)
	mux.Handle("GET /orders", verifier.Require("api1")(http.HandlerFunc(listOrders)))
	l.api = mux
}

// at moves the clock to an instant after the beginning.
func (l *tokenLife) at(d time.Duration) { time.Sleep(time.Until(l.start.Add(d))) }

func (l *tokenLife) note(what, happens string, args ...any) {
	fmt.Fprintf(&l.text, "%3.0f s  %-42s  %s\n", time.Since(l.start).Seconds(), what, fmt.Sprintf(happens, args...))
}

var challengeWords = regexp.MustCompile(`error="([^"]*)", error_description=("[^"]*")`)

func (l *tokenLife) call(what string, tokens *jwtbearertest.Tokens) {
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	w := httptest.NewRecorder()
	l.api.ServeHTTP(w, r)
	answer := fmt.Sprint(w.Code)
	if words := challengeWords.FindStringSubmatch(w.Header().Get("WWW-Authenticate")); words != nil {
		answer += " " + words[1] + " " + words[2]
	}
	l.note(what, "%s", answer)
}

// refresh uses the refresh token and calls what it brings name.
func (l *tokenLife) refresh(what string, tokens *jwtbearertest.Tokens, name string) *jwtbearertest.Tokens {
	next, err := l.issuer.Refresh(tokens.RefreshToken)
	var refused *jwtbearertest.Error
	switch {
	case errors.As(err, &refused):
		l.note(what, "%s", refused.Code)
	case err != nil:
		l.t.Error(err)
	default:
		l.note(what, "access token of %.0f s, refresh token %s", next.ExpiresIn.Seconds(), name)
	}
	return next
}
