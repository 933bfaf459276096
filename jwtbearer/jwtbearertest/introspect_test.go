package jwtbearertest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func TestIntrospection(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{Clients: []*jwtbearertest.Client{
			{ID: "client", Secret: "secret"},
			{ID: "public", RedirectURIs: []string{callback}},
		}})
		introspect := func(token string) map[string]any {
			t.Helper()
			a := post(t, issuer, "/introspect", form("token", token))
			if a.status != 200 {
				t.Fatalf("got %d %v", a.status, a.body)
			}
			if a.body["active"] != true && len(a.body) != 1 {
				t.Errorf("got %v: an inactive token must say nothing else", a.body)
			}
			return a.body
		}
		tokens := issuer.SignIn(nil)
		got := introspect(tokens.AccessToken)
		if got["active"] != true || got["sub"] != "alice" || got["username"] != "alice" || got["client_id"] != "client" || got["scope"] != "openid profile offline_access" ||
			got["aud"] != "api1" || got["iss"] != issuer.URL() || got["sid"] != tokens.SessionID || got["token_type"] != "Bearer" || got["exp"] == nil || got["jti"] == nil {
			t.Errorf("got %v", got)
		}
		opaque := issuer.OpaqueToken("api1", jwtbearertest.Scopes("orders"), jwtbearertest.Subject("carol"))
		if got := introspect(opaque); strings.Contains(opaque, ".") || got["scope"] != "orders" || got["sub"] != "carol" || got["username"] != nil {
			t.Errorf("%q: got %v", opaque, got)
		}
		if got := introspect(tokens.RefreshToken); got["active"] != true || got["token_type"] != nil {
			t.Errorf("refresh token: got %v", got)
		}
		old := issuer.Token("api1")
		issuer.RotateHard()
		if introspect(old)["active"] != true {
			t.Error("the issuer must know its own tokens after a rotation")
		}
		for name, token := range map[string]string{
			"nothing":       "x",
			"ID token":      tokens.IDToken,
			"made ID token": issuer.IDToken("client"),
			"logout token":  issuer.LogoutToken("client"),
			"expired":       issuer.Token("api1", jwtbearertest.ExpiresIn(0)),
			"no exp":        issuer.Token("api1", jwtbearertest.WithoutClaim("exp")),
			"not yet":       issuer.Token("api1", jwtbearertest.NotBefore(time.Now().Add(time.Second))),
			"forged":        issuer.Token("api1", jwtbearertest.ForgedSignature()),
			"unsigned":      issuer.Token("api1", jwtbearertest.AlgNone()),
			"HMAC":          issuer.Token("api1", jwtbearertest.HMACWithPublicKey()),
			"stranger":      issuer.Token("api1", jwtbearertest.SignedByStranger()),
			"other issuer":  issuer.Token("api1", jwtbearertest.Claim("iss", "https://other.test")),
			"ended session": issuer.Token("api1", jwtbearertest.Claim("sid", "x")),
		} {
			if got := introspect(token); got["active"] != false {
				t.Errorf("%s: got %v", name, got)
			}
		}
		if introspect(issuer.Token("api1", jwtbearertest.Claim("sid", tokens.SessionID)))["active"] != true {
			t.Error("a token of a living session is not active")
		}
		issuer.EndSession(tokens.SessionID)
		if introspect(tokens.AccessToken)["active"] != false || introspect(tokens.RefreshToken)["active"] != false {
			t.Error("active after the end of the session")
		}
		for _, test := range []struct {
			want  string
			pairs []string
		}{
			{"Unauthorized invalid_client", []string{"token", "x", "client_id", "public"}},
			{"Unauthorized invalid_client", []string{"token", "x", "client_id", "nobody"}},
			{"Unauthorized invalid_client", []string{"token", "x", "client_id", "client", "client_secret", "wrong"}},
			{"Bad Request invalid_request", nil},
		} {
			if got := post(t, issuer, "/introspect", form(test.pairs...)).failure(); got != test.want {
				t.Errorf("%v: got %q, want %q", test.pairs, got, test.want)
			}
		}
	})
}

// A token is active while it is usable (RFC 7662, Section 2.2).
func TestIntrospectionOfAUsedRefreshToken(t *testing.T) {
	for usage, want := range map[jwtbearertest.RefreshUsage]bool{jwtbearertest.OneTimeRefresh: false, jwtbearertest.ReusableRefresh: true} {
		inBubble(t, map[bool]string{false: "one time", true: "reusable"}[want], func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t, withClient(func(c *jwtbearertest.Client) { c.RefreshUsage = usage }))
			value := issuer.SignIn(nil).RefreshToken
			next := refreshed(t, issuer, value).RefreshToken
			active := func(value string) any {
				t.Helper()
				return post(t, issuer, "/introspect", form("token", value)).body["active"]
			}
			time.Sleep(30 * time.Second)
			if active(value) != true {
				t.Error("not active within the leeway")
			}
			time.Sleep(moment)
			if got := active(value); got != want {
				t.Errorf("after the leeway: got active %v, want %v", got, want)
			}
			// To ask is not to use.
			if active(next) != true {
				t.Error("the next token is not active")
			}
			refreshed(t, issuer, next)
		})
	}
}

