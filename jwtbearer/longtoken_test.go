package jwtbearer_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// longClaim is a claim so long that the signature is checked before the claims
// are read.
var longClaim = fmt.Sprintf(`"padding":%q`, strings.Repeat("x", 2<<10))

// lengths make tokens whose claims are read before their signature is checked, and
// afterwards.
var lengths = map[string][]jwtbearertest.TokenOption{
	"short": nil,
	"long":  {jwtbearertest.Claim("padding", strings.Repeat("x", 2<<10))},
}

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
		{"iss under a name with an escape sequence", `{` + longClaim + `,` + life + `,"\u0069ss":"https://a.test"}`, nil},
		{"iss of an inner object besides", `{"act":{"iss":"https://b.test"},` + longClaim + `,` + life + `,"iss":"https://a.test"}`, nil},
		{"iss of another member", `{"iss":"https://b.test",` + life + `,` + longClaim + `}`, jwtbearer.ErrUnknownKey},
		{"iss of nobody", `{"iss":"https://c.test",` + life + `,` + longClaim + `}`, jwtbearer.ErrIssuer},
		{"no iss", `{` + life + `,` + longClaim + `}`, jwtbearer.ErrIssuer},
		{"iss in an inner object only", `{"act":{"iss":"https://a.test"},` + life + `,` + longClaim + `}`, jwtbearer.ErrIssuer},
		{"iss twice", `{"iss":"https://a.test",` + life + `,` + longClaim + `,"iss":"https://b.test"}`, jwtbearer.ErrMalformed},
		{"iss twice, once escaped", `{"iss":"https://a.test",` + life + `,` + longClaim + `,"\u0069ss":"https://b.test"}`, jwtbearer.ErrMalformed},
		{"iss of a wrong type first", `{"iss":1,` + life + `,` + longClaim + `,"iss":"https://a.test"}`, jwtbearer.ErrIssuer},
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
		p, issuers := tenantPolicy(t, jwtbearer.TenantOptions{TenantClaim: "tid"}, "t1", "t2")
		for _, tt := range []struct {
			name, signer, iss, tid string
			want                   error
		}{
			{"its own", "https://t1.id.test", "https://t1.id.test", "t1", nil},
			{"that of another", "https://t2.id.test", "https://t1.id.test", "t1", jwtbearer.ErrUnknownKey},
			{"with another in its claim", "https://t1.id.test", "https://t1.id.test", "t2", jwtbearer.ErrIssuer},
			{"of one that is not allowed", "https://t1.id.test", "https://t3.id.test", "t3", jwtbearer.ErrIssuer},
		} {
			payload := fmt.Sprintf(`{%s,"iss":%q,"tid":%q,"aud":"api1","exp":%d}`, longClaim, tt.iss, tt.tid, time.Now().Add(time.Hour).Unix())
			if _, err := p.Verify(t.Context(), issuers[tt.signer].Token("api1", jwtbearertest.RawPayload(payload))); !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			}
		}
	})
}

// TestLongTokensWithoutKeyIDsOfSeveralAuthorities: whose keys are tried is decided
// by iss, also where another authority holds some that would fit.
func TestLongTokensWithoutKeyIDsOfSeveralAuthorities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuers := map[string]*jwtbearertest.Issuer{}
		for _, url := range []string{"https://a.test", "https://b.test", "https://t1.id.test"} {
			issuers[url] = jwtbearertest.NewIssuer(t, &jwtbearertest.Options{URL: url, NoKeyIDs: true})
		}
		tenants, err := jwtbearer.NewTenants("https://{tenant}.id.test", &jwtbearer.TenantOptions{
			Tenants: []string{"t1"}, Options: &jwtbearer.Options{HTTPClient: tenantFarm(issuers)}})
		if err != nil {
			t.Fatal(err)
		}
		a, b := issuers["https://a.test"].Verifier(t, nil), issuers["https://b.test"].Verifier(t, nil)
		for _, tt := range []struct {
			members []*jwtbearer.Verifier
			of      []string
		}{
			{[]*jwtbearer.Verifier{a, b}, []string{"https://a.test", "https://b.test"}},
			{[]*jwtbearer.Verifier{a, tenants}, []string{"https://a.test", "https://t1.id.test"}},
		} {
			v, err := jwtbearer.Join(tt.members...)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			p, err := v.Policy("api1")
			if err != nil {
				t.Fatal(err)
			}
			for name, more := range lengths {
				for range 2 { // with and without keys at hand
					for _, url := range tt.of {
						if _, err := p.Verify(t.Context(), issuers[url].Token("api1", more...)); err != nil {
							t.Errorf("%s, of %s among %q: %v", name, url, tt.of, err)
						}
					}
				}
			}
		}
	})
}

