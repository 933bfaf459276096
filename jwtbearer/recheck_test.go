package jwtbearer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// stream runs a handler that lasts until its context ends, and returns how long
// that took and the cause.
func stream(t *testing.T, v *jwtbearer.Verifier, token string, limit time.Duration, rules []jwtbearer.Rule, during func(ctx context.Context)) (time.Duration, error) {
	t.Helper()
	var lasted time.Duration
	var cause error
	h := v.Require("api1", rules...)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		start := time.Now()
		if during != nil {
			go during(r.Context())
		}
		select {
		case <-r.Context().Done():
		case <-time.After(limit):
		}
		lasted, cause = time.Since(start), context.Cause(r.Context())
	}))
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	return lasted, cause
}

func recheck(interval time.Duration) []jwtbearer.Rule {
	return []jwtbearer.Rule{jwtbearer.Recheck(interval)}
}

func TestRecheck(t *testing.T) {
	run := func(name string, f func(t *testing.T, issuer *jwtbearertest.Issuer)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, jwtbearertest.NewIssuer(t)) })
		})
	}
	ended := func(t *testing.T, lasted, want time.Duration, cause, wantCause error) {
		t.Helper()
		if lasted != want || !errors.Is(cause, wantCause) {
			t.Errorf("ended after %v by %v, want after %v by %v", lasted, cause, want, wantCause)
		}
	}
	run("token expires", func(t *testing.T, issuer *jwtbearertest.Issuer) {
		lasted, cause := stream(t, issuer.Verifier(t, nil), issuer.Token("api1"), time.Hour, recheck(5*time.Minute), nil)
		ended(t, lasted, 2*time.Minute, cause, jwtbearer.ErrExpired) // 60 s and as much skew
	})
	run("without the rule", func(t *testing.T, issuer *jwtbearertest.Issuer) {
		lasted, cause := stream(t, issuer.Verifier(t, nil), issuer.Token("api1"), time.Hour, nil, nil)
		ended(t, lasted, time.Hour, cause, nil)
	})
	run("session ends", func(t *testing.T, issuer *jwtbearertest.Issuer) {
		var over atomic.Bool
		v := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checkerFunc(func(context.Context, *jwtbearer.Token, *http.Request) error {
			if over.Load() {
				return jwtbearer.ErrSessionEnded
			}
			return nil
		})}})
		lasted, cause := stream(t, v, issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour)), 2*time.Hour, recheck(5*time.Minute), func(context.Context) {
			time.Sleep(7 * time.Minute)
			over.Store(true)
		})
		ended(t, lasted, 10*time.Minute, cause, jwtbearer.ErrSessionEnded)
	})
	run("session store away for a while", func(t *testing.T, issuer *jwtbearertest.Issuer) {
		var away atomic.Bool
		v := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checkerFunc(func(context.Context, *jwtbearer.Token, *http.Request) error {
			if away.Load() {
				return errors.New("away")
			}
			return nil
		})}})
		lasted, cause := stream(t, v, issuer.Token("api1", jwtbearertest.ExpiresIn(30*time.Minute)), 2*time.Hour, recheck(5*time.Minute), func(context.Context) { away.Store(true) })
		ended(t, lasted, 31*time.Minute, cause, jwtbearer.ErrExpired)
	})
	run("checker panics", func(t *testing.T, issuer *jwtbearertest.Issuer) {
		calls := 0
		v := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checkerFunc(func(context.Context, *jwtbearer.Token, *http.Request) error {
			if calls++; calls > 1 {
				panic("x")
			}
			return nil
		})}})
		lasted, cause := stream(t, v, issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour)), 2*time.Hour, recheck(5*time.Minute), nil)
		ended(t, lasted, 5*time.Minute, cause, jwtbearer.ErrUnavailable)
	})
	run("key withdrawn", func(t *testing.T, issuer *jwtbearertest.Issuer) {
		v := issuer.Verifier(t, nil)
		lasted, cause := stream(t, v, issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour)), 2*time.Hour, recheck(5*time.Minute), func(ctx context.Context) {
			time.Sleep(time.Minute)
			issuer.RotateHard()
			if err := v.Refresh(ctx); err != nil {
				t.Error(err)
			}
		})
		ended(t, lasted, 5*time.Minute, cause, jwtbearer.ErrUnknownKey)
	})
	run("opaque token revoked", func(t *testing.T, issuer *jwtbearertest.Issuer) {
		var revoked atomic.Bool
		exp := time.Now().Add(time.Hour).Unix()
		v := issuer.Verifier(t, &jwtbearer.Options{Introspector: introspectorFunc(func(context.Context, string) ([]byte, error) {
			switch {
			case time.Now().Unix() < exp-50*60:
				return fmt.Appendf(nil, `{"active":true,"aud":"api1","exp":%d}`, exp), nil
			case revoked.Load():
				return nil, jwtbearer.ErrInactive
			}
			return nil, errors.New("away") // for a while, which ends nothing
		})})
		lasted, cause := stream(t, v, "opaque.0123", 2*time.Hour, recheck(5*time.Minute), func(context.Context) {
			time.Sleep(17 * time.Minute)
			revoked.Store(true)
		})
		ended(t, lasted, 20*time.Minute, cause, jwtbearer.ErrInactive)
	})
	run("handler writes to its request", func(t *testing.T, issuer *jwtbearertest.Issuer) {
		v := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checkerFunc(func(_ context.Context, _ *jwtbearer.Token, r *http.Request) error {
			if r.Header.Get("X-Peer") != "" {
				return jwtbearer.ErrSessionEnded
			}
			return nil
		})}})
		h := v.Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			r.Header.Set("X-Peer", "x")
			time.Sleep(90 * time.Second)
			if err := context.Cause(r.Context()); err != nil {
				t.Error("a Checker was shown the request that the handler works with:", err)
			}
		}))
		get(t, h, issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour)))
	})
	run("extended", func(t *testing.T, issuer *jwtbearertest.Issuer) {
		first := issuer.Token("api1", jwtbearertest.Subject("alice"))
		lasted, cause := stream(t, issuer.Verifier(t, nil), first, time.Hour, recheck(5*time.Minute), func(ctx context.Context) {
			time.Sleep(time.Minute)
			second := issuer.Token("api1", jwtbearertest.Subject("alice"), jwtbearertest.ExpiresIn(10*time.Minute))
			for _, bad := range []string{
				issuer.Token("api2", jwtbearertest.Subject("alice")),
				issuer.Token("api1", jwtbearertest.Subject("bob")),
				issuer.Token("api1", jwtbearertest.Subject("alice"), jwtbearertest.ForgedSignature()),
			} {
				if err := jwtbearer.Extend(ctx, bad); !errors.Is(err, jwtbearer.ErrInvalidToken) {
					t.Errorf("a bad token: %v", err)
				}
			}
			if got := jwtbearer.TokenFrom(ctx).Raw(); got != first {
				t.Error("a refused token took over")
			}
			if err := jwtbearer.Extend(ctx, second); err != nil {
				t.Error(err)
			}
			if got := jwtbearer.TokenFrom(ctx).Raw(); got != second {
				t.Error("the renewed token did not take over")
			}
		})
		ended(t, lasted, 12*time.Minute, cause, jwtbearer.ErrExpired)
	})
	run("handler returns first", func(t *testing.T, issuer *jwtbearertest.Issuer) {
		lasted, cause := stream(t, issuer.Verifier(t, nil), issuer.Token("api1"), time.Second, recheck(time.Minute), nil)
		ended(t, lasted, time.Second, cause, nil)
		time.Sleep(time.Hour) // nothing is left to fire
	})
	run("nested", func(t *testing.T, issuer *jwtbearertest.Issuer) {
		v := issuer.Verifier(t, nil)
		var lasted time.Duration
		h := v.Require("api1", jwtbearer.Recheck(time.Hour))(v.Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			start := time.Now()
			if err := jwtbearer.Extend(r.Context(), issuer.Token("api1", jwtbearertest.ExpiresIn(10*time.Minute))); err != nil {
				t.Error(err)
			}
			<-r.Context().Done()
			lasted = time.Since(start)
		})))
		get(t, h, issuer.Token("api1"))
		if lasted != 11*time.Minute {
			t.Errorf("lasted %v, want 11m", lasted)
		}
	})
}