func TestOpaqueTokensOfAClient(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, withClient(func(c *jwtbearertest.Client) { c.OpaqueTokens = true }))
	tokens := issuer.SignIn(nil)
	if strings.Contains(tokens.AccessToken, ".") {
		t.Error("got a JWT")
	}
	if got, active := issuer.Introspect(tokens.AccessToken); !active || got["sub"] != "alice" {
		t.Errorf("got %v, %v", got, active)
	}
	post(t, issuer, "/revoke", form("token", tokens.AccessToken))
	if _, active := issuer.Introspect(tokens.AccessToken); active {
		t.Error("active after it was revoked")
	}
}

func TestTokenExchange(t *testing.T) {
	const grant, access = "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:token-type:access_token"
	issuer := jwtbearertest.NewIssuer(t)
	tokens := issuer.SignIn(&jwtbearertest.SignIn{Scopes: []string{"openid", "orders.read", "orders.write"}})
	exchange := func(pairs ...string) answer {
		t.Helper()
		values := form("grant_type", grant, "subject_token", tokens.AccessToken, "subject_token_type", access)
		for n := 0; n < len(pairs); n += 2 {
			values.Set(pairs[n], pairs[n+1])
		}
		return post(t, issuer, "/token", values)
	}
	a := exchange("audience", "stock", "scope", "orders.read")
	c := claims(t, a.text("access_token"))
	if a.text("issued_token_type") != access || a.text("refresh_token") != "" || a.text("id_token") != "" || c["aud"] != "stock" || c["sub"] != "alice" || c["scope"] != "orders.read" || c["sid"] != tokens.SessionID || c["act"] != nil {
		t.Errorf("got %v with %v", a.body, c)
	}
	machine := issuer.Token("stock", jwtbearertest.Subject("machine"))
	first := exchange("actor_token", machine, "actor_token_type", access)
	second := exchange("subject_token", first.text("access_token"), "actor_token", issuer.Token("x", jwtbearertest.Subject("second")), "actor_token_type", access)
	act, _ := claims(t, second.text("access_token"))["act"].(map[string]any)
	inner, _ := act["act"].(map[string]any)
	if act["sub"] != "second" || inner["sub"] != "machine" {
		t.Errorf("got act %v", act)
	}
	third := claims(t, exchange("subject_token", first.text("access_token")).text("access_token"))
	if act, _ := third["act"].(map[string]any); act["sub"] != "machine" || third["scope"] != "openid orders.read orders.write" || third["aud"] != "api1" {
		t.Errorf("without actor and scope: got %v, want both of the subject token", third)
	}
	for name, test := range map[string]struct {
		want  string
		pairs []string
	}{
		"no token":         {"Bad Request invalid_request", []string{"subject_token", ""}},
		"no type":          {"Bad Request invalid_request", []string{"subject_token_type", ""}},
		"other type":       {"Bad Request invalid_request", []string{"subject_token_type", "urn:ietf:params:oauth:token-type:saml2"}},
		"forged":           {"Bad Request invalid_request", []string{"subject_token", issuer.Token("api1", jwtbearertest.ForgedSignature())}},
		"more scopes":      {"Bad Request invalid_scope", []string{"scope", "admin"}},
		"other result":     {"Bad Request invalid_request", []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}},
		"actor alone":      {"Bad Request invalid_request", []string{"actor_token", machine}},
		"actor type alone": {"Bad Request invalid_request", []string{"actor_token_type", access}},
		"bad actor":        {"Bad Request invalid_request", []string{"actor_token", "x", "actor_token_type", access}},
	} {
		if got := exchange(test.pairs...).failure(); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	issuer.EndSession(tokens.SessionID)
	if _, active := issuer.Introspect(a.text("access_token")); active {
		t.Error("the exchanged token outlives the session")
	}
	if got := exchange().failure(); got != "Bad Request invalid_request" {
		t.Errorf("a token of an ended session: got %q", got)
	}
}

// A client gets no more by exchanging a token than by asking for it.
func TestTokenExchangeKeepsToTheScopesOfTheClient(t *testing.T) {
	const grant, access = "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:token-type:access_token"
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{Clients: []*jwtbearertest.Client{
		{ID: "client", Secret: "secret", Grants: []string{grant, "refresh_token"}},
		{ID: "narrow", Secret: "secret", Grants: []string{grant}, Scopes: []string{"read", "write"}},
	}})
	subject := issuer.Token("api1", jwtbearertest.Scopes("read", "admin", "offline_access"))
	for _, test := range []struct {
		client, scope, want string
	}{
		{"narrow", "", "read"},
		{"narrow", "read", "read"},
		{"narrow", "read offline_access", "read"},
		{"narrow", "read admin", "invalid_scope"},
		{"narrow", "write", "invalid_scope"},
		// No refresh token comes of an exchange.
		{"client", "", "read admin"},
		{"client", "read offline_access", "read"},
	} {
		a := post(t, issuer, "/token", form("grant_type", grant, "subject_token", subject, "subject_token_type", access,
			"scope", test.scope, "client_id", test.client, "client_secret", "secret"))
		got := a.text("error")
		if got == "" {
			got, _ = claims(t, a.text("access_token"))["scope"].(string)
		}
		if got != test.want || a.status == 200 && a.text("scope") != got {
			t.Errorf("%s, %q: got %q and %q in the answer, want %q", test.client, test.scope, got, a.text("scope"), test.want)
		}
	}
}
