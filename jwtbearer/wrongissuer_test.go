package jwtbearer_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestWrongIssuerAsksForNoKey: a token of another issuer, or one that spells the
// issuer otherwise than the metadata does, is refused for that, without a wait and
// at no cost to the authority, whatever key it names and even if no key could be
// had.
func TestWrongIssuerAsksForNoKey(t *testing.T) {
	for name, more := range lengths {
		for is, options := range map[string][]jwtbearertest.TokenOption{
			"with a slash more":         {jwtbearertest.Claim("iss", "https://issuer.test/"), jwtbearertest.Header("kid", "unknown")},
			"of another":                {jwtbearertest.Claim("iss", "https://other.test"), jwtbearertest.Header("kid", "unknown")},
			"of nobody":                 {jwtbearertest.WithoutClaim("iss"), jwtbearertest.Header("kid", "unknown")},
			"of another, without a kid": {jwtbearertest.Claim("iss", "https://other.test"), jwtbearertest.ForgedSignature(), jwtbearertest.WithoutHeader("kid")},
			"of nobody, without a kid":  {jwtbearertest.WithoutClaim("iss"), jwtbearertest.ForgedSignature(), jwtbearertest.WithoutHeader("kid")},
		} {
			t.Run(name+" "+is, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					issuer := newIssuer(t, "https://issuer.test")
					p, err := issuer.Verifier(t, nil).Policy("api1")
					if err != nil {
						t.Fatal(err)
					}
					if _, err := p.Verify(t.Context(), issuer.Token("api1")); err != nil {
						t.Fatal(err)
					}
					issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down())
					time.Sleep(time.Minute)
					fetches, start := issuer.Requests(jwtbearertest.EndpointAll), time.Now()
					if _, err := p.Verify(t.Context(), issuer.Token("api1", append(more, options...)...)); !errors.Is(err, jwtbearer.ErrIssuer) {
						t.Errorf("got %v, want ErrIssuer", err)
					}
					if n, took := issuer.Requests(jwtbearertest.EndpointAll)-fetches, time.Since(start); n != 0 || took != 0 {
						t.Errorf("it cost %d fetches and %v, want none", n, took)
					}
				})
			})
		}
	}
}

// TestIssuerIsSpelledOtherwiseByNow: what was found out about a token when the
// metadata spelled the issuer as it does is no good any more.
func TestIssuerIsSpelledOtherwiseByNow(t *testing.T) {
	for name, more := range lengths {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := newIssuer(t, "https://issuer.test")
				v := issuer.Verifier(t, nil)
				p, err := v.Policy("api1")
				if err != nil {
					t.Fatal(err)
				}
				token := issuer.Token("api1", append(more, jwtbearertest.ExpiresIn(time.Hour))...)
				for _, want := range []error{nil, nil, jwtbearer.ErrIssuer, jwtbearer.ErrIssuer} {
					if want != nil {
						issuer.SetMetadata("issuer", "https://issuer.test/")
						time.Sleep(time.Minute)
						if err := v.Refresh(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					if _, err := p.Verify(t.Context(), token); !errors.Is(err, want) {
						t.Errorf("got %v, want %v", err, want)
					}
				}
			})
		})
	}
}

// TestWrongIssuerOfTheFirstToken: how the metadata spells the issuer is not known
// before the first fetch, for which the first token waits.
func TestWrongIssuerOfTheFirstToken(t *testing.T) {
	for _, tt := range []struct {
		suffix string // of iss
		want   error
	}{{"", jwtbearer.ErrIssuer}, {"/", nil}} {
		synctest.Test(t, func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t)
			issuer.SetMetadata("issuer", issuer.URL()+"/")
			issuer.SetFault(jwtbearertest.EndpointKeys, jwtbearertest.Slow(time.Second))
			v, err := jwtbearer.New(issuer.URL(), &jwtbearer.Options{HTTPClient: issuer.Client()})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			p, err := v.Policy("api1")
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			token := issuer.Token("api1", jwtbearertest.Claim("iss", issuer.URL()+tt.suffix))
			if _, err := p.Verify(t.Context(), token); !errors.Is(err, tt.want) || time.Since(start) != time.Second {
				t.Errorf("iss with %q behind: got %v after %v, want %v after the first fetch", tt.suffix, err, time.Since(start), tt.want)
			}
			if n := v.Status().Cache.Entries; (n == 0) != (tt.want != nil) {
				t.Errorf("iss with %q behind: %d tokens are remembered", tt.suffix, n)
			}
		})
	}
}

// TestExtendByAnotherIssuer: a subject is unique within its issuer only.
func TestExtendByAnotherIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newIssuer(t, "https://a.test"), newIssuer(t, "https://b.test")
		v, err := jwtbearer.Join(a.Verifier(t, nil), b.Verifier(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		alice := jwtbearertest.Subject("alice")
		first := a.Token("api1", alice)
		h := v.Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := jwtbearer.Extend(r.Context(), b.Token("api1", alice)); !errors.Is(err, jwtbearer.ErrInvalidToken) {
				t.Errorf("of the other issuer: got %v, want ErrInvalidToken", err)
			}
			if got := jwtbearer.TokenFrom(r.Context()).Raw(); got != first {
				t.Error("the token was replaced")
			}
			if err := jwtbearer.Extend(r.Context(), a.Token("api1", alice)); err != nil {
				t.Errorf("of the same issuer: %v", err)
			}
			if err := context.Cause(r.Context()); err != nil {
				t.Errorf("the request ended: %v", err)
			}
		}))
		if w := get(t, h, first); w.Code != 200 {
			t.Errorf("got %d, want 200", w.Code)
		}
	})
}
