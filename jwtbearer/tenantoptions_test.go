package jwtbearer_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestTenantsShareNoAuthority: keys or an Introspector for all tenants would let
// one of them speak for the others, and so would a template that leaves a part of
// the issuer open.
func TestTenantsShareNoAuthority(t *testing.T) {
	// The issuer of the tenant by whose name a template is tried.
	static, err := jwks.NewStatic("https://id.test/tenant", []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer static.Close()
	introspector := introspectorFunc(func(context.Context, string) ([]byte, error) { return nil, errors.New("away") })
	for name, tt := range map[string]struct {
		template string
		options  jwtbearer.Options
		field    string // that the error names; "" if there is none
	}{
		"nothing":            {"https://id.test/{tenant}", jwtbearer.Options{}, ""},
		"keys":               {"https://id.test/{tenant}", jwtbearer.Options{Keys: static}, "Options.Keys"},
		"an Introspector":    {"https://id.test/{tenant}", jwtbearer.Options{Introspector: introspector}, "Options.Introspector"},
		"two placeholders":   {"https://id.test/{tenant}/{other}", jwtbearer.Options{}, "template"},
		"a brace too many":   {"https://id.test/{tenant}/}", jwtbearer.Options{}, "template"},
		"one twice the same": {"https://id.test/{tenant}/{tenant}", jwtbearer.Options{}, "template"},
	} {
		v, err := jwtbearer.NewTenants(tt.template, &jwtbearer.TenantOptions{Tenants: []string{"t1"}, Options: &tt.options})
		if err == nil {
			v.Close()
		}
		if (err == nil) != (tt.field == "") || err != nil && !strings.HasPrefix(err.Error(), "jwtbearer: "+tt.field+" = ") {
			t.Errorf("%s: got error %v, want one about %q", name, err, tt.field)
		}
	}
}

// TestJoinOfTwoIntrospectors: an opaque token does not say whom to ask.
func TestJoinOfTwoIntrospectors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var members []*jwtbearer.Verifier
		for _, url := range []string{"https://a.test", "https://b.test"} {
			members = append(members, newIssuer(t, url).Verifier(t, &jwtbearer.Options{
				Introspector: introspectorFunc(func(context.Context, string) ([]byte, error) { return nil, errors.New("away") }),
			}))
		}
		if _, err := jwtbearer.Join(members...); err == nil {
			t.Error("two members with an Introspector: no error")
		}
		plain := newIssuer(t, "https://c.test").Verifier(t, nil)
		if _, err := jwtbearer.Join(members[0], plain); err != nil {
			t.Errorf("one member with an Introspector: %v", err)
		}
	})
}

// TestCloseWhileATenantIsLoaded: a verifier that is closed between two steps of a
// check begins no fetch that nobody would end.
func TestCloseWhileATenantIsLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fetches := 0
		var v *jwtbearer.Verifier
		v, err := jwtbearer.NewTenants("https://{tenant}.id.test", &jwtbearer.TenantOptions{
			Options: &jwtbearer.Options{HTTPClient: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				fetches++
				return nil, errors.New("away")
			})}},
			AllowTenant: func(string) bool {
				v.Close()
				return true
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := v.Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		token := newIssuer(t, "https://issuer.test").Token("api1", jwtbearertest.Claim("iss", "https://t1.id.test"))
		if _, err := p.Verify(t.Context(), token); !errors.Is(err, jwtbearer.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
		synctest.Wait()
		if st := v.Status(); len(st.Authorities) != 0 || fetches != 0 {
			t.Errorf("%d tenants are loaded and %d fetches were made, want none", len(st.Authorities), fetches)
		}
	})
}
