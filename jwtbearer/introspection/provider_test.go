//go:build integration && unix

package introspection_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/integration"
	"github.com/bearerguard/bearerguard/jwtbearer/introspection"
)

// TestOIDCProvider asks a real authorization server about its opaque tokens.
func TestOIDCProvider(t *testing.T) {
	const id, secret = "machine", "a-secret-of-the-machine"
	provider := integration.Start(t, integration.Config{Clients: []integration.Client{
		integration.ServiceClient(id, secret),
		func() integration.Client {
			c := integration.ServiceClient("poster", secret)
			c["token_endpoint_auth_method"] = "client_secret_post"
			return c
		}(),
	}})
	post := func(path string, form url.Values, answer any) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, provider.Issuer+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(id, secret)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: got %s", path, res.Status)
		}
		if answer != nil {
			if err := json.NewDecoder(res.Body).Decode(answer); err != nil {
				t.Fatal(err)
			}
		}
	}
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	post("/token", url.Values{"grant_type": {"client_credentials"}}, &tokens)
	if strings.Contains(tokens.AccessToken, ".") || tokens.AccessToken == "" {
		t.Fatal("the token is not an opaque one")
	}

	open := func(opts introspection.Options) *introspection.Client {
		opts.InsecureAllowHTTP, opts.MaxCacheLife, opts.Logger = true, introspection.NoCache, quiet
		c, err := introspection.New(provider.Issuer+"/token/introspection", &opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	basic := open(introspection.Options{ClientID: id, ClientSecret: secret})
	inBody := open(introspection.Options{ClientID: "poster", ClientSecret: secret, SecretInBody: true})
	wrong := open(introspection.Options{ClientID: id, ClientSecret: "wrong"})
	for name, c := range map[string]*introspection.Client{"basic": basic, "in the body": inBody} {
		body, err := c.Introspect(t.Context(), tokens.AccessToken)
		var claims struct {
			ClientID string `json:"client_id"`
		}
		if err != nil || json.Unmarshal(body, &claims) != nil || claims.ClientID != id {
			t.Errorf("%s: got %s, error %v, want the claims", name, body, err)
		}
		if _, err := c.Introspect(t.Context(), "unknown"); !errors.Is(err, jwtbearer.ErrInactive) {
			t.Errorf("%s, an unknown token: got %v, want ErrInactive", name, err)
		}
	}
	if _, err := wrong.Introspect(t.Context(), tokens.AccessToken); !isUnknown(err) {
		t.Errorf("wrong credentials: got %v, want an error of no class", err)
	}
	post("/token/revocation", url.Values{"token": {tokens.AccessToken}}, nil)
	if _, err := basic.Introspect(t.Context(), tokens.AccessToken); !errors.Is(err, jwtbearer.ErrInactive) {
		t.Errorf("after its revocation: got %v, want ErrInactive", err)
	}
	provider.Stop()
	if _, err := basic.Introspect(t.Context(), tokens.AccessToken); !isUnknown(err) {
		t.Errorf("after the server ended: got %v, want an error of no class", err)
	}
}
