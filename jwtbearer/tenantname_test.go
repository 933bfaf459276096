package jwtbearer_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestTenantNames: what an unverified token names as its tenant becomes a part of
// an address, so nothing that means more than one label or segment gets as far as
// AllowTenant, whatever that says.
func TestTenantNames(t *testing.T) {
	const path, host = "https://login.test/{tenant}/v2.0", "https://{tenant}.id.test"
	long := strings.Repeat("x", 128)
	for _, tt := range []struct {
		template, issuer string
		asked            string
	}{
		{path, "https://login.test/t1/v2.0", "t1"},
		{path, "https://login.test/t1/v2.0/", "t1"},
		{path, "https://login.test/A-b_9/v2.0", "A-b_9"},
		{path, "https://login.test/" + long + "/v2.0", long},
		{path, "https://login.test/" + long + "x/v2.0", ""},
		{path, "https://login.test//v2.0", ""},
		{path, "https://login.test/a/b/v2.0", ""},
		{path, "https://login.test/../v2.0", ""},
		{path, "https://login.test/t1%2f..%2ft2/v2.0", ""},
		{path, "https://login.test/t1?/v2.0", ""},
		{path, "https://login.test/t1#/v2.0", ""},
		{path, "https://login.test/tést/v2.0", ""},
		{path, "https://login.test/t1 /v2.0", ""},
		{path, "https://login.test/t1", ""},
		{path, "https://login.tesT/t1/v2.0", ""},
		{host, "https://t1.id.test", "t1"},
		{host, "https://evil.test/x.id.test", ""},
		{host, "https://x@evil.test/y.id.test", ""},
		{host, "https://evil.test:443/.id.test", ""},
		{host, "https://a.b.id.test", ""},
		{host, "https://.id.test", ""},
		{host, "https://t1.id.test.evil.test", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			var asked, fetched []string
			v, err := jwtbearer.NewTenants(tt.template, &jwtbearer.TenantOptions{
				Options: &jwtbearer.Options{HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					fetched = append(fetched, r.URL.String())
					return nil, errors.New("nobody is there")
				})}},
				AllowTenant: func(tenant string) bool {
					asked = append(asked, tenant)
					return tt.asked == "" // what should not be asked about would pass
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			p, err := v.Policy("api1")
			if err != nil {
				t.Fatal(err)
			}
			token := newIssuer(t, "https://issuer.test").Token("api1", jwtbearertest.Claim("iss", tt.issuer))
			if _, err := p.Verify(t.Context(), token); !errors.Is(err, jwtbearer.ErrIssuer) {
				t.Errorf("%s: got %v, want ErrIssuer", tt.issuer, err)
			}
			if got := strings.Join(asked, " "); got != tt.asked {
				t.Errorf("%s: AllowTenant was asked about %q, want %q", tt.issuer, got, tt.asked)
			}
			if len(fetched) > 0 {
				t.Errorf("%s: fetched %q", tt.issuer, fetched)
			}
		})
	}
}
