package jwtbearer_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestExpiryWhileWaiting: a token that expires while something is waited for on its
// behalf is refused, and one that lives on is not.
func TestExpiryWhileWaiting(t *testing.T) {
	const wait = 2 * time.Second
	for name, slow := range map[string]func(*jwtbearertest.Issuer, *jwtbearer.Options){
		"the key set": func(issuer *jwtbearertest.Issuer, _ *jwtbearer.Options) {
			issuer.SetFault(jwtbearertest.EndpointKeys, jwtbearertest.Slow(wait))
		},
		"a Checker": func(_ *jwtbearertest.Issuer, o *jwtbearer.Options) {
			o.Checkers = []jwtbearer.Checker{checkerFunc(func(context.Context, *jwtbearer.Token, *http.Request) error {
				time.Sleep(wait)
				return nil
			})}
		},
		"an Introspector": func(_ *jwtbearertest.Issuer, o *jwtbearer.Options) {
			o.Introspector = introspectorFunc(func(_ context.Context, token string) ([]byte, error) {
				claims := map[string]any{"active": true, "aud": "api1", "exp": time.Now().Add(time.Second).Unix()}
				if token == "long" {
					claims["exp"] = time.Now().Add(time.Hour).Unix()
				}
				time.Sleep(wait)
				return json.Marshal(claims)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, tt := range []struct {
				token string
				life  time.Duration
				want  error
			}{
				{"short", time.Second, jwtbearer.ErrExpired},
				{"long", time.Hour, nil},
			} {
				synctest.Test(t, func(t *testing.T) {
					issuer := jwtbearertest.NewIssuer(t)
					o := &jwtbearer.Options{ClockSkew: jwtbearer.NoClockSkew}
					slow(issuer, o)
					p, err := issuer.Verifier(t, o).Policy("api1")
					if err != nil {
						t.Fatal(err)
					}
					token := tt.token
					if o.Introspector == nil {
						token = issuer.Token("api1", jwtbearertest.ExpiresIn(tt.life))
					}
					if _, err := p.Verify(t.Context(), token); !errors.Is(err, tt.want) {
						t.Errorf("%s: got %v, want %v", tt.token, err, tt.want)
					}
				})
			}
		})
	}
}

// TestKeysWithoutIDsInAnOutage: whether a signature that no key verifies is bad, or
// made with a key that is new, cannot be told while the authority is away.
func TestKeysWithoutIDsInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{NoKeyIDs: true})
		v := issuer.Verifier(t, nil)
		p, err := v.Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Verify(t.Context(), issuer.Token("api1")); err != nil {
			t.Fatal(err)
		}
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down())
		issuer.RotateHard()
		token := issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour))
		if _, err := p.Verify(t.Context(), token); !errors.Is(err, jwtbearer.ErrKeysUnavailable) {
			t.Errorf("while the authority is away: got %v, want ErrKeysUnavailable", err)
		}
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Fault{})
		time.Sleep(time.Minute)
		if _, err := p.Verify(t.Context(), token); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}
