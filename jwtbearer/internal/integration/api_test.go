//go:build integration && unix

package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	audience = "https://api.example.test"
	// The server tells resources apart by their indicator; these differ in how
	// their tokens are made, and not in the audience that the tokens are for.
	resourceRS256 = audience + "/rs256"
	resourceES256 = audience + "/es256"
	resourceEdDSA = audience + "/eddsa"
	resourceShort = audience + "/short"
	resourceOther = "https://other.example.test"
)

var service = ServiceClient("service", "a secret of the test")

func configuration(port int) Config {
	return Config{
		Port:    port,
		Clients: []Client{service},
		Resources: map[string]Resource{
			resourceRS256: {Audience: audience, Alg: "RS256", Scope: "orders.read orders.write"},
			resourceES256: {Audience: audience, Alg: "ES256", Scope: "orders.read orders.write"},
			resourceEdDSA: {Audience: audience, Alg: "EdDSA", Scope: "orders.read orders.write"},
			resourceShort: {Audience: audience, Alg: "ES256", AccessTokenTTL: 2},
			resourceOther: {Alg: "ES256", Scope: "orders.write"},
		},
	}
}

func TestTokensOfARealServer(t *testing.T) {
	provider := Start(t, configuration(0))
	api := startAPI(t, buildAPI(t), "-authority", provider.Issuer, "-audience", audience, "-clock-skew", "2s", "-allow-http")
	api.waitReady(t, 10*time.Second)

	t.Run("no token", func(t *testing.T) {
		got := api.call(t, http.MethodGet, "/orders", "")
		if got.status != http.StatusUnauthorized || got.challenge != "Bearer" {
			t.Errorf("got %+v, want 401 and a bare challenge", got)
		}
	})

	for _, resource := range []string{resourceRS256, resourceES256, resourceEdDSA} {
		_, alg, _ := strings.Cut(resource, audience+"/")
		t.Run("good token, "+alg, func(t *testing.T) {
			token := provider.Token(t, service, resource, "orders.read")
			for range 2 { // first seen, then repeated
				got := api.call(t, http.MethodGet, "/orders", token)
				if !got.has(http.StatusOK) {
					t.Fatalf("got %+v, want 200", got)
				}
				page := got.listed(t)
				if page.Sub != "service" || page.Scope != "orders.read" || page.Exp <= time.Now().Unix() {
					t.Errorf("got %+v, want the claims of the token", page)
				}
			}
		})
		t.Run("scope, "+alg, func(t *testing.T) {
			lacking := provider.Token(t, service, resource, "orders.read")
			got := api.call(t, http.MethodPost, "/orders", lacking)
			if !got.has(http.StatusForbidden, `error="insufficient_scope"`, `scope="orders.write"`) {
				t.Errorf("without: got %+v, want 403 insufficient_scope", got)
			}
			having := provider.Token(t, service, resource, "orders.read orders.write")
			if got := api.call(t, http.MethodPost, "/orders", having); !got.has(http.StatusCreated) {
				t.Errorf("with: got %+v, want 201", got)
			}
		})
		t.Run("forged signature, "+alg, func(t *testing.T) {
			token := provider.Token(t, service, resource, "")
			if got := api.call(t, http.MethodGet, "/orders", forge(token)); !got.has(http.StatusUnauthorized, `error="invalid_token"`) {
				t.Errorf("got %+v, want 401 invalid_token", got)
			}
			if got := api.call(t, http.MethodGet, "/orders", token); !got.has(http.StatusOK) {
				t.Errorf("its twin: got %+v, want 200", got)
			}
		})
	}

	t.Run("wrong audience", func(t *testing.T) {
		token := provider.Token(t, service, resourceOther, "orders.write")
		got := api.call(t, http.MethodGet, "/orders", token)
		if !got.has(http.StatusUnauthorized, `error="invalid_token"`, "the token is not meant for this API") {
			t.Errorf("got %+v, want 401 invalid_token", got)
		}
	})

	t.Run("expired", func(t *testing.T) {
		const skew = 2 * time.Second
		token := provider.Token(t, service, resourceShort, "")
		first := api.call(t, http.MethodGet, "/orders", token)
		if !first.has(http.StatusOK) {
			t.Fatalf("fresh: got %+v, want 200", first)
		}
		expiry := time.Unix(first.listed(t).Exp, 0)

		within := false // seen good after its expiry, within the tolerance
		for {
			before := time.Now()
			got := api.call(t, http.MethodGet, "/orders", token)
			after := time.Now()
			if got.has(http.StatusOK) {
				within = within || before.After(expiry)
				if before.After(expiry.Add(skew)) {
					t.Fatalf("accepted %v after exp, with a tolerance of %v", before.Sub(expiry), skew)
				}
				time.Sleep(100 * time.Millisecond)
				continue
			}
			if !got.has(http.StatusUnauthorized, `error="invalid_token"`, "the token has expired") {
				t.Errorf("got %+v, want 401 invalid_token", got)
			}
			if after.Before(expiry.Add(skew)) {
				t.Errorf("refused %v after exp, with a tolerance of %v", after.Sub(expiry), skew)
			}
			break
		}
		if !within {
			t.Error("the token was not accepted within the tolerance")
		}
	})
}

