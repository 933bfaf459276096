package jwtbearer_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestRememberedTokens shows that remembering a token spares its signature check
// and nothing else.
func TestRememberedTokens(t *testing.T) {
	run := func(name string, opts *jwtbearer.Options, f func(t *testing.T, issuer *jwtbearertest.Issuer, v *jwtbearer.Verifier, verify func(audience, token string) error)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := jwtbearertest.NewIssuer(t)
				v := issuer.Verifier(t, opts)
				f(t, issuer, v, func(audience, token string) error {
					p, err := v.Policy(audience)
					if err != nil {
						t.Fatal(err)
					}
					_, err = p.Verify(t.Context(), token)
					return err
				})
			})
		})
	}
	// remember verifies the token twice, the second time from memory.
	remember := func(t *testing.T, v *jwtbearer.Verifier, verify func(audience, token string) error, token string) {
		t.Helper()
		before := v.Status().Cache.Misses
		for range 2 {
			if err := verify("api1", token); err != nil {
				t.Fatal(err)
			}
		}
		if v.Status().Cache.Misses != before+1 {
			t.Fatal("the token was not remembered")
		}
	}
	wants := func(t *testing.T, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}

	run("expiry", nil, func(t *testing.T, issuer *jwtbearertest.Issuer, v *jwtbearer.Verifier, verify func(string, string) error) {
		token := issuer.Token("api1") // 60 s, and as much skew
		remember(t, v, verify, token)
		time.Sleep(119 * time.Second)
		wants(t, verify("api1", token), nil)
		time.Sleep(time.Second)
		wants(t, verify("api1", token), jwtbearer.ErrExpired)
	})
	run("another audience", nil, func(t *testing.T, issuer *jwtbearertest.Issuer, v *jwtbearer.Verifier, verify func(string, string) error) {
		token := issuer.Token("api1")
		remember(t, v, verify, token)
		wants(t, verify("api2", token), jwtbearer.ErrAudience)
	})
	run("a rule", nil, func(t *testing.T, issuer *jwtbearertest.Issuer, v *jwtbearer.Verifier, verify func(string, string) error) {
		token := issuer.Token("api1", jwtbearertest.Scopes("read"))
		remember(t, v, verify, token)
		p, _ := v.Policy("api1", jwtbearer.Scope("write"))
		_, err := p.Verify(t.Context(), token)
		wants(t, err, jwtbearer.ErrScope)
		q, _ := v.Policy("api1", jwtbearer.MaxAge(time.Minute))
		time.Sleep(119 * time.Second)
		_, err = q.Verify(t.Context(), token)
		wants(t, err, nil)
		long := issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour))
		remember(t, v, verify, long)
		time.Sleep(121 * time.Second)
		_, err = q.Verify(t.Context(), long)
		wants(t, err, jwtbearer.ErrTooOld)
	})
	run("a token for another kind of policy", nil, func(t *testing.T, issuer *jwtbearertest.Issuer, v *jwtbearer.Verifier, verify func(string, string) error) {
		bound := issuer.Token("api1", jwtbearertest.Claim("cnf", map[string]string{"jkt": "x"}), jwtbearertest.Header("typ", "logout+jwt"))
		p, _ := v.Policy("api1", jwtbearer.TokenType("logout+jwt"))
		for range 2 {
			_, err := p.Verify(t.Context(), bound)
			wants(t, err, nil)
		}
		wants(t, verify("api1", bound), jwtbearer.ErrTokenType)
	})
	var ended error
	run("an ended session", &jwtbearer.Options{Checkers: []jwtbearer.Checker{checkerFunc(func(context.Context, *jwtbearer.Token, *http.Request) error { return ended })}},
		func(t *testing.T, issuer *jwtbearertest.Issuer, v *jwtbearer.Verifier, verify func(string, string) error) {
			token := issuer.Token("api1")
			remember(t, v, verify, token)
			ended = jwtbearer.ErrSessionEnded
			wants(t, verify("api1", token), jwtbearer.ErrSessionEnded)
		})
	run("a key that was withdrawn", nil, func(t *testing.T, issuer *jwtbearertest.Issuer, v *jwtbearer.Verifier, verify func(string, string) error) {
		rsa, ec := issuer.Token("api1"), issuer.Token("api1", jwtbearertest.Algorithm("ES256"))
		remember(t, v, verify, rsa)
		remember(t, v, verify, ec)
		issuer.AddNextKeys()
		wants(t, v.Refresh(t.Context()), nil)
		before := v.Status().Cache.Misses
		wants(t, verify("api1", rsa), nil)
		wants(t, verify("api1", ec), nil)
		if got := v.Status().Cache.Misses - before; got != 0 {
			t.Errorf("a key that came took %d of 2 tokens out of memory", got)
		}
		issuer.SwitchToNextKeys()
		issuer.RemoveOldKeys()
		wants(t, v.Refresh(t.Context()), nil)
		wants(t, verify("api1", rsa), jwtbearer.ErrUnknownKey)
		wants(t, verify("api1", ec), jwtbearer.ErrUnknownKey)
	})
	run("another key under the same id", nil, func(t *testing.T, issuer *jwtbearertest.Issuer, v *jwtbearer.Verifier, verify func(string, string) error) {
		token := issuer.Token("api1")
		remember(t, v, verify, token)
		issuer.RotateKeepingIDs()
		wants(t, v.Refresh(t.Context()), nil)
		wants(t, verify("api1", token), jwtbearer.ErrSignature)
		wants(t, verify("api1", issuer.Token("api1")), nil)
	})
	run("the same signature under another payload", nil, func(t *testing.T, issuer *jwtbearertest.Issuer, v *jwtbearer.Verifier, verify func(string, string) error) {
		token := issuer.Token("api1")
		remember(t, v, verify, token)
		other := issuer.Token("api1", jwtbearertest.Subject("mallory"))
		forged := other[:lastDot(other)] + token[lastDot(token):]
		wants(t, verify("api1", forged), jwtbearer.ErrSignature)
	})
	run("an issuer that the metadata spells otherwise by now", nil, func(t *testing.T, issuer *jwtbearertest.Issuer, v *jwtbearer.Verifier, verify func(string, string) error) {
		token := issuer.Token("api1")
		remember(t, v, verify, token)
		issuer.SetMetadata("issuer", issuer.URL()+"/")
		wants(t, v.Refresh(t.Context()), nil)
		wants(t, verify("api1", token), jwtbearer.ErrIssuer)
		issuer.SetMetadata("issuer", issuer.URL())
		wants(t, v.Refresh(t.Context()), nil)
		wants(t, verify("api1", token), nil)
	})
	run("a maximum age", nil, func(t *testing.T, issuer *jwtbearertest.Issuer, v *jwtbearer.Verifier, verify func(string, string) error) {
		token := issuer.Token("api1", jwtbearertest.ExpiresIn(10*time.Hour))
		remember(t, v, verify, token)
		time.Sleep(61 * time.Minute)
		issuer.RotateHard() // the key is not asked for again until the token is
		wants(t, verify("api1", token), nil)
		if n := v.Status().Cache.Entries; n != 1 {
			t.Errorf("the token is remembered %d times", n)
		}
	})
}