// TestLongTokensOfOneKeyID: the same where two authorities happen to have given one
// key id.
func TestLongTokensOfOneKeyID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, tenant := newIssuer(t, "https://a.test"), newIssuer(t, "https://t1.id.test")
		tenant.AddKeys(jwtbearertest.ExtraKey(strings.ReplaceAll(keyOf(t, tenant, "RS256"), tenant.KeyID("RS256"), a.KeyID("RS256"))))
		tenants, err := jwtbearer.NewTenants("https://{tenant}.id.test", &jwtbearer.TenantOptions{
			Tenants: []string{"t1"}, Options: &jwtbearer.Options{HTTPClient: tenant.Client()}})
		if err != nil {
			t.Fatal(err)
		}
		v, err := jwtbearer.Join(a.Verifier(t, nil), tenants)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		p, err := v.Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		for name, more := range lengths {
			for range 2 { // with and without keys at hand
				for _, issuer := range []*jwtbearertest.Issuer{a, tenant} {
					token := issuer.Token("api1", append(more, jwtbearertest.Header("kid", a.KeyID("RS256")))...)
					if _, err := p.Verify(t.Context(), token); err != nil {
						t.Errorf("%s, of %s: %v", name, issuer.URL(), err)
					}
				}
			}
		}
	})
}

// keyOf is the published key with which tokens of that algorithm are signed.
func keyOf(t *testing.T, issuer *jwtbearertest.Issuer, alg string) string {
	t.Helper()
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(issuer.KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		if strings.Contains(string(key), `"`+issuer.KeyID(alg)+`"`) {
			return string(key)
		}
	}
	t.Fatalf("no key for %s", alg)
	return ""
}

// TestLongTokensByWhomTheyAreRefused: where there is one authority, nothing of a
// long token but its first byte is read before its signature holds, and all of it
// is judged then.
func TestLongTokensByWhomTheyAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer(t, "https://issuer.test")
		p, err := issuer.Verifier(t, nil).Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name    string
			options []jwtbearertest.TokenOption
			want    error
		}{
			{"good", nil, nil},
			{"another issuer", []jwtbearertest.TokenOption{jwtbearertest.Claim("iss", "https://other.test")}, jwtbearer.ErrIssuer},
			{"another issuer and signature", []jwtbearertest.TokenOption{jwtbearertest.Claim("iss", "https://other.test"), jwtbearertest.ForgedSignature()}, jwtbearer.ErrSignature},
			{"expired, and another signature", []jwtbearertest.TokenOption{jwtbearertest.ExpiresIn(-time.Hour), jwtbearertest.ForgedSignature()}, jwtbearer.ErrSignature},
			{"no object, and another signature", []jwtbearertest.TokenOption{jwtbearertest.RawPayload(strings.Repeat("x", 3<<10)), jwtbearertest.ForgedSignature()}, jwtbearer.ErrMalformed},
			{"an object that does not end, and another signature", []jwtbearertest.TokenOption{jwtbearertest.RawPayload(strings.Repeat("{", 3<<10)), jwtbearertest.ForgedSignature()}, jwtbearer.ErrSignature},
			{"an object that does not end", []jwtbearertest.TokenOption{jwtbearertest.RawPayload(strings.Repeat("{", 3<<10))}, jwtbearer.ErrMalformed},
			{"no JSON", []jwtbearertest.TokenOption{jwtbearertest.RawPayload("{" + strings.Repeat("x", 3<<10))}, jwtbearer.ErrMalformed},
		} {
			token, err := p.Verify(t.Context(), issuer.Token("api1", append(tt.options, lengths["long"]...)...))
			if !errors.Is(err, tt.want) || (token != nil) != (tt.want == nil) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			}
		}
	})
}

