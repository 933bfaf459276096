package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// world is an issuer, an API that checks sessions, and the API's back-channel
// logout endpoint, which the issuer knows.
type world struct {
	issuer   *jwtbearertest.Issuer
	sessions *session.Memory
	verifier *jwtbearer.Verifier
	checker  *session.Checker
	logout   http.Handler
	api      http.Handler
}

const logoutURI = "https://api.test/backchannel-logout"

func newWorld(t *testing.T, issuerOptions jwtbearertest.Options, opts *session.Options) *world {
	t.Helper()
	w := &world{}
	issuerOptions.Clients = []*jwtbearertest.Client{{
		ID: "web", Secret: "s", RedirectURIs: []string{"https://web.test/back"}, BackChannelLogoutURI: logoutURI,
	}}
	issuerOptions.HTTPClient = jwtbearertest.HandlerClient(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.logout.ServeHTTP(rw, r) }))
	w.issuer = jwtbearertest.NewIssuer(t, &issuerOptions)
	w.sessions = session.NewMemory(nil)
	w.checker = newChecker(t, w.sessions, opts)
	w.verifier = w.issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{w.checker}, SessionClaim: issuerOptions.SessionClaim})
	logout, err := session.NewLogoutHandler(w.verifier, "web", &session.LogoutOptions{Sessions: w.sessions, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	w.logout = logout
	w.api = w.verifier.Require("api1")(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, jwtbearer.TokenFrom(r.Context()).Subject())
	}))
	return w
}

// call sends the token to the API.
func (w *world) call(token string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "https://api.test/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	recorder := httptest.NewRecorder()
	w.api.ServeHTTP(recorder, r)
	return recorder.Result()
}

func wantStatus(t *testing.T, what string, res *http.Response, status int, challenge string) {
	t.Helper()
	if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != status || !strings.Contains(got, challenge) || challenge == "" && got != "" {
		t.Errorf("%s: got %d, challenge %q, want %d with %q", what, res.StatusCode, got, status, challenge)
	}
}

const (
	ended   = `error="invalid_token", error_description="the session has ended"`
	missing = `error="invalid_token"`
)

func TestSH01AnswerIs401InvalidToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, jwtbearertest.Options{}, nil)
		tokens := w.issuer.SignIn(nil)
		wantStatus(t, "absent", w.call(tokens.AccessToken), http.StatusUnauthorized, ended)
		if err := w.sessions.Put(t.Context(), session.Session{Issuer: w.issuer.URL(), ID: tokens.SessionID}); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "alive", w.call(tokens.AccessToken), http.StatusOK, "")
	})
}

func TestSH02AnswerIs503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		store := &counting{Store: session.NewMemory(nil)}
		store.setFailure(errors.New("connection refused"))
		for _, pass := range []bool{false, true} {
			checker := newChecker(t, store, &session.Options{InsecurePassUnknown: pass})
			verifier := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checker}})
			w := &world{api: verifier.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
			res := w.call(issuer.SignIn(nil).AccessToken)
			if pass {
				wantStatus(t, "with InsecurePassUnknown", res, http.StatusOK, "")
				continue
			}
			wantStatus(t, "store away", res, http.StatusServiceUnavailable, "")
			if res.Header.Get("Retry-After") == "" {
				t.Error("store away: no Retry-After")
			}
			if body, _ := io.ReadAll(res.Body); strings.Contains(string(body), "connection refused") {
				t.Errorf("the body tells of the store: %s", body)
			}
		}
	})
}

// spy is a checker that records what it is given.
type spy struct {
	calls atomic.Int64
	last  func(ctx context.Context, token *jwtbearer.Token, r *http.Request)
}

func (s *spy) CheckToken(ctx context.Context, token *jwtbearer.Token, r *http.Request) error {
	s.calls.Add(1)
	if s.last != nil {
		s.last(ctx, token, r)
	}
	return nil
}

func TestSH03HookRunsAfterAllElseHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		var s spy
		verifier := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{&s}})
		w := &world{api: verifier.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
		for name, token := range map[string]string{
			"forged":       issuer.Token("api1", jwtbearertest.ForgedSignature()),
			"expired":      issuer.Token("api1", jwtbearertest.ExpiresIn(-time.Hour)),
			"audience":     issuer.Token("api2"),
			"issuer":       issuer.Token("api1", jwtbearertest.Claim("iss", "https://evil.test")),
			"not yet":      issuer.Token("api1", jwtbearertest.NotBefore(time.Now().Add(time.Hour))),
			"alg none":     issuer.Token("api1", jwtbearertest.AlgNone()),
			"session is 7": issuer.Token("api1", jwtbearertest.Claim("sid", 7)),
		} {
			wantStatus(t, name, w.call(token), http.StatusUnauthorized, missing)
			if s.calls.Load() != 0 {
				t.Fatalf("%s: the hook was asked", name)
			}
		}
		type ctxKey struct{}
		s.last = func(ctx context.Context, token *jwtbearer.Token, r *http.Request) {
			if token.SessionID() != "s1" || token.Subject() == "" || r == nil || r.URL.Path != "/" || ctx.Value(ctxKey{}) != nil {
				t.Errorf("the hook was given token %q, request %v", token.SessionID(), r)
			}
		}
		token := issuer.Token("api1", jwtbearertest.Claim("sid", "s1"))
		for n := int64(1); n <= 3; n++ { // also for a token that is in the cache
			wantStatus(t, "good", w.call(token), http.StatusOK, "")
			if s.calls.Load() != n {
				t.Errorf("after %d requests: the hook was asked %d times", n, s.calls.Load())
			}
		}
	})
}

func TestSH04AnswerForTokenWithoutSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strict := newWorld(t, jwtbearertest.Options{}, nil)
		wantStatus(t, "refused", strict.call(strict.issuer.Token("api1")), http.StatusUnauthorized, missing)
		machines := newWorld(t, jwtbearertest.Options{}, &session.Options{Missing: session.RefuseMissingExcept, Clients: []string{"batch"}})
		token := func(client string) string {
			return machines.issuer.Token("api1", jwtbearertest.Claim("client_id", client))
		}
		wantStatus(t, "batch", machines.call(token("batch")), http.StatusOK, "")
		wantStatus(t, "web", machines.call(token("web")), http.StatusUnauthorized, missing)
		wantStatus(t, "empty session", strict.call(strict.issuer.Token("api1", jwtbearertest.Claim("sid", ""))), http.StatusUnauthorized, missing)
	})
}

func TestSH04SessionClaimHasAnotherName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, jwtbearertest.Options{SessionClaim: "session_id"}, &session.Options{AdoptUnknown: true})
		tokens := w.issuer.SignIn(nil)
		wantStatus(t, "alive", w.call(tokens.AccessToken), http.StatusOK, "")
		// Logout tokens say sid, whatever access tokens say.
		if err := w.issuer.EndSession(tokens.SessionID); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "signed out", w.call(tokens.AccessToken), http.StatusUnauthorized, ended)
	})
}

func TestSH11EveryEndReachesTheAPI(t *testing.T) {
	for name, test := range map[string]struct {
		options jwtbearertest.Options
		end     func(t *testing.T, w *world, tokens *jwtbearertest.Tokens)
	}{
		"logout at the issuer": {end: func(t *testing.T, w *world, tokens *jwtbearertest.Tokens) {
			if err := w.issuer.EndSession(tokens.SessionID); err != nil {
				t.Error(err)
			}
		}},
		"token revocation": {
			options: jwtbearertest.Options{RevocationEndsSession: true},
			end: func(t *testing.T, w *world, tokens *jwtbearertest.Tokens) {
				if !w.issuer.RevokeToken(tokens.RefreshToken) {
					t.Error("the token was not revoked")
				}
			},
		},
		"user deletion": {end: func(t *testing.T, w *world, _ *jwtbearertest.Tokens) {
			if err := w.issuer.DeleteUser("alice"); err != nil {
				t.Error(err)
			}
		}},
		"concurrent sign-in policy": {
			options: jwtbearertest.Options{SignInPolicy: jwtbearertest.OneSignIn},
			end: func(t *testing.T, w *world, _ *jwtbearertest.Tokens) {
				next := w.issuer.SignIn(&jwtbearertest.SignIn{Subject: "alice", Device: "mobile"})
				synctest.Wait()
				wantStatus(t, "the new session", w.call(next.AccessToken), http.StatusOK, "")
			},
		},
		"revoked here": {end: func(t *testing.T, w *world, tokens *jwtbearertest.Tokens) {
			if err := w.sessions.Revoke(t.Context(), session.Key{Issuer: w.issuer.URL(), ID: tokens.SessionID}); err != nil {
				t.Error(err)
			}
		}},
		"all of the subject revoked here": {end: func(t *testing.T, w *world, _ *jwtbearertest.Tokens) {
			if n, err := w.sessions.RevokeSubject(t.Context(), w.issuer.URL(), "alice", time.Now()); n != 1 || err != nil {
				t.Errorf("got %d, error %v, want one session ended", n, err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, test.options, &session.Options{AdoptUnknown: true})
				alice := w.issuer.SignIn(&jwtbearertest.SignIn{Subject: "alice"})
				bob := w.issuer.SignIn(&jwtbearertest.SignIn{Subject: "bob"})
				wantStatus(t, "alice before", w.call(alice.AccessToken), http.StatusOK, "")
				wantStatus(t, "bob before", w.call(bob.AccessToken), http.StatusOK, "")
				test.end(t, w, alice)
				synctest.Wait()
				wantStatus(t, "alice after", w.call(alice.AccessToken), http.StatusUnauthorized, ended)
				wantStatus(t, "bob after", w.call(bob.AccessToken), http.StatusOK, "")
			})
		})
	}
}

