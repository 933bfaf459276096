package jwtbearer_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestRefusalsOverHTTP is about what a client sees of a refusal: by HEAD all but
// the body.
func TestRefusalsOverHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		called := 0
		handler := issuer.Verifier(t, nil).Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }))
		client := jwtbearertest.HandlerClient(handler)
		for _, authorization := range []string{"", "Bearer", "Bearer a.b.c", "Bearer " + issuer.Token("api2")} {
			answers := map[string]*http.Response{}
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, "PROPFIND"} {
				r, err := http.NewRequest(method, "https://api.test/", nil)
				if err != nil {
					t.Fatal(err)
				}
				if authorization != "" {
					r.Header.Set("Authorization", authorization)
				}
				res, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || (len(body) == 0) != (method == http.MethodHead) {
					t.Errorf("%s: got %d bytes of body, error %v", method, len(body), err)
				}
				answers[method] = res
			}
			for method, res := range answers {
				get := answers[http.MethodGet]
				if res.StatusCode != get.StatusCode || res.StatusCode < 400 {
					t.Errorf("%s %.12q: got %d, by GET %d", method, authorization, res.StatusCode, get.StatusCode)
				}
				for _, name := range []string{"WWW-Authenticate", "Cache-Control", "Content-Type", "Content-Length"} {
					if got, want := res.Header.Get(name), get.Header.Get(name); got != want || got == "" {
						t.Errorf("%s %.12q: %s: got %q, by GET %q", method, authorization, name, got, want)
					}
				}
			}
		}
		if called > 0 {
			t.Errorf("the handler was called %d times", called)
		}
	})
}

// TestAPanicIsNoPass: whatever panics, the handler is not called, and the request
// is not answered by a success.
func TestAPanicIsNoPass(t *testing.T) {
	bad := func() { panic("a mistake in a hook") }
	for _, tt := range []struct {
		name     string
		audience string // of the token
		options  jwtbearer.Options
		rules    []jwtbearer.Rule
	}{
		{"Validate", "api1", jwtbearer.Options{}, []jwtbearer.Rule{jwtbearer.Validate(func(context.Context, *jwtbearer.Token) error { bad(); return nil })}},
		{"a Checker", "api1", jwtbearer.Options{Checkers: []jwtbearer.Checker{panicChecker{}}}, nil},
		{"Events.Accepted", "api1", jwtbearer.Options{Events: &jwtbearer.Events{Accepted: func(context.Context, *http.Request, *jwtbearer.Token) { bad() }}}, nil},
		{"Events.Refused", "api2", jwtbearer.Options{Events: &jwtbearer.Events{Refused: func(context.Context, *http.Request, *jwtbearer.Error) { bad() }}}, nil},
		{"the ErrorHandler", "api2", jwtbearer.Options{ErrorHandler: func(http.ResponseWriter, *http.Request, int, error) { bad() }}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := jwtbearertest.NewIssuer(t)
				called := 0
				handler := issuer.Verifier(t, &tt.options).Require("api1", tt.rules...)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called++ }))
				for range 2 { // the second time from the memory
					r := httptest.NewRequest(http.MethodGet, "/", nil)
					r.Header.Set("Authorization", "Bearer "+issuer.Token(tt.audience))
					w := httptest.NewRecorder()
					func() {
						defer func() {
							if recover() == nil {
								t.Errorf("got %d and no panic", w.Code)
							}
						}()
						handler.ServeHTTP(w, r)
					}()
					if called > 0 {
						t.Errorf("the handler was called %d times", called)
					}
					// Whoever recovers further out may write nothing: what was refused is
					// answered all the same.
					if tt.audience != "api1" && w.Code != 401 || w.Code == 200 && w.Body.Len() > 0 {
						t.Errorf("got %d %q", w.Code, w.Body)
					}
				}
			})
		})
	}
}

type panicChecker struct{}

func (panicChecker) CheckToken(context.Context, *jwtbearer.Token, *http.Request) error {
	panic("a mistake in a checker")
}

