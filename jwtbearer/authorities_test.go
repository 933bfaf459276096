package jwtbearer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func newIssuer(t *testing.T, url string) *jwtbearertest.Issuer {
	return jwtbearertest.NewIssuer(t, &jwtbearertest.Options{URL: url})
}

func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := newIssuer(t, "https://a.test"), newIssuer(t, "https://b.test"), newIssuer(t, "https://c.test")
		va := a.Verifier(t, &jwtbearer.Options{Algorithms: []string{"RS256"}, AudienceNames: map[string][]string{"api1": {"urn:api1"}}})
		vb := b.Verifier(t, nil)
		members := []*jwtbearer.Verifier{va, vb}
		v, err := jwtbearer.Join(members...)
		if err != nil {
			t.Fatal(err)
		}
		clear(members) // the slice is the caller's
		for _, each := range []*jwtbearer.Verifier{va, vb, v} {
			if err := each.WaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		p, err := v.Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		fetches := a.Requests(jwtbearertest.EndpointAll) + b.Requests(jwtbearertest.EndpointAll)
		for range 2 { // cold and warm
			for _, tt := range []struct {
				name, token string
				want        error
			}{
				{"of a", a.Token("urn:api1"), nil},
				{"of a, for the name that only b uses", a.Token("api1"), jwtbearer.ErrAudience},
				{"of b", b.Token("api1"), nil},
				{"of b, for the name that only a uses", b.Token("urn:api1"), jwtbearer.ErrAudience},
				{"of a, by an algorithm that only b allows", a.Token("urn:api1", jwtbearertest.Algorithm("ES256")), jwtbearer.ErrAlgorithm},
				{"of b, by that algorithm", b.Token("api1", jwtbearertest.Algorithm("ES256")), nil},
				{"of a, signed by b", a.Token("urn:api1", jwtbearertest.SignedBy(b), jwtbearertest.Header("kid", a.KeyID("RS256"))), jwtbearer.ErrSignature},
				{"of nobody", c.Token("api1"), jwtbearer.ErrIssuer},
				{"of nobody, by a key of a", c.Token("urn:api1", jwtbearertest.SignedBy(a)), jwtbearer.ErrIssuer},
			} {
				got, err := p.Verify(t.Context(), tt.token)
				if tt.want == nil && (err != nil || got == nil) || tt.want != nil && (got != nil || !errors.Is(err, tt.want)) {
					t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
				}
			}
		}
		if n := a.Requests(jwtbearertest.EndpointAll) + b.Requests(jwtbearertest.EndpointAll) - fetches; n != 0 {
			t.Errorf("%d fetches were caused", n)
		}
		if n := c.Requests(jwtbearertest.EndpointAll); n != 0 {
			t.Errorf("%d fetches from an unknown issuer", n)
		}
		if st := v.Status(); len(st.Authorities) != 2 || st.Authorities[0].Issuer != "https://a.test" {
			t.Errorf("status: %+v", st.Authorities)
		}
		if _, err := jwtbearer.Join(va, vb, va); err == nil {
			t.Error("an issuer twice: no error")
		}
		v.Close()
		if err := va.Ready(); !errors.Is(err, jwtbearer.ErrClosed) {
			t.Errorf("a member after Close: %v", err)
		}
	})
}

func TestJoinedIsReadyWhenAnyMemberIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, down := newIssuer(t, "https://up.test"), newIssuer(t, "https://down.test")
		down.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Hang())
		v, err := jwtbearer.Join(down.Verifier(t, nil), up.Verifier(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.WaitReady(t.Context()); err != nil {
			t.Errorf("WaitReady: %v", err)
		}
		if err := v.Ready(); err != nil {
			t.Errorf("Ready: %v", err)
		}
		p, _ := v.Policy("api1")
		if _, err := p.Verify(t.Context(), up.Token("api1")); err != nil {
			t.Errorf("of the one that is up: %v", err)
		}
		if _, err := p.Verify(t.Context(), down.Token("api1")); !errors.Is(err, jwtbearer.ErrUnavailable) {
			t.Errorf("of the one that is down: %v", err)
		}
	})
}

// tenantFarm answers for the issuers of all tenants by the host or the path.
func tenantFarm(issuers map[string]*jwtbearertest.Issuer) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		for url, i := range issuers {
			if strings.HasPrefix(r.URL.String(), url+"/") {
				return i.Client().Transport.RoundTrip(r)
			}
		}
		return nil, errors.New("no such host")
	})}
}

