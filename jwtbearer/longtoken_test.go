package jwtbearer_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// longClaim is a claim so long that the signature is checked before the claims
// are read.
var longClaim = fmt.Sprintf(`"padding":%q`, strings.Repeat("x", 2<<10))

// TestLongTokensOfSeveralAuthorities: whose signature is to be checked is said by a
// claim that nobody has read properly yet, and what was read of it must hold
// afterwards.
func TestLongTokensOfSeveralAuthorities(t *testing.T) {
	const life = `"aud":"api1","exp":4102444800`
	for _, tt := range []struct {
		name, payload string
		want          error
	}{
		{"iss first", `{"iss":"https://a.test",` + life + `,` + longClaim + `}`, nil},
		{"iss last", `{` + longClaim + `,` + life + `,"iss":"https://a.test"}`, nil},
		{"iss with escaped slashes", `{` + longClaim + `,` + life + `,"iss":"https:\/\/a.test"}`, nil},
		{"iss of an inner object besides", `{"act":{"iss":"https://b.test"},` + longClaim + `,` + life + `,"iss":"https://a.test"}`, nil},
		{"iss of another member", `{"iss":"https://b.test",` + life + `,` + longClaim + `}`, jwtbearer.ErrUnknownKey},
		{"iss of nobody", `{"iss":"https://c.test",` + life + `,` + longClaim + `}`, jwtbearer.ErrIssuer},
		{"no iss", `{` + life + `,` + longClaim + `}`, jwtbearer.ErrIssuer},
		{"iss in an inner object only", `{"act":{"iss":"https://a.test"},` + life + `,` + longClaim + `}`, jwtbearer.ErrIssuer},
		{"iss twice", `{"iss":"https://a.test",` + life + `,` + longClaim + `,"iss":"https://b.test"}`, jwtbearer.ErrMalformed},
		{"iss twice, once escaped", `{"iss":"https://a.test",` + life + `,` + longClaim + `,"\u0069ss":"https://b.test"}`, jwtbearer.ErrMalformed},
		{"iss of a wrong type, and another that was seen", `{"iss":1,` + life + `,` + longClaim + `,"iss":"https://a.test"}`, jwtbearer.ErrMalformed},
		{"iss of one, where its object is none", `{"iss":"https://a.test",` + life + `,` + longClaim, jwtbearer.ErrMalformed},
		{"iss that was seen before an outer object ended", `{"iss":"https://a.test",` + life + `,` + longClaim + `}}`, jwtbearer.ErrMalformed},
		{"iss with a slash more", `{"iss":"https://a.test/",` + life + `,` + longClaim + `}`, jwtbearer.ErrIssuer},
		{"expired", `{"iss":"https://a.test","aud":"api1","exp":1,` + longClaim + `}`, jwtbearer.ErrExpired},
		{"another audience", `{"iss":"https://a.test","aud":"api2","exp":4102444800,` + longClaim + `}`, jwtbearer.ErrAudience},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newIssuer(t, "https://a.test")
				v, err := jwtbearer.Join(a.Verifier(t, nil), newIssuer(t, "https://b.test").Verifier(t, nil))
				if err != nil {
					t.Fatal(err)
				}
				p, err := v.Policy("api1")
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					token, err := p.Verify(t.Context(), a.Token("api1", jwtbearertest.RawPayload(tt.payload)))
					if !errors.Is(err, tt.want) || (token != nil) != (tt.want == nil) {
						t.Errorf("got %v, want %v", err, tt.want)
					}
				}
				want := 0
				if tt.want == nil {
					want = 1
				}
				if got := v.Status().Cache.Entries; got != want {
					t.Errorf("%d tokens are remembered, want %d", got, want)
				}
			})
		})
	}
}

// TestLongTokensOfTenants: a tenant is loaded for a long token as for any other, and
// a signature of one says nothing for another.
func TestLongTokensOfTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuers := map[string]*jwtbearertest.Issuer{}
		for _, host := range []string{"t1.id.test", "t2.id.test"} {
			issuers[host] = newIssuer(t, "https://"+host)
		}
		v, err := jwtbearer.NewTenants("https://{tenant}.id.test", &jwtbearer.TenantOptions{
			Tenants: []string{"t1", "t2"},
			Options: &jwtbearer.Options{HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				return issuers[r.URL.Host].Client().Transport.RoundTrip(r)
			})}},
			TenantClaim: "tid",
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		p, err := v.Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name, signer, iss, tid string
			want                   error
		}{
			{"its own", "t1.id.test", "https://t1.id.test", "t1", nil},
			{"that of another", "t2.id.test", "https://t1.id.test", "t1", jwtbearer.ErrUnknownKey},
			{"with another in its claim", "t1.id.test", "https://t1.id.test", "t2", jwtbearer.ErrIssuer},
			{"of one that is not allowed", "t1.id.test", "https://t3.id.test", "t3", jwtbearer.ErrIssuer},
		} {
			payload := fmt.Sprintf(`{%s,"iss":%q,"tid":%q,"aud":"api1","exp":%d}`, longClaim, tt.iss, tt.tid, time.Now().Add(time.Hour).Unix())
			if _, err := p.Verify(t.Context(), issuers[tt.signer].Token("api1", jwtbearertest.RawPayload(payload))); !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			}
		}
	})
}

// TestLongTokensByWhomTheyAreRefused: where there is one authority, nothing of a
// long token is read before its signature holds, and all of it is judged then.
func TestLongTokensByWhomTheyAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer(t, "https://issuer.test")
		p, err := issuer.Verifier(t, nil).Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		padding := jwtbearertest.Claim("padding", strings.Repeat("x", 2<<10))
		for _, tt := range []struct {
			name    string
			options []jwtbearertest.TokenOption
			want    error
		}{
			{"good", nil, nil},
			{"another issuer", []jwtbearertest.TokenOption{jwtbearertest.Claim("iss", "https://other.test")}, jwtbearer.ErrIssuer},
			{"another issuer and signature", []jwtbearertest.TokenOption{jwtbearertest.Claim("iss", "https://other.test"), jwtbearertest.ForgedSignature()}, jwtbearer.ErrSignature},
			{"expired, and another signature", []jwtbearertest.TokenOption{jwtbearertest.ExpiresIn(-time.Hour), jwtbearertest.ForgedSignature()}, jwtbearer.ErrSignature},
			{"no JSON, and another signature", []jwtbearertest.TokenOption{jwtbearertest.RawPayload(strings.Repeat("x", 3<<10)), jwtbearertest.ForgedSignature()}, jwtbearer.ErrSignature},
			{"no JSON", []jwtbearertest.TokenOption{jwtbearertest.RawPayload(strings.Repeat("x", 3<<10))}, jwtbearer.ErrMalformed},
		} {
			token, err := p.Verify(t.Context(), issuer.Token("api1", append(tt.options, padding)...))
			if !errors.Is(err, tt.want) || (token != nil) != (tt.want == nil) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			}
		}
	})
}