// TestErrorHandlerCannotChangeTheChallenge: it writes the body, and headers of
// its own.
func TestErrorHandlerCannotChangeTheChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		verifier := issuer.Verifier(t, &jwtbearer.Options{ErrorHandler: func(w http.ResponseWriter, r *http.Request, status int, err error) {
			w.Header().Del("WWW-Authenticate")
			w.Header().Set("Cache-Control", "public, max-age=3600")
			w.Header().Set("Retry-After", "0")
			w.Header().Set("X-Mine", "1")
			w.WriteHeader(http.StatusOK)
			io.WriteString(w, "mine")
		}})
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		w := httptest.NewRecorder()
		verifier.Require("api1")(http.NotFoundHandler()).ServeHTTP(w, r)
		h := w.Result().Header
		if w.Code != http.StatusUnauthorized || h.Get("WWW-Authenticate") != "Bearer" || h.Get("Cache-Control") != "no-store" || h.Get("Retry-After") != "" || h.Get("X-Mine") != "1" || w.Body.String() != "mine" {
			t.Errorf("got %d %v %s", w.Code, h, w.Body)
		}
	})
}

// TestWriteErrorOfOthers: an error that is none of ours is a 500, and its text
// stays here.
func TestWriteErrorOfOthers(t *testing.T) {
	for _, err := range []error{errors.New("a secret"), context.Canceled, (*jwtbearer.Error)(nil), &jwtbearer.Error{Detail: "a secret"},
		(*jwtbearer.Reason)(nil), new(jwtbearer.Reason), &jwtbearer.Error{Reason: new(jwtbearer.Reason)}} {
		w := httptest.NewRecorder()
		jwtbearer.WriteError(w, httptest.NewRequest(http.MethodGet, "/", nil), err)
		if w.Code != http.StatusInternalServerError || jwtbearer.StatusCode(err) != w.Code || w.Header().Get("WWW-Authenticate") != "" || w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
		}
	}
}

// TestNestedPolicyKeepsTheContext: what a middleware between two policies has put
// into the context is there behind the inner one.
func TestNestedPolicyKeepsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		issuer := jwtbearertest.NewIssuer(t)
		verifier := issuer.Verifier(t, nil)
		for name, inner := range map[string][]jwtbearer.Rule{
			"the same": nil, "with a rule": {jwtbearer.Scope("read")}, "of another lifetime": {jwtbearer.Recheck(time.Minute)},
		} {
			called := false
			handler := verifier.Require("api1", inner...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				called = true
				if r.Context().Value(key{}) != "between" || jwtbearer.TokenFrom(r.Context()) == nil {
					t.Errorf("%s: got value %v, token %v", name, r.Context().Value(key{}), jwtbearer.TokenFrom(r.Context()))
				}
				if _, ok := r.Context().Deadline(); !ok {
					t.Errorf("%s: the deadline is gone", name)
				}
			}))
			between := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), key{}, "between"), time.Minute)
				defer cancel()
				handler.ServeHTTP(w, r.WithContext(ctx))
			})
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer "+issuer.Token("api1", jwtbearertest.Scopes("read")))
			verifier.Require("api1")(between).ServeHTTP(httptest.NewRecorder(), r)
			if !called {
				t.Errorf("%s: the handler was not called", name)
			}
		}
	})
}

// TestNestedPolicyDoesNotTrustAnother: what an outer policy has admitted counts
// only if it was the same verifier and the same token.
func TestNestedPolicyDoesNotTrustAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, stranger := jwtbearertest.NewIssuer(t), jwtbearertest.NewIssuer(t, &jwtbearertest.Options{URL: "https://stranger.test"})
		verifier, other := issuer.Verifier(t, nil), stranger.Verifier(t, nil)
		token := issuer.Token("api1")
		for name, tt := range map[string]struct {
			inner  *jwtbearer.Verifier
			second string // what a middleware between puts into the request
			status int
		}{
			"the same verifier and token":      {verifier, token, 200},
			"another verifier":                 {other, token, 401},
			"another good token":               {verifier, issuer.Token("api1"), 200},
			"another token, of another API":    {verifier, issuer.Token("api2"), 401},
			"another token, which is forged":   {verifier, issuer.Token("api1", jwtbearertest.ForgedSignature()), 401},
			"another token, which has expired": {verifier, issuer.Token("api1", jwtbearertest.ExpiresIn(-time.Hour)), 401},
		} {
			inner := tt.inner.Require("api1")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got := jwtbearer.TokenFrom(r.Context()).Raw(); got != tt.second {
					t.Errorf("%s: the handler got another token", name)
				}
			}))
			between := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Header.Set("Authorization", "Bearer "+tt.second)
				inner.ServeHTTP(w, r)
			})
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			verifier.Require("api1")(between).ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("%s: got %d, want %d", name, w.Code, tt.status)
			}
		}
	})
}