// TestExtendIsHeldAgainstEveryPolicy: a renewed token must fit the policies of the
// group and of the route, whichever of them has Recheck.
func TestExtendIsHeldAgainstEveryPolicy(t *testing.T) {
	scope, life, plain := jwtbearer.Scope("admin"), jwtbearer.Recheck(time.Minute), jwtbearer.AlsoAudience("api2")
	for name, levels := range map[string][]jwtbearer.Rule{
		"of the group":            {scope, life},
		"of the route":            {life, scope},
		"of a group in a group":   {scope, plain, life},
		"in the middle":           {plain, scope, life},
		"of a route with Recheck": {life, plain, scope},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := jwtbearertest.NewIssuer(t)
				v := issuer.Verifier(t, nil)
				called := false
				var h http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					called = true
					err := jwtbearer.Extend(r.Context(), issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour)))
					if !errors.Is(err, jwtbearer.ErrScope) {
						t.Errorf("without the scope: %v", err)
					}
					if err := jwtbearer.Extend(r.Context(), issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour), jwtbearertest.Scopes("admin"))); err != nil {
						t.Errorf("with the scope: %v", err)
					}
				})
				for _, rule := range slices.Backward(levels) {
					h = v.Require("api1", rule)(h)
				}
				if w := get(t, h, issuer.Token("api1", jwtbearertest.Scopes("admin"))); w.Code != 200 || !called {
					t.Errorf("got %d", w.Code)
				}
			})
		})
	}
}