// tenantPolicy is a policy for api1 of a verifier for https://{tenant}.id.test, with an
// issuer for each of the tenants, which are listed unless opts says otherwise.
func tenantPolicy(t *testing.T, opts jwtbearer.TenantOptions, tenants ...string) (*jwtbearer.Policy, map[string]*jwtbearertest.Issuer) {
	t.Helper()
	issuers := make(map[string]*jwtbearertest.Issuer)
	for _, tenant := range tenants {
		url := "https://" + tenant + ".id.test"
		issuers[url] = newIssuer(t, url)
	}
	opts.Options = &jwtbearer.Options{HTTPClient: tenantFarm(issuers)}
	if opts.AllowTenant == nil {
		opts.Tenants = tenants
	}
	v, err := jwtbearer.NewTenants("https://{tenant}.id.test", &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	p, err := v.Policy("api1")
	if err != nil {
		t.Fatal(err)
	}
	return p, issuers
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuers := map[string]*jwtbearertest.Issuer{}
		of := func(tenant string) *jwtbearertest.Issuer { return issuers["https://login.test/"+tenant+"/v2.0"] }
		for _, tenant := range []string{"t1", "t2", "evil"} {
			url := "https://login.test/" + tenant + "/v2.0"
			issuers[url] = newIssuer(t, url)
		}
		v, err := jwtbearer.NewTenants("https://login.test/{tenantid}/v2.0", &jwtbearer.TenantOptions{
			Options:     &jwtbearer.Options{HTTPClient: tenantFarm(issuers)},
			Tenants:     []string{"t1", "t2"},
			TenantClaim: "tid",
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		p, _ := v.Policy("api1")
		tid := func(name string) jwtbearertest.TokenOption { return jwtbearertest.Claim("tid", name) }
		for range 2 {
			for _, tt := range []struct {
				name, token string
				want        error
			}{
				{"t1", of("t1").Token("api1", tid("t1")), nil},
				{"t2", of("t2").Token("api1", tid("t2")), nil},
				{"t1 with the tid of t2", of("t1").Token("api1", tid("t2")), jwtbearer.ErrIssuer},
				{"t1 without tid", of("t1").Token("api1"), jwtbearer.ErrIssuer},
				{"t1 signed by t2", of("t1").Token("api1", tid("t1"), jwtbearertest.SignedBy(of("t2")), jwtbearertest.Header("kid", of("t1").KeyID("RS256"))), jwtbearer.ErrSignature},
				{"a tenant that is not listed", of("evil").Token("api1", tid("evil")), jwtbearer.ErrIssuer},
				{"a longer path", of("t1").Token("api1", tid("t1"), jwtbearertest.Claim("iss", "https://login.test/a/t1/v2.0")), jwtbearer.ErrIssuer},
				{"another host", of("t1").Token("api1", tid("t1"), jwtbearertest.Claim("iss", "https://evil.test/t1/v2.0")), jwtbearer.ErrIssuer},
			} {
				if _, err := p.Verify(t.Context(), tt.token); !errors.Is(err, tt.want) {
					t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
				}
			}
		}
		if n := of("evil").Requests(jwtbearertest.EndpointAll); n != 0 {
			t.Errorf("%d fetches for a tenant that is not listed", n)
		}
		if st := v.Status(); len(st.Authorities) != 2 {
			t.Errorf("%d tenants are loaded, want 2", len(st.Authorities))
		}
	})
}

func TestTenantsAreUnloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuers := map[string]*jwtbearertest.Issuer{}
		for i := range 3 {
			url := fmt.Sprintf("https://t%d.id.test", i)
			issuers[url] = newIssuer(t, url)
		}
		v, err := jwtbearer.NewTenants("https://{tenant}.id.test", &jwtbearer.TenantOptions{
			Options:     &jwtbearer.Options{HTTPClient: tenantFarm(issuers)},
			AllowTenant: func(tenant string) bool { return tenant != "t9" },
			MaxLoaded:   2,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		p, _ := v.Policy("api1")
		verify := func(i int, want error) {
			t.Helper()
			token := issuers[fmt.Sprintf("https://t%d.id.test", i)].Token("api1")
			if _, err := p.Verify(t.Context(), token); !errors.Is(err, want) {
				t.Errorf("tenant %d: got %v, want %v", i, err, want)
			}
		}
		verify(0, nil)
		verify(1, nil)
		verify(2, jwtbearer.ErrUnavailable) // both are in use
		time.Sleep(50 * time.Second)
		long := issuers["https://t1.id.test"].Token("api1", jwtbearertest.ExpiresIn(time.Hour))
		if _, err := p.Verify(t.Context(), long); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if _, err := p.Verify(t.Context(), long); err != nil { // from memory, which is use too
			t.Fatal(err)
		}
		verify(2, nil) // takes the place of 0
		if st := v.Status(); len(st.Authorities) != 2 || st.Authorities[0].Issuer != "https://t1.id.test" {
			t.Errorf("loaded: %+v", st.Authorities)
		}
		time.Sleep(2 * time.Minute)
		verify(0, nil) // takes the place of 1, whose tokens are verified anew
		time.Sleep(2 * time.Minute)
		if _, err := p.Verify(t.Context(), long); err != nil {
			t.Errorf("a remembered token of an unloaded tenant: %v", err)
		}
	})
}

