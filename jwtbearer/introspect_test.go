package jwtbearer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

type introspectorFunc func(ctx context.Context, token string) ([]byte, error)

func (f introspectorFunc) Introspect(ctx context.Context, token string) ([]byte, error) {
	return f(ctx, token)
}

func TestOpaqueTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		exp := time.Now().Add(time.Minute).Unix()
		good := fmt.Sprintf(`{"active":true,"sub":"alice","aud":"api1","exp":%d,"scope":"read"}`, exp)
		var answer string
		var failure error
		var asked []string
		v := issuer.Verifier(t, &jwtbearer.Options{Introspector: introspectorFunc(func(_ context.Context, token string) ([]byte, error) {
			asked = append(asked, token)
			return []byte(answer), failure
		})})
		p, err := v.Policy("api1", jwtbearer.Scope("read"))
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name, answer string
			err          error
			want         error
		}{
			{"active", good, nil, nil},
			{"with the issuer", strings.Replace(good, "{", `{"iss":"https://issuer.test",`, 1), nil, nil},
			{"of another issuer", strings.Replace(good, "{", `{"iss":"https://other.test",`, 1), nil, jwtbearer.ErrIssuer},
			{"not active", `{"active":false}`, nil, jwtbearer.ErrInactive},
			{"active is no boolean", strings.Replace(good, "true", `"true"`, 1), nil, jwtbearer.ErrInactive},
			{"no JSON object", `[]`, nil, jwtbearer.ErrUnavailable},
			{"for another audience", strings.Replace(good, "api1", "api2", 1), nil, jwtbearer.ErrAudience},
			{"without audience", strings.Replace(good, `"aud":"api1",`, "", 1), nil, jwtbearer.ErrAudience},
			{"without expiry", strings.Replace(good, `"exp"`, `"exp2"`, 1), nil, jwtbearer.ErrNoExpiry},
			{"expired", strings.Replace(good, fmt.Sprint(exp), "1", 1), nil, jwtbearer.ErrExpired},
			{"without the scope", strings.Replace(good, "read", "write", 1), nil, jwtbearer.ErrScope},
			{"bound to a key", strings.Replace(good, "{", `{"cnf":{"jkt":"x"},`, 1), nil, jwtbearer.ErrBound},
			{"scope of the wrong type", strings.Replace(good, `"read"`, "7", 1), nil, jwtbearer.ErrClaim},
			{"the authority says no", "", jwtbearer.ErrInactive, jwtbearer.ErrInactive},
			{"the authority is away", "", errors.New("away"), jwtbearer.ErrUnavailable},
		} {
			answer, failure = tt.answer, tt.err
			token, err := p.Verify(t.Context(), "opaque.0123")
			if !errors.Is(err, tt.want) || (err == nil) != (token != nil) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			}
			if err == nil && (token.Subject() != "alice" || token.Raw() != "opaque.0123" || token.Issuer() != "https://issuer.test") {
				t.Errorf("%s: got a token of %q by %q", tt.name, token.Subject(), token.Issuer())
			}
		}
		answer, failure, asked = good, nil, nil
		if _, err := p.Verify(t.Context(), issuer.Token("api1", jwtbearertest.Scopes("read"))); err != nil || asked != nil {
			t.Errorf("a JWT: got %v, asked %d times", err, len(asked))
		}
		for _, raw := range []string{"opaque token", "opaque\r\ntoken", "", "opaque,"} {
			if _, err := p.Verify(t.Context(), raw); !errors.Is(err, jwtbearer.ErrInvalidToken) || asked != nil {
				t.Errorf("%q: got %v, asked %q", raw, err, asked)
			}
		}
		other, _ := v.Policy("api1", jwtbearer.TokenType("logout+jwt"))
		if _, err := other.Verify(t.Context(), "opaque.0123"); !errors.Is(err, jwtbearer.ErrTokenType) {
			t.Errorf("where another kind of token is wanted: %v", err)
		}
		without := issuer.Verifier(t, nil)
		q, _ := without.Policy("api1")
		if _, err := q.Verify(t.Context(), "opaque.0123"); !errors.Is(err, jwtbearer.ErrMalformed) {
			t.Errorf("without an Introspector: %v", err)
		}
	})
}

// TestEncryptedTokens: what the API has no key for, its authority can read.
func TestEncryptedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		encrypted := issuer.Token("api1", jwtbearertest.Encrypted())
		active := true
		v := issuer.Verifier(t, &jwtbearer.Options{Introspector: introspectorFunc(func(_ context.Context, token string) ([]byte, error) {
			if token != encrypted {
				t.Errorf("asked about %q", token)
			}
			return fmt.Appendf(nil, `{"active":%v,"sub":"alice","aud":"api1","exp":%d}`, active, time.Now().Add(time.Minute).Unix()), nil
		})})
		p, err := v.Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		if token, err := p.Verify(t.Context(), encrypted); err != nil || token.Subject() != "alice" {
			t.Errorf("active: got %v, error %v, want a token of alice", token, err)
		}
		active = false
		if _, err := p.Verify(t.Context(), encrypted); !errors.Is(err, jwtbearer.ErrInactive) {
			t.Errorf("not active: got %v, want ErrInactive", err)
		}
		without, err := issuer.Verifier(t, nil).Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := without.Verify(t.Context(), encrypted); !errors.Is(err, jwtbearer.ErrEncrypted) {
			t.Errorf("without an Introspector: got %v, want ErrEncrypted", err)
		}
	})
}

// TestOpaqueTokensNameTheIssuerAsJWTsDo: a session is known by the issuer and its
// identifier, and a logout token ends it by the issuer's own spelling.
func TestOpaqueTokensNameTheIssuerAsJWTsDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		exp := time.Now().Add(time.Minute).Unix()
		for _, iss := range []string{"", `"iss":"https://issuer.test",`, `"iss":"https://issuer.test/",`} {
			v, err := jwtbearer.New("https://issuer.test/", &jwtbearer.Options{
				HTTPClient: issuer.Client(),
				Introspector: introspectorFunc(func(context.Context, string) ([]byte, error) {
					return fmt.Appendf(nil, `{"active":true,%s"aud":"api1","exp":%d}`, iss, exp), nil
				}),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			if err := v.WaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
			p, _ := v.Policy("api1")
			token, err := p.Verify(t.Context(), "opaque.0123")
			if err != nil || token.Issuer() != "https://issuer.test" {
				t.Errorf("%q: got the issuer %q, error %v", iss, token.Issuer(), err)
			}
		}
	})
}