// TestExtendWhileTheOldTokenIsJudged: what is found out about a token that was
// replaced in the meantime does not end the request.
func TestExtendWhileTheOldTokenIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		first := issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour))
		calls := 0
		v := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checkerFunc(func(_ context.Context, token *jwtbearer.Token, _ *http.Request) error {
			if token.Raw() != first {
				return nil
			}
			if calls++; calls == 1 {
				return nil
			}
			time.Sleep(2 * time.Second) // a slow store
			return jwtbearer.ErrSessionEnded
		})}})
		lasted, cause := stream(t, v, first, 30*time.Minute, recheck(time.Minute), func(ctx context.Context) {
			time.Sleep(61 * time.Second)
			if err := jwtbearer.Extend(ctx, issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour))); err != nil {
				t.Error(err)
			}
		})
		if lasted != 30*time.Minute {
			t.Errorf("ended after %v by %v", lasted, cause)
		}
	})
}

// TestExtendWithoutSubject: a token that names no subject is its client's.
func TestExtendWithoutSubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		of := func(client string) string {
			return issuer.Token("api1", jwtbearertest.WithoutClaim("sub"), jwtbearertest.Claim("client_id", client))
		}
		h := issuer.Verifier(t, nil).Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := jwtbearer.Extend(r.Context(), of("b")); !errors.Is(err, jwtbearer.ErrInvalidToken) {
				t.Errorf("another client: %v", err)
			}
			if err := jwtbearer.Extend(r.Context(), of("a")); err != nil {
				t.Errorf("the same client: %v", err)
			}
		}))
		if w := get(t, h, of("a")); w.Code != 200 {
			t.Errorf("got %d", w.Code)
		}
	})
}