func lastDot(s string) int {
	for i := len(s) - 1; ; i-- {
		if s[i] == '.' {
			return i
		}
	}
}

// TestRememberedTokensPinNothingElse: a caller can surround a token with kilobytes
// that the memory's bound does not know of.
func TestRememberedTokensPinNothingElse(t *testing.T) {
	const padding, tokens = 15 << 10, 800
	for name, send := range map[string]func(r *http.Request, token string){
		"spaces": func(r *http.Request, token string) {
			r.Header.Set("Authorization", "Bearer "+strings.Repeat(" ", padding)+token)
		},
		"cookies": func(r *http.Request, token string) {
			r.Header.Set("Cookie", "token="+token+"; x="+strings.Repeat("x", padding))
		},
		"query": func(r *http.Request, token string) {
			r.URL.RawQuery = "token=" + token + "&x=" + strings.Repeat("x", padding)
		},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t)
			h := issuer.Verifier(t, nil).Require("api1", jwtbearer.Cookie("token"), jwtbearer.InsecureQuery("token"))(hello)
			heap := func() uint64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			before := heap()
			for range tokens {
				r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
				send(r, issuer.Token("api1"))
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != 200 {
					t.Fatalf("got %d %s", w.Code, w.Body)
				}
			}
			if grown := int64(heap()) - int64(before); grown > tokens*padding/4 {
				t.Errorf("%d tokens hold %d KiB", tokens, grown>>10)
			}
			runtime.KeepAlive(h)
		})
	}
}

