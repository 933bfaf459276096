package jwtbearer_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestRememberedTokenOfABannedTenant: AllowTenant is asked about it like about any
// other, from the first request on.
func TestRememberedTokenOfABannedTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var banned atomic.Bool
		p, issuers := tenantPolicy(t, jwtbearer.TenantOptions{AllowTenant: func(string) bool { return !banned.Load() }}, "t0")
		issuer := issuers["https://t0.id.test"]
		token := issuer.Token("api1")
		for _, want := range []error{nil, nil, jwtbearer.ErrIssuer, jwtbearer.ErrIssuer} {
			banned.Store(want != nil)
			if _, err := p.Verify(t.Context(), token); !errors.Is(err, want) {
				t.Errorf("banned %v: got %v, want %v", want != nil, err, want)
			}
		}
	})
}

// TestRememberedTokenKeepsItsTenantLoaded: a tenant whose one client goes on with
// one token is in use.
func TestRememberedTokenKeepsItsTenantLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, issuers := tenantPolicy(t, jwtbearer.TenantOptions{MaxLoaded: 1}, "t0", "t1")
		wants := func(tenant, token string, want error) {
			t.Helper()
			if _, err := p.Verify(t.Context(), token); !errors.Is(err, want) {
				t.Errorf("a token of %s: got %v, want %v", tenant, err, want)
			}
		}
		token := issuers["https://t0.id.test"].Token("api1", jwtbearertest.ExpiresIn(time.Hour))
		other := func() string { return issuers["https://t1.id.test"].Token("api1") }
		wants("t0", token, nil)
		for range 5 {
			time.Sleep(50 * time.Second)
			wants("t0", token, nil) // from memory
			wants("t1", other(), jwtbearer.ErrUnavailable)
		}
		time.Sleep(time.Minute)
		wants("t1", other(), nil)
	})
}

// TestTenantIsGivenItsTime: a tenant that was just loaded has ten seconds for its
// first good token, or junk for many tenants would keep all of them out.
func TestTenantIsGivenItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, issuers := tenantPolicy(t, jwtbearer.TenantOptions{MaxLoaded: 1}, "t0", "t1")
		forged := issuers["https://t0.id.test"].Token("api1", jwtbearertest.ForgedSignature())
		if _, err := p.Verify(t.Context(), forged); !errors.Is(err, jwtbearer.ErrSignature) {
			t.Fatalf("forged: got %v, want ErrSignature", err)
		}
		other := issuers["https://t1.id.test"].Token("api1")
		for _, tt := range []struct {
			wait time.Duration
			want error
		}{{0, jwtbearer.ErrUnavailable}, {10*time.Second - 1, jwtbearer.ErrUnavailable}, {1, nil}} {
			time.Sleep(tt.wait)
			if _, err := p.Verify(t.Context(), other); !errors.Is(err, tt.want) {
				t.Errorf("%v later: got %v, want %v", tt.wait, err, tt.want)
			}
		}
	})
}