// TestExtendAfterAnInnerPolicy: what an inner policy demanded is over when its
// handler has returned.
func TestExtendAfterAnInnerPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		v := issuer.Verifier(t, nil)
		inner := v.Require("api1", jwtbearer.Scope("admin"))(hello)
		h := v.Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(w, r)
			if err := jwtbearer.Extend(r.Context(), issuer.Token("api1")); err != nil {
				t.Error(err)
			}
		}))
		if w := get(t, h, issuer.Token("api1", jwtbearertest.Scopes("admin"))); w.Code != 200 {
			t.Errorf("got %d", w.Code)
		}
	})
}

func TestExtendWithoutRecheck(t *testing.T) {
	if err := jwtbearer.Extend(t.Context(), "x"); err == nil {
		t.Error("no error")
	}
}

// panickyHandler is a log handler that panics, but for what is said of keys.
type panickyHandler struct{ slog.Handler }

func (panickyHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level != slog.LevelInfo
}
func (panickyHandler) Handle(context.Context, slog.Record) error { panic("x") }

// TestRecheckSurvivesHooks: the checks run where nobody contains a panic. One of a
// hook ends no more than the request, which ends whatever the hook does.
func TestRecheckSurvivesHooks(t *testing.T) {
	panicky := slog.New(panickyHandler{slog.DiscardHandler})
	for name, test := range map[string]struct {
		log     *slog.Logger
		refused func(ctx context.Context)
		checker bool // panics
	}{
		"Refused panics":                    {slog.New(slog.DiscardHandler), func(context.Context) { panic("x") }, false},
		"Refused panics, and the log":       {panicky, func(context.Context) { panic("x") }, false},
		"the log panics":                    {panicky, func(context.Context) {}, false},
		"a Checker panics, and the log too": {panicky, func(context.Context) {}, true},
		"Refused takes its time":            {slog.New(slog.DiscardHandler), func(context.Context) { time.Sleep(time.Hour) }, false},
		"Refused uses its context": {slog.New(slog.DiscardHandler), func(ctx context.Context) {
			if err := ctx.Err(); err != nil {
				t.Error("Refused was given a context that has ended:", err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := jwtbearertest.NewIssuer(t)
				calls := 0
				v := issuer.Verifier(t, &jwtbearer.Options{
					Logger: test.log,
					Events: &jwtbearer.Events{Refused: func(ctx context.Context, _ *http.Request, _ *jwtbearer.Error) { test.refused(ctx) }},
					Checkers: []jwtbearer.Checker{checkerFunc(func(context.Context, *jwtbearer.Token, *http.Request) error {
						if calls++; calls == 1 {
							return nil
						}
						if test.checker {
							panic("x")
						}
						return jwtbearer.ErrSessionEnded
					})},
				})
				lasted, cause := stream(t, v, issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour)), 2*time.Hour, recheck(5*time.Minute), nil)
				time.Sleep(2 * time.Hour) // until the hook has returned
				if lasted != 5*time.Minute || cause == nil {
					t.Errorf("ended after %v by %v, want after 5m", lasted, cause)
				}
			})
		})
	}
}

// TestRecheckTellsOnce: of checks that overlap, or outlast the request, no more
// than one is told.
func TestRecheckTellsOnce(t *testing.T) {
	for name, test := range map[string]struct {
		handler func(r *http.Request, inner http.Handler)
		want    int64
	}{
		"the handler returns meanwhile": {func(*http.Request, http.Handler) { time.Sleep(61 * time.Second) }, 0},
		"another check begins meanwhile": {func(r *http.Request, inner http.Handler) {
			time.Sleep(61 * time.Second)
			inner.ServeHTTP(httptest.NewRecorder(), r)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := jwtbearertest.NewIssuer(t)
				var calls, told atomic.Int64
				v := issuer.Verifier(t, &jwtbearer.Options{
					Events: &jwtbearer.Events{Refused: func(context.Context, *http.Request, *jwtbearer.Error) { told.Add(1) }},
					Checkers: []jwtbearer.Checker{checkerFunc(func(context.Context, *jwtbearer.Token, *http.Request) error {
						if calls.Add(1) == 1 {
							return nil
						}
						time.Sleep(10 * time.Second) // a slow store
						return jwtbearer.ErrSessionEnded
					})},
				})
				inner := v.Require("api1", jwtbearer.Recheck(time.Second))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					<-r.Context().Done()
					time.Sleep(time.Minute)
				}))
				h := v.Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					test.handler(r, inner)
				}))
				get(t, h, issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour)))
				time.Sleep(time.Minute)
				if got := told.Load(); got != test.want {
					t.Errorf("Refused was called %d times, want %d", got, test.want)
				}
			})
		})
	}
}