func TestSH12RefreshOfEndedSessionIsInvalidGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, jwtbearertest.Options{}, &session.Options{AdoptUnknown: true})
		tokens := w.issuer.SignIn(nil)
		wantStatus(t, "before", w.call(tokens.AccessToken), http.StatusOK, "")
		if err := w.issuer.EndSession(tokens.SessionID); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "after", w.call(tokens.AccessToken), http.StatusUnauthorized, ended)
		// This is what signs the user out at the client.
		_, err := w.issuer.Refresh(tokens.RefreshToken)
		var refused *jwtbearertest.Error
		if !errors.As(err, &refused) || refused.Code != "invalid_grant" {
			t.Errorf("refresh: got %v, want invalid_grant", err)
		}
	})
}

func TestRevocationsOfRealTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		revocations := newRevocations(t, session.NewMemoryRevocations(0), nil)
		verifier := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{revocations}})
		w := &world{api: verifier.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
		const revoked = `error="invalid_token", error_description="the token has been revoked"`
		token := func(opts ...jwtbearertest.TokenOption) string {
			return issuer.Token("api1", append([]jwtbearertest.TokenOption{jwtbearertest.Claim("jti", "j1"), jwtbearertest.Subject("u1"), jwtbearertest.Claim("client_id", "c1")}, opts...)...)
		}
		good := token(jwtbearertest.Claim("jti", "j2"), jwtbearertest.Subject("u2"), jwtbearertest.Claim("client_id", "c2"))
		now := time.Now()
		for name, revoke := range map[string]func() error{
			"token":   func() error { return revocations.RevokeToken(t.Context(), issuer.URL(), "j1") },
			"subject": func() error { return revocations.RevokeSubject(t.Context(), issuer.URL(), "u3", now.Add(time.Second)) },
			"client":  func() error { return revocations.RevokeClient(t.Context(), issuer.URL(), "c3", now.Add(time.Second)) },
		} {
			victim := map[string]string{
				"token":   token(jwtbearertest.Subject("u9"), jwtbearertest.Claim("client_id", "c9")),
				"subject": token(jwtbearertest.Claim("jti", "j9"), jwtbearertest.Subject("u3")),
				"client":  token(jwtbearertest.Claim("jti", "j9"), jwtbearertest.Claim("client_id", "c3")),
			}[name]
			wantStatus(t, name+" before", w.call(victim), http.StatusOK, "")
			if err := revoke(); err != nil {
				t.Fatal(err)
			}
			wantStatus(t, name+" after", w.call(victim), http.StatusUnauthorized, revoked)
			wantStatus(t, name+": another token", w.call(good), http.StatusOK, "")
		}
	})
}

func decodeError(t *testing.T, res *http.Response) (code, description string) {
	t.Helper()
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Errorf("the body is no JSON: %v", err)
	}
	return body.Error, body.Description
}