// TestLongOpaqueTokensAreIntrospected: what only the authority can read may look like
// a JWT for a long way.
func TestLongOpaqueTokensAreIntrospected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer(t, "https://issuer.test")
		v := issuer.Verifier(t, &jwtbearer.Options{Introspector: introspectorFunc(func(context.Context, string) ([]byte, error) {
			return fmt.Appendf(nil, `{"active":true,"sub":"alice","aud":"api1","exp":%d}`, time.Now().Add(time.Minute).Unix()), nil
		})})
		joined, err := jwtbearer.Join(v, newIssuer(t, "https://other.test").Verifier(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		segment := base64.RawURLEncoding.EncodeToString
		nested := func(length int) string {
			return segment([]byte(`{"alg":"RS256","cty":"JWT","kid":"x"}`)) + "." + segment([]byte(strings.Repeat("e", length))) + "." + segment([]byte("sig"))
		}
		for is, v := range map[string]*jwtbearer.Verifier{"one authority": v, "two": joined} {
			p, err := v.Policy("api1")
			if err != nil {
				t.Fatal(err)
			}
			for name, raw := range map[string]string{
				"a third segment of 1,366 characters": "v4.local." + strings.Repeat("A", 1366),
				"a third segment of 1,367 characters": "v4.local." + strings.Repeat("A", 1367),
				"a first segment of 13,000":           strings.Repeat("A", 13_000) + ".A.A",
				"a nested token":                      nested(1000),
				"a long nested token":                 nested(2000),
				"a signed nested token":               issuer.Token("api1", jwtbearertest.RawPayload(strings.Repeat("e", 1000))),
				"a long signed nested token":          issuer.Token("api1", jwtbearertest.RawPayload(strings.Repeat("e", 2000))),
			} {
				if _, err := p.Verify(t.Context(), raw); err != nil {
					t.Errorf("%s, %s: %v", is, name, err)
				}
			}
		}
	})
}

// TestTokensOfNoUseKeepNoTenantLoaded: a tenant is in use by tokens that are good,
// and not by those that it has signed for somebody else, or that have expired.
func TestTokensOfNoUseKeepNoTenantLoaded(t *testing.T) {
	for name, more := range lengths {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, issuers := tenantPolicy(t, jwtbearer.TenantOptions{MaxLoaded: 1}, "t0", "t1")
				if _, err := p.Verify(t.Context(), issuers["https://t0.id.test"].Token("api2", more...)); !errors.Is(err, jwtbearer.ErrAudience) {
					t.Errorf("another audience: got %v", err)
				}
				if _, err := p.Verify(t.Context(), issuers["https://t0.id.test"].Token("api1", append(more, jwtbearertest.ExpiresIn(-time.Hour))...)); !errors.Is(err, jwtbearer.ErrExpired) {
					t.Errorf("expired: got %v", err)
				}
				time.Sleep(11 * time.Second)
				token := issuers["https://t1.id.test"].Token("api1", more...) // for a minute, and as much skew
				if _, err := p.Verify(t.Context(), token); err != nil {
					t.Errorf("a good token of another tenant: %v", err)
				}
				time.Sleep(121 * time.Second)
				if _, err := p.Verify(t.Context(), token); !errors.Is(err, jwtbearer.ErrExpired) {
					t.Errorf("remembered, and expired: got %v", err)
				}
				if _, err := p.Verify(t.Context(), issuers["https://t0.id.test"].Token("api1", more...)); err != nil {
					t.Errorf("a good token of the first tenant: %v", err)
				}
			})
		})
	}
}