// TestClosedWithSharedKeys: a closed verifier is closed, though the keys that
// others share with it are not.
func TestClosedWithSharedKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		keys, err := jwks.NewStatic(issuer.URL(), issuer.KeySet(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer keys.Close()
		verifier := issuer.Verifier(t, &jwtbearer.Options{Keys: keys})
		policy, err := verifier.Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		seen, fresh := issuer.Token("api1"), issuer.Token("api1")
		if _, err := policy.Verify(t.Context(), seen); err != nil {
			t.Fatal(err)
		}
		verifier.Close()
		for name, token := range map[string]string{"remembered": seen, "never seen": fresh} {
			if _, err := policy.Verify(t.Context(), token); !errors.Is(err, jwtbearer.ErrClosed) {
				t.Errorf("%s: got %v, want ErrClosed", name, err)
			}
		}
		if err := keys.Ready(); err != nil {
			t.Errorf("the keys were closed too: %v", err)
		}
	})
}

// TestStaleKeysRefuseRememberedTokens: past MaxStaleness nothing is accepted, and
// the memory is no way round that.
func TestStaleKeysRefuseRememberedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		verifier := issuer.Verifier(t, &jwtbearer.Options{MaxRefreshInterval: 5 * time.Minute, MaxStaleness: 20 * time.Minute})
		policy, err := verifier.Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		token := issuer.Token("api1", jwtbearertest.ExpiresIn(24*time.Hour))
		if _, err := policy.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down())
		time.Sleep(15 * time.Minute) // the keys are 20 minutes old at most
		if _, err := policy.Verify(t.Context(), token); err != nil {
			t.Errorf("within MaxStaleness: %v", err)
		}
		time.Sleep(6 * time.Minute)
		if _, err := policy.Verify(t.Context(), token); !errors.Is(err, jwtbearer.ErrKeysUnavailable) {
			t.Errorf("past MaxStaleness: got %v, want ErrKeysUnavailable", err)
		}
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Fault{})
		time.Sleep(time.Minute)
		if _, err := policy.Verify(t.Context(), token); err != nil {
			t.Errorf("when the authority is back: %v", err)
		}
	})
}

// TestDetails: what an operator needs to find out why, and nothing that could do
// harm in a log.
func TestDetails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		p, err := issuer.Verifier(t, nil).Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		remembered := issuer.Token("api1", jwtbearertest.ExpiresIn(time.Minute))
		if _, err := p.Verify(t.Context(), remembered); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		for _, tt := range []struct{ name, token, want string }{
			{"audience", issuer.Token("api2"), `required: "api1"`},
			{"expired, remembered", remembered, "2m0s ago, clock skew 1m0s"},
			{"unknown key", issuer.Token("api1", jwtbearertest.Header("kid", "k-2")), `kid "k-2"`},
			{"unknown key, odd", issuer.Token("api1", jwtbearertest.Header("kid", "a\n\"é")), `kid "a\n\"\u00e9"`},
			{"unknown key, long", issuer.Token("api1", jwtbearertest.Header("kid", strings.Repeat("k", 1000))), `kid "` + strings.Repeat("k", 64) + `"…`},
			{"milliseconds", issuer.Token("api1", jwtbearertest.Claim("exp", 1e15)), "exp"},
			{"subject", issuer.Token("api1", jwtbearertest.Claim("sub", 7)), "sub"},
			{"audience of a wrong type", issuer.Token("api1", jwtbearertest.Claim("aud", 7)), "aud"},
			{"session", issuer.Token("api1", jwtbearertest.Claim("sid", 7)), "sid"},
		} {
			_, err := p.Verify(t.Context(), tt.token)
			if e, ok := errors.AsType[*jwtbearer.Error](err); !ok || e.Detail != tt.want {
				t.Errorf("%s: got %v, want detail %s", tt.name, err, tt.want)
			}
		}
	})
}