// TestConcurrentUse mixes good tokens, bad ones, rotation and refreshes under
// the race detector. No good token may be refused, and no bad one pass.
func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		v := issuer.Verifier(t, &jwtbearer.Options{Cache: jwtbearer.CacheOptions{MaxEntries: 16}})
		h := v.Require("api1")(hello)
		var tokens []string
		for i := range 40 {
			tokens = append(tokens, issuer.Token("api1", jwtbearertest.Algorithm("EdDSA"), jwtbearertest.Subject(fmt.Sprint(i)), jwtbearertest.ExpiresIn(time.Hour)))
		}
		bad := issuer.Token("api1", jwtbearertest.Algorithm("EdDSA"), jwtbearertest.ForgedSignature())
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 100 {
					n := (i*7 + g) % len(tokens)
					if w := get(t, h, tokens[n]); w.Code != 200 || w.Body.String() != "hello "+fmt.Sprint(n) {
						t.Errorf("token %d: got %d %s", n, w.Code, w.Body)
						return
					}
					if w := get(t, h, bad); w.Code != 401 {
						t.Errorf("forged: got %d", w.Code)
						return
					}
				}
			})
		}
		wg.Go(func() {
			for range 5 {
				issuer.AddNextKeys()
				if err := v.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
	})
}

// TestFloodOfUnknownKeys is an attack by ten thousand tokens with random key ids
// within thirty seconds, with a real rotation in its midst.
func TestFloodOfUnknownKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		v := issuer.Verifier(t, nil)
		p, _ := v.Policy("api1")
		good := issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour))
		if _, err := p.Verify(t.Context(), good); err != nil {
			t.Fatal(err)
		}
		fetches := issuer.Requests(jwtbearertest.EndpointKeys)
		var rotated string
		for i := range 10_000 {
			header := fmt.Sprintf(`{"alg":"RS256","kid":"junk-%d"}`, i)
			token := base64.RawURLEncoding.EncodeToString([]byte(header)) + good[strings.IndexByte(good, '.'):]
			if _, err := p.Verify(t.Context(), token); !errors.Is(err, jwtbearer.ErrUnknownKey) {
				t.Fatalf("junk %d: got %v", i, err)
			}
			start := time.Now()
			if _, err := p.Verify(t.Context(), good); err != nil || time.Since(start) != 0 {
				t.Fatalf("a good request beside the flood: %v after %v", err, time.Since(start))
			}
			time.Sleep(3 * time.Millisecond)
			if i == 9_000 {
				issuer.Rotate()
				rotated = issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour))
			}
		}
		if n := issuer.Requests(jwtbearertest.EndpointKeys) - fetches; n > 10 {
			t.Errorf("the flood cost the authority %d fetches, want 10 at most", n)
		}
		start := time.Now()
		for {
			if _, err := p.Verify(t.Context(), rotated); err == nil {
				break
			}
			if time.Since(start) > 5*time.Second {
				t.Fatal("the rotated key was not found within 5 s after the flood")
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}
