package jwtbearertest_test

import (
	"errors"
	"testing"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func TestFI10ExtensionGrants(t *testing.T) {
	const name = "urn:example:grant"
	var request *jwtbearertest.GrantRequest
	var grant *jwtbearertest.Grant
	var refusal error
	options := &jwtbearertest.Options{
		Grants: map[string]jwtbearertest.GrantFunc{
			name: func(r *jwtbearertest.GrantRequest) (*jwtbearertest.Grant, error) {
				request = r
				return grant, refusal
			},
		},
		Clients: []*jwtbearertest.Client{
			{ID: "client", Secret: "secret", Grants: []string{name, "refresh_token"}},
			{ID: "other", Secret: "secret"},
		},
	}
	issuer := jwtbearertest.NewIssuer(t, options)
	ask := func(pairs ...string) answer {
		t.Helper()
		values := form("grant_type", name, "scope", "openid orders offline_access", "x", "y")
		for n := 0; n < len(pairs); n += 2 {
			values.Set(pairs[n], pairs[n+1])
		}
		return post(t, issuer, "/token", values)
	}

	grant = &jwtbearertest.Grant{Subject: "bob", SignIn: true, Claims: map[string]any{"tenant": "t1"}, Audience: []string{"api2"}}
	a := ask()
	c := claims(t, a.text("access_token"))
	if a.status != 200 || c["sub"] != "bob" || c["tenant"] != "t1" || c["aud"] != "api2" || c["sid"] == nil || a.text("id_token") == "" || a.text("refresh_token") == "" {
		t.Errorf("got %v with %v", a.body, c)
	}
	if request.Form.Get("x") != "y" || request.Client.ID != "client" || request.Issuer != issuer || request.Context == nil || len(request.Scopes) != 3 {
		t.Errorf("got request %+v", request)
	}
	renewed := claims(t, refreshed(t, issuer, a.text("refresh_token")).AccessToken)
	if renewed["tenant"] != "t1" || renewed["aud"] != "api2" || renewed["sid"] != c["sid"] {
		t.Errorf("after a refresh: got %v", renewed)
	}

	grant = &jwtbearertest.Grant{Subject: "bob", Scopes: []string{"read"}}
	a = ask()
	if c := claims(t, a.text("access_token")); a.status != 200 || c["sid"] != nil || c["scope"] != "read" || a.text("refresh_token") != "" {
		t.Errorf("without a sign-in: got %v with %v", a.body, c)
	}

	grant = &jwtbearertest.Grant{Subject: "bob"}
	a = ask()
	if c := claims(t, a.text("access_token")); c["scope"] != "openid orders" || a.text("scope") != "openid orders" || a.text("refresh_token") != "" {
		t.Errorf("without a sign-in: got scope %q, %q in the answer, want %q", c["scope"], a.text("scope"), "openid orders")
	}

	for _, test := range []struct {
		name    string
		grant   *jwtbearertest.Grant
		refusal error
		pairs   []string
		want    string
		text    string
	}{
		{"refusal", nil, jwtbearertest.InvalidGrant("no such link"), nil, "Bad Request invalid_grant", "no such link"},
		{"other code", nil, &jwtbearertest.Error{Code: "invalid_target", Status: 403}, nil, "Forbidden invalid_target", ""},
		{"other error", nil, errors.New("password=secret"), nil, "Bad Request invalid_grant", "The grant was refused."},
		{"nothing", nil, nil, nil, "Bad Request invalid_grant", "The user is unknown."},
		{"unknown user", &jwtbearertest.Grant{Subject: "eve"}, nil, nil, "Bad Request invalid_grant", "The user is unknown."},
		{"client without the grant", grant, nil, []string{"client_id", "other", "client_secret", "secret"}, "Bad Request unauthorized_client", "The client may not use this grant type."},
		{"unknown type", grant, nil, []string{"grant_type", name + "x"}, "Bad Request unsupported_grant_type", "The grant type is unknown."},
	} {
		grant, refusal = test.grant, test.refusal
		a := ask(test.pairs...)
		if a.failure() != test.want || a.text("error_description") != test.text {
			t.Errorf("%s: got %q, %q, want %q, %q", test.name, a.failure(), a.text("error_description"), test.want, test.text)
		}
	}
}

func TestDiscoveryTellsWhatThereIs(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{
		Path:   "/realms/x",
		APIs:   []jwtbearertest.API{{Audience: "api1", Scopes: []string{"orders"}}},
		Grants: map[string]jwtbearertest.GrantFunc{"link_user": func(*jwtbearertest.GrantRequest) (*jwtbearertest.Grant, error) { return nil, nil }},
	})
	doc := getJSON(t, issuer, issuer.URL()+"/.well-known/openid-configuration")
	for _, name := range []string{"authorization", "token", "revocation", "introspection", "userinfo", "end_session"} {
		url, _ := doc[name+"_endpoint"].(string)
		if res, _ := get(t, issuer, url); res.StatusCode == 404 {
			t.Errorf("%s: nothing at %q", name, url)
		}
	}
	holds := func(member, value string) bool {
		list, _ := doc[member].([]any)
		for _, v := range list {
			if v == value {
				return true
			}
		}
		return false
	}
	for member, value := range map[string]string{
		"code_challenge_methods_supported":              "S256",
		"grant_types_supported":                         "link_user",
		"scopes_supported":                              "orders",
		"token_endpoint_auth_methods_supported":         "private_key_jwt",
		"id_token_signing_alg_values_supported":         "RS256",
		"introspection_endpoint_auth_methods_supported": "client_secret_basic",
	} {
		if !holds(member, value) {
			t.Errorf("%s: got %v, want %q among them", member, doc[member], value)
		}
	}
	for _, member := range []string{"authorization_response_iss_parameter_supported", "backchannel_logout_supported", "backchannel_logout_session_supported"} {
		if doc[member] != true {
			t.Errorf("%s: got %v, want true", member, doc[member])
		}
	}
	if holds("introspection_endpoint_auth_methods_supported", "none") {
		t.Error("introspection without authentication is offered")
	}
}