func TestKeyRotation(t *testing.T) {
	provider := Start(t, configuration(0))
	api := startAPI(t, buildAPI(t), "-authority", provider.Issuer, "-audience", audience, "-allow-http")
	api.waitReady(t, 10*time.Second)

	good := func(t *testing.T, token, what string) {
		t.Helper()
		if got := api.call(t, http.MethodGet, "/orders", token); !got.has(http.StatusOK) {
			t.Errorf("%s: got %+v, want 200", what, got)
		}
	}
	first := provider.Token(t, service, resourceRS256, "")
	good(t, first, "before any rotation")

	provider.Rotate(t, true)
	second := provider.Token(t, service, resourceRS256, "")
	good(t, second, "the new key, at once")
	good(t, first, "the old key, still published")

	provider.Rotate(t, false)
	third := provider.Token(t, service, resourceES256, "")
	good(t, third, "the new key, at once")
	// The refresh that found the new key has seen that the others are gone.
	for name, token := range map[string]string{"first": first, "second": second} {
		got := api.call(t, http.MethodGet, "/orders", token)
		if !got.has(http.StatusUnauthorized, `error="invalid_token"`) {
			t.Errorf("%s token, whose key is gone: got %+v, want 401 invalid_token", name, got)
		}
	}
}

func TestServerAway(t *testing.T) {
	port := freePort(t)
	program := buildAPI(t)

	// A token for later, from a server that is gone again.
	provider := Start(t, configuration(port))
	issuer := provider.Issuer
	token := provider.Token(t, service, resourceES256, "")
	provider.Stop()

	api := startAPI(t, program, "-authority", issuer, "-audience", audience, "-allow-http")
	if got := api.call(t, http.MethodGet, "/healthz", ""); !got.has(http.StatusOK) {
		t.Errorf("/healthz while the server is away: got %+v, want 200", got)
	}
	if got := api.call(t, http.MethodGet, "/readyz", ""); !got.has(http.StatusServiceUnavailable) {
		t.Errorf("/readyz while the server is away: got %+v, want 503", got)
	}
	begin := time.Now()
	got := api.call(t, http.MethodGet, "/orders", token)
	if !got.has(http.StatusServiceUnavailable) || got.retryAfter == "" || strings.Contains(got.challenge, "error=") {
		t.Errorf("no keys yet: got %+v, want 503 with Retry-After and no error code", got)
	}
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("no keys yet: answered after %v", took)
	}

	provider = Start(t, configuration(port))
	api.waitReady(t, 10*time.Second)
	token = provider.Token(t, service, resourceES256, "")
	if got := api.call(t, http.MethodGet, "/orders", token); !got.has(http.StatusOK) {
		t.Errorf("the server is back: got %+v, want 200", got)
	}

	unseen := provider.Token(t, service, resourceRS256, "")
	provider.Stop()
	for name, token := range map[string]string{"seen": token, "unseen": unseen} {
		if got := api.call(t, http.MethodGet, "/orders", token); !got.has(http.StatusOK) {
			t.Errorf("the server is away again, %s token: got %+v, want 200", name, got)
		}
	}
	if got := api.call(t, http.MethodGet, "/readyz", ""); !got.has(http.StatusOK) {
		t.Errorf("/readyz with keys at hand: got %+v, want 200", got)
	}
}

// forge changes one bit of the signature of a token, away from its end, where
// the last character has bits that mean nothing.
func forge(token string) string {
	at := strings.LastIndexByte(token, '.') + 10
	other := byte('A')
	if token[at] == other {
		other = 'B'
	}
	return fmt.Sprintf("%s%c%s", token[:at], other, token[at+1:])
}
