package jwtbearer_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestRefusedJWTsAreNotIntrospected: an authority that vouches for whatever it is
// asked about does not make a JWT good that was refused for what it says.
func TestRefusedJWTsAreNotIntrospected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		var asked []string
		v := issuer.Verifier(t, &jwtbearer.Options{Introspector: introspectorFunc(func(_ context.Context, token string) ([]byte, error) {
			asked = append(asked, token)
			return fmt.Appendf(nil, `{"active":true,"aud":"api1","exp":%d}`, time.Now().Add(time.Minute).Unix()), nil
		})})
		p, err := v.Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		encode := base64.RawURLEncoding.EncodeToString
		for _, tt := range []struct {
			name, token string
			want        error
		}{
			{"no algorithm", encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(`{"iss":"https://issuer.test"}`)) + ".", jwtbearer.ErrAlgorithm},
			{"an HMAC", issuer.Token("api1", jwtbearertest.Header("alg", "HS256")), jwtbearer.ErrAlgorithm},
			{"crit", issuer.Token("api1", jwtbearertest.Header("crit", []string{"exp"})), jwtbearer.ErrCritical},
			{"b64", issuer.Token("api1", jwtbearertest.Header("b64", false)), jwtbearer.ErrUnencoded},
			{"a claim of the wrong type", issuer.Token("api1", jwtbearertest.Claim("sub", 7)), jwtbearer.ErrClaim},
			{"another issuer", issuer.Token("api1", jwtbearertest.Claim("iss", "https://other.test")), jwtbearer.ErrIssuer},
			{"another audience", issuer.Token("api2"), jwtbearer.ErrAudience},
			{"expired", issuer.Token("api1", jwtbearertest.ExpiresIn(-time.Hour)), jwtbearer.ErrExpired},
			{"forged", issuer.Token("api1", jwtbearertest.ForgedSignature()), jwtbearer.ErrSignature},
		} {
			if _, err := p.Verify(t.Context(), tt.token); !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			}
		}
		if len(asked) > 0 {
			t.Errorf("the authority was asked about %d of them", len(asked))
		}
	})
}

// TestClaimTypesByIntrospection: what the authority answers is held to the types of
// the claims that its Options name, as a JWT is.
func TestClaimTypesByIntrospection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		var members string
		v := issuer.Verifier(t, &jwtbearer.Options{
			AudienceClaim: "resource", SessionClaim: "login",
			Introspector: introspectorFunc(func(context.Context, string) ([]byte, error) {
				return fmt.Appendf(nil, `{"active":true,"exp":%d,%s}`, time.Now().Add(time.Minute).Unix(), members), nil
			}),
		})
		p, err := v.Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			members string
			want    error
		}{
			{`"resource":"api1","login":"s1"`, nil},
			{`"resource":["api1"]`, nil},
			{`"resource":"api1","login":7`, jwtbearer.ErrClaim},
			{`"resource":"api1","login":null`, jwtbearer.ErrClaim},
			{`"resource":["api1",7]`, jwtbearer.ErrClaim},
			{`"resource":{"api1":true}`, jwtbearer.ErrClaim},
		} {
			members = tt.members
			if _, err := p.Verify(t.Context(), "opaque"); !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", tt.members, err, tt.want)
			}
		}
	})
}