// TestExtendByNobody: tokens that name neither a subject nor a client, which RFC
// 7662 lets an authority leave out, may be anybody's.
func TestExtendByNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		v := issuer.Verifier(t, &jwtbearer.Options{Introspector: introspectorFunc(func(context.Context, string) ([]byte, error) {
			return fmt.Appendf(nil, `{"active":true,"aud":"api1","exp":%d}`, time.Now().Add(time.Minute).Unix()), nil
		})})
		h := v.Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := jwtbearer.Extend(r.Context(), "opaque.bob"); !errors.Is(err, jwtbearer.ErrInvalidToken) {
				t.Errorf("got %v, want ErrInvalidToken", err)
			}
		}))
		if w := get(t, h, "opaque.alice"); w.Code != 200 {
			t.Errorf("got %d, want 200", w.Code)
		}
	})
}

// TestExtendAcrossVerifiers: each of two verifiers around a handler ends the
// request, so both are to be given the renewed token.
func TestExtendAcrossVerifiers(t *testing.T) {
	for name, test := range map[string]struct {
		outer  []jwtbearer.Rule
		scopes []string
		err    error
		lasts  time.Duration
	}{
		"both take it":           {recheck(time.Hour), []string{"admin"}, nil, 11 * time.Minute},
		"the outer one refuses":  {append(recheck(time.Hour), jwtbearer.Scope("admin")), nil, jwtbearer.ErrScope, 2 * time.Minute},
		"the outer one has none": {nil, nil, nil, 11 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := jwtbearertest.NewIssuer(t)
				outer, inner := issuer.Verifier(t, nil), issuer.Verifier(t, nil)
				var lasted time.Duration
				h := outer.Require("api1", test.outer...)(inner.Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					start := time.Now()
					renewed := issuer.Token("api1", jwtbearertest.ExpiresIn(10*time.Minute), jwtbearertest.Scopes(test.scopes...))
					if err := jwtbearer.Extend(r.Context(), renewed); !errors.Is(err, test.err) {
						t.Errorf("Extend: got %v, want %v", err, test.err)
					}
					<-r.Context().Done()
					lasted = time.Since(start)
				})))
				get(t, h, issuer.Token("api1", jwtbearertest.Scopes("admin")))
				if lasted != test.lasts {
					t.Errorf("lasted %v, want %v", lasted, test.lasts)
				}
			})
		})
	}
}

// TestExtendOneOfTwoTokens: a token that the request carries for somebody else
// around is not renewed with the inner one.
func TestExtendOneOfTwoTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		outer, inner := issuer.Verifier(t, nil), issuer.Verifier(t, nil)
		long := issuer.Token("gateway", jwtbearertest.ExpiresIn(time.Hour))
		ran := false
		handler := inner.Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			ran = true
			if err := jwtbearer.Extend(r.Context(), issuer.Token("api1", jwtbearertest.ExpiresIn(10*time.Minute))); err != nil {
				t.Errorf("Extend: %v", err)
			}
		}))
		h := outer.Require("gateway", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer "+issuer.Token("api1"))
			handler.ServeHTTP(w, r)
			if got := jwtbearer.TokenFrom(r.Context()).Raw(); got != long {
				t.Error("the outer token was replaced")
			}
		}))
		if w := get(t, h, long); w.Code != 200 || !ran {
			t.Errorf("got %d, want 200", w.Code)
		}
	})
}