// TestJunkKeepsNoTenantLoaded: who can name a tenant cannot keep its place from
// another one by tokens that nobody signed.
func TestJunkKeepsNoTenantLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuers := map[string]*jwtbearertest.Issuer{}
		of := func(i int) *jwtbearertest.Issuer { return issuers[fmt.Sprintf("https://t%d.id.test", i)] }
		for i := range 2 {
			url := fmt.Sprintf("https://t%d.id.test", i)
			issuers[url] = newIssuer(t, url)
		}
		v, err := jwtbearer.NewTenants("https://{tenant}.id.test", &jwtbearer.TenantOptions{
			Options:   &jwtbearer.Options{HTTPClient: tenantFarm(issuers)},
			Tenants:   []string{"t0", "t1"},
			MaxLoaded: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		p, _ := v.Policy("api1")
		for range 4 {
			if _, err := p.Verify(t.Context(), of(0).Token("api1", jwtbearertest.ForgedSignature())); !errors.Is(err, jwtbearer.ErrSignature) {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Second)
		}
		if _, err := p.Verify(t.Context(), of(1).Token("api1")); err != nil {
			t.Errorf("a tenant with good tokens: %v", err)
		}
		time.Sleep(50 * time.Second)
		if _, err := p.Verify(t.Context(), of(1).Token("api1")); err != nil {
			t.Error(err)
		}
		time.Sleep(20 * time.Second)
		if _, err := p.Verify(t.Context(), of(0).Token("api1")); !errors.Is(err, jwtbearer.ErrUnavailable) {
			t.Errorf("a tenant whose good tokens come by the minute made room: %v", err)
		}
	})
}

// TestTenantIsAllowedNoMore: a no of AllowTenant ends what a yes began.
func TestTenantIsAllowedNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer(t, "https://t0.id.test")
		var banned atomic.Bool
		v, err := jwtbearer.NewTenants("https://{tenant}.id.test", &jwtbearer.TenantOptions{
			Options:     &jwtbearer.Options{HTTPClient: tenantFarm(map[string]*jwtbearertest.Issuer{"https://t0.id.test": issuer})},
			AllowTenant: func(string) bool { return !banned.Load() },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		p, _ := v.Policy("api1")
		remembered, fresh := issuer.Token("api1", jwtbearertest.ExpiresIn(time.Hour)), issuer.Token("api1")
		if _, err := p.Verify(t.Context(), remembered); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go v.Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			ended <- context.Cause(r.Context())
		})).ServeHTTP(httptest.NewRecorder(), withToken(t, remembered))
		synctest.Wait()
		banned.Store(true)
		for name, token := range map[string]string{"remembered": remembered, "fresh": fresh} {
			if _, err := p.Verify(t.Context(), token); !errors.Is(err, jwtbearer.ErrIssuer) {
				t.Errorf("%s: got %v, want ErrIssuer", name, err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case err := <-ended:
			if !errors.Is(err, jwtbearer.ErrIssuer) {
				t.Errorf("the request that was under way: got %v, want ErrIssuer", err)
			}
		default:
			t.Error("the request that was under way goes on")
		}
		if st := v.Status(); len(st.Authorities) != 0 || st.Cache.Entries != 0 {
			t.Errorf("it is still held: %+v", st)
		}
		banned.Store(false)
		if _, err := p.Verify(t.Context(), remembered); err != nil {
			t.Errorf("allowed again: %v", err)
		}
	})
}

