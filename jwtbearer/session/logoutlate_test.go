package session_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// TestLateLogout: a logout token may be on its way for a while. What the authority
// issued meanwhile is of the sign-in that is over.
func TestLateLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		revocations := newRevocations(t, session.NewMemoryRevocations(0), nil)
		verifier := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{revocations}})
		h, err := session.NewLogoutHandler(verifier, "web", &session.LogoutOptions{Revocations: revocations, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{api: verifier.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
		subject := jwtbearertest.Subject("u1")
		logout := issuer.LogoutToken("web", subject, jwtbearertest.WithoutClaim("sid"))
		time.Sleep(20 * time.Second)
		meanwhile := issuer.Token("api1", subject)
		time.Sleep(10 * time.Second)
		wantStatus(t, "before the logout", w.call(meanwhile), 200, "")
		wantLogout(t, "logout", post(h, logoutForm(logout)), 200)
		wantStatus(t, "issued meanwhile", w.call(meanwhile), 401, `error="invalid_token", error_description="the token has been revoked"`)
		time.Sleep(2 * time.Second)
		wantStatus(t, "issued later", w.call(issuer.Token("api1", subject)), 200, "")
	})
}

// TestLogOfABadBody: the log tells why a body could not be read, and nothing of it.
func TestLogOfABadBody(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	for body, why := range map[string]string{
		"logout_token=%zzsecret":               "invalid URL escape",
		"secret=1;logout_token=2":              "the body is no form",
		"x=" + strings.Repeat("secret", 30000): "too large",
	} {
		var log bytes.Buffer
		h, err := session.NewLogoutHandler(issuer.Verifier(t, nil), "web", &session.LogoutOptions{Sessions: session.NewMemory(nil), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		wantLogout(t, why, send(h, r), 400)
		if text := log.String(); !strings.Contains(text, why) || strings.Contains(text, "secret") || strings.Contains(text, "zz") {
			t.Errorf("the log has not %q, or something of the body: %s", why, text)
		}
	}
}
