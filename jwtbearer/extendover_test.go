package jwtbearer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestExtendOfARequestWithoutRecheck: an admitted request that nobody judges again
// has nothing to renew.
func TestExtendOfARequestWithoutRecheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		first := issuer.Token("api1")
		h := issuer.Verifier(t, nil).Require("api1")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := jwtbearer.Extend(r.Context(), issuer.Token("api1")); err == nil {
				t.Error("no error")
			}
			if got := jwtbearer.TokenFrom(r.Context()).Raw(); got != first {
				t.Error("the token was replaced")
			}
		}))
		if w := get(t, h, first); w.Code != 200 {
			t.Errorf("got %d, want 200", w.Code)
		}
	})
}

// TestExtendAfterTheClientHasGone: a renewed token brings no request back.
func TestExtendAfterTheClientHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		ctx, leave := context.WithCancel(t.Context())
		first := issuer.Token("api1")
		h := issuer.Verifier(t, nil).Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			leave()
			if err := jwtbearer.Extend(r.Context(), issuer.Token("api1")); err == nil {
				t.Error("no error")
			}
			if got := jwtbearer.TokenFrom(r.Context()).Raw(); got != first {
				t.Error("the token was replaced")
			}
		}))
		r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+first)
		h.ServeHTTP(httptest.NewRecorder(), r)
	})
}

// TestExtendThatTakesTooLong: of two verifiers, the outer one may have ended the
// request while a hook of the inner one ran.
func TestExtendThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		calls := 0
		outer := issuer.Verifier(t, nil)
		inner := issuer.Verifier(t, &jwtbearer.Options{Events: &jwtbearer.Events{Accepted: func(context.Context, *http.Request, *jwtbearer.Token) {
			if calls++; calls == 2 {
				time.Sleep(5 * time.Minute) // the token lives for two
			}
		}}})
		ran := false
		h := outer.Require("api1", jwtbearer.Recheck(time.Minute))(inner.Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			ran = true
			if err := jwtbearer.Extend(r.Context(), issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour))); err == nil {
				t.Errorf("Extend returned no error, and the request was ended by %v", context.Cause(r.Context()))
			}
		})))
		if w := get(t, h, issuer.Token("api1")); w.Code != 200 || !ran {
			t.Errorf("got %d, want 200", w.Code)
		}
	})
}

// TestShortestRecheckCounts: of several intervals, of one policy or of two that
// nest, the session is asked about by the shortest.
func TestShortestRecheckCounts(t *testing.T) {
	minute, hour := jwtbearer.Recheck(time.Minute), jwtbearer.Recheck(time.Hour)
	for name, policies := range map[string][][]jwtbearer.Rule{
		"shorter first":  {{minute, hour}},
		"longer first":   {{hour, minute}},
		"of a group":     {{minute}, {hour}},
		"of a route":     {{hour}, {minute}},
		"without others": {{minute}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := jwtbearertest.NewIssuer(t)
				var over bool
				v := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checkerFunc(func(context.Context, *jwtbearer.Token, *http.Request) error {
					if over {
						return jwtbearer.ErrSessionEnded
					}
					over = true
					return nil
				})}})
				var lasted time.Duration
				var h http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					start := time.Now()
					<-r.Context().Done()
					lasted = time.Since(start)
				})
				for i := range policies {
					h = v.Require("api1", policies[len(policies)-1-i]...)(h)
				}
				get(t, h, issuer.Token("api1", jwtbearertest.ExpiresIn(10*time.Hour)))
				if lasted != time.Minute {
					t.Errorf("ended after %v, want 1m", lasted)
				}
			})
		})
	}
}