// withToken is a request that carries the token.
func withToken(t *testing.T, token string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// TestJunkOfManyTenants: tokens that nobody signed, for more tenants than are held
// at a time, do not keep a good client out for longer than a moment, and never once
// it is in.
func TestJunkOfManyTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuers := map[string]*jwtbearertest.Issuer{}
		of := func(i int) *jwtbearertest.Issuer { return issuers[fmt.Sprintf("https://t%d.id.test", i)] }
		for i := range 11 {
			url := fmt.Sprintf("https://t%d.id.test", i)
			issuers[url] = newIssuer(t, url)
		}
		v, err := jwtbearer.NewTenants("https://{tenant}.id.test", &jwtbearer.TenantOptions{
			Options:     &jwtbearer.Options{HTTPClient: tenantFarm(issuers)},
			AllowTenant: func(string) bool { return true },
			MaxLoaded:   5,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		p, _ := v.Policy("api1")
		junk := func() {
			for i := range 10 {
				_, _ = p.Verify(t.Context(), of(i).Token("api1", jwtbearertest.Algorithm("EdDSA"), jwtbearertest.ForgedSignature()))
			}
		}
		junk()
		refused, in := 0, false
		for second := range 10 * 60 {
			if second%5 == 0 && (!in || second%120 == 0) { // by Retry-After, and then every two minutes
				_, err := p.Verify(t.Context(), of(10).Token("api1"))
				switch {
				case err == nil:
					in = true
				case in || !errors.Is(err, jwtbearer.ErrUnavailable):
					t.Fatalf("after %d s: %v", second, err)
				default:
					refused++
				}
			}
			junk()
			time.Sleep(time.Second)
		}
		if !in || refused > 3 {
			t.Errorf("the good client was refused %d times before it was in: %t", refused, in)
		}
	})
}

// TestNewTenantsFetchesNothing: which tenants there are shows when tokens come.
// Many times, since a fetch that is cut off may not have begun.
func TestNewTenantsFetchesNothing(t *testing.T) {
	var fetches atomic.Int64
	o := &jwtbearer.Options{HTTPClient: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		fetches.Add(1)
		return nil, errors.New("away")
	})}}
	for range 3000 {
		v, err := jwtbearer.NewTenants("https://{tenant}.id.test", &jwtbearer.TenantOptions{Options: o, Tenants: []string{"t0"}})
		if err != nil {
			t.Fatal(err)
		}
		_ = v.Close()
	}
	if n := fetches.Load(); n > 0 {
		t.Errorf("%d fetches", n)
	}
}

func TestTenantMistakes(t *testing.T) {
	ok := &jwtbearer.TenantOptions{Tenants: []string{"a"}}
	for _, tt := range []struct {
		template string
		opts     *jwtbearer.TenantOptions
	}{
		{"https://id.test", ok},
		{"https://{a}.{b}.test", ok},
		{"https://{}.test", ok},
		{"https://{a.test", ok},
		{"http://{a}.test", ok},
		{"https://{a}.test", nil},
		{"https://{a}.test", &jwtbearer.TenantOptions{}},
		{"https://{a}.test", &jwtbearer.TenantOptions{Tenants: []string{"a/b"}}},
		{"https://{a}.test", &jwtbearer.TenantOptions{Tenants: []string{"a"}, MaxLoaded: -1}},
	} {
		if v, err := jwtbearer.NewTenants(tt.template, tt.opts); err == nil {
			v.Close()
			t.Errorf("%s %+v: no error", tt.template, tt.opts)
		}
	}
}

func TestJoinRefusesOneTemplateTwice(t *testing.T) {
	for template, refused := range map[string]bool{
		"https://id.test/{a}": true, "https://id.test/{b}": true, "https://id.test/{a}/": true, "https://id.test/{a}/v2": false,
	} {
		var members []*jwtbearer.Verifier
		for _, of := range []string{"https://id.test/{a}", template} {
			v, err := jwtbearer.NewTenants(of, &jwtbearer.TenantOptions{Tenants: []string{"t0"}})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			members = append(members, v)
		}
		if _, err := jwtbearer.Join(members...); (err != nil) != refused {
			t.Errorf("%s: error %v", template, err)
		}
	}
}