// TestTenantIsLookedForOnce: for a second look a tenant may have had to make room in
// between.
func TestTenantIsLookedForOnce(t *testing.T) {
	for name, more := range lengths {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				p, issuers := tenantPolicy(t, jwtbearer.TenantOptions{AllowTenant: func(string) bool { asked++; return true }}, "t0")
				issuer := issuers["https://t0.id.test"]
				if _, err := p.Verify(t.Context(), issuer.Token("api1", more...)); err != nil || asked != 1 {
					t.Errorf("got %v, and AllowTenant was asked %d times, want once", err, asked)
				}
			})
		})
	}
}

// TestLongTokensAreShared: requests of several policies that carry one token at a
// time get each its own verdict, whoever of them has checked the signature.
func TestLongTokensAreShared(t *testing.T) {
	issuer, other := newIssuer(t, "https://a.test"), newIssuer(t, "https://b.test")
	for name, cache := range map[string]jwtbearer.CacheOptions{"with memory": {}, "without": {Disabled: true}} {
		t.Run(name, func(t *testing.T) {
			v, err := jwtbearer.Join(issuer.Verifier(t, &jwtbearer.Options{Cache: cache}), other.Verifier(t, nil))
			if err != nil {
				t.Fatal(err)
			}
			type want struct {
				policy *jwtbearer.Policy
				err    error
			}
			var wants []want
			for _, p := range []struct {
				audience string
				rules    []jwtbearer.Rule
				err      error
			}{
				{"api1", nil, nil},
				{"api2", nil, jwtbearer.ErrAudience},
				{"api1", []jwtbearer.Rule{jwtbearer.TokenType("logout+jwt")}, jwtbearer.ErrTokenType},
				{"api1", []jwtbearer.Rule{jwtbearer.Scope("write")}, jwtbearer.ErrScope},
			} {
				policy, err := v.Policy(p.audience, p.rules...)
				if err != nil {
					t.Fatal(err)
				}
				wants = append(wants, want{policy, p.err})
			}
			for i := range 20 {
				subject, options := fmt.Sprint("user", i), lengths["long"]
				forged := i%3 == 0
				if forged {
					options = append(options, jwtbearertest.ForgedSignature())
				}
				token := issuer.Token("api1", append(options, jwtbearertest.Subject(subject))...)
				var requests sync.WaitGroup
				for j := range 12 {
					requests.Go(func() {
						want := wants[j%len(wants)]
						if forged {
							want.err = jwtbearer.ErrSignature
						}
						got, err := want.policy.Verify(t.Context(), token)
						if !errors.Is(err, want.err) || (got != nil) != (want.err == nil) || got != nil && got.Subject() != subject {
							t.Errorf("token %d, policy %d: got subject %q and error %v, want %v", i, j%len(wants), got.Subject(), err, want.err)
						}
					})
				}
				requests.Wait()
			}
		})
	}
}

// TestLongJunkInAnOutage: what can be told without keys is.
func TestLongJunkInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer(t, "https://issuer.test")
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down())
		v, err := jwtbearer.New("https://issuer.test", &jwtbearer.Options{HTTPClient: issuer.Client()})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		p, err := v.Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		good := issuer.Token("api1", lengths["long"]...)
		for _, tt := range []struct {
			name, token string
			want        error
		}{
			{"good", good, jwtbearer.ErrKeysUnavailable},
			{"another issuer", issuer.Token("api1", append(lengths["long"], jwtbearertest.Claim("iss", "https://other.test"))...), jwtbearer.ErrIssuer},
			{"no object", issuer.Token("api1", jwtbearertest.RawPayload(strings.Repeat("x", 3<<10))), jwtbearer.ErrMalformed},
			{"a comma in the payload", good[:len(good)/2] + "," + good[len(good)/2:], jwtbearer.ErrMalformed},
		} {
			if _, err := p.Verify(t.Context(), tt.token); !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			}
		}
	})
}
