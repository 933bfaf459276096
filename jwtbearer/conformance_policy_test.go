package jwtbearer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/bearerguard/bearerguard/jwtbearer"
	mint "github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func conformanceKinds() []conformanceArea {
	const profile = "RFC 9068, 2.2 and 4"
	strict := &conformanceSetup{is: "RequireRFC9068", options: jwtbearer.Options{RequireRFC9068: true}}
	full := []conformanceCase{
		{name: "all that is demanded", at: strict, source: profile},
		{name: "`typ` is `application/at+jwt`", at: strict, source: "RFC 9068, 4", edit: edits(mint.Header("typ", "application/at+jwt"))},
		{name: "`typ` is `AT+JWT`", at: strict, source: "RFC 7515, 4.1.9", edit: edits(mint.Header("typ", "AT+JWT"))},
		{name: "`typ` is `JWT`", at: strict, want: "type", source: "RFC 9068, 4", edit: edits(mint.Header("typ", "JWT"))},
		{name: "no `typ`", at: strict, want: "type", source: "RFC 9068, 4", edit: edits(mint.WithoutHeader("typ"))},
		{name: "scope, `auth_time` and `acr` besides", at: strict, source: "RFC 9068, 2.2.1", edit: edits(mint.Scopes("read"), mint.Claim("auth_time", 1), mint.Claim("acr", "1"))},
	}
	for _, c := range []struct{ name, want string }{{"iss", "issuer"}, {"exp", "no_expiry"}, {"aud", "audience"}, {"sub", "claim"}, {"client_id", "claim"}, {"iat", "claim"}, {"jti", "claim"}} {
		full = append(full,
			conformanceCase{name: "no `" + c.name + "`", at: strict, want: c.want, source: profile, edit: edits(mint.WithoutClaim(c.name))},
			conformanceCase{name: "`" + c.name + "` is null", at: strict, want: "claim", source: profile, edit: edits(mint.RawClaim(c.name, "null"))},
		)
	}

	for _, name := range []string{"sub", "client_id", "jti"} {
		full = append(full, conformanceCase{name: "`" + name + "` is empty", at: strict, want: "claim", source: profile, edit: edits(mint.Claim(name, ""))})
	}
	byClient := &conformanceSetup{is: "RequireRFC9068, AudienceClaim `client_id`", options: jwtbearer.Options{RequireRFC9068: true, AudienceClaim: "client_id"}}
	asClient := edits(mint.Claim("client_id", "api1"))
	full = append(full,
		conformanceCase{name: "all that is demanded, where the audience is in another claim", at: byClient, source: profile, with: asClient},
		conformanceCase{name: "no `aud`, where the audience is in another claim", at: byClient, want: "claim", source: profile, with: asClient, edit: edits(mint.WithoutClaim("aud"))},
		conformanceCase{name: "`aud` is `[1]`, where the audience is in another claim", at: byClient, want: "claim", source: profile, with: asClient, edit: edits(mint.RawClaim("aud", "[1]"))},
	)

	const cnf = "RFC 9449, 7.2; RFC 8705, 3; RFC 7800, 3.1"
	unbound := &conformanceSetup{is: "InsecureAcceptBoundTokens", options: jwtbearer.Options{InsecureAcceptBoundTokens: true}}
	var bound []conformanceCase
	for _, text := range []string{
		`{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`, `{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}`, `{"jwk":{"kty":"EC"}}`, `{"kid":"x"}`, `{"jku":"https://evil.test"}`, `{"unknown":1}`, `{}`, `null`, `""`, `[]`, `false`,
	} {
		bound = append(bound, conformanceCase{name: "`cnf` is `" + text + "`", want: "bound", source: cnf, edit: edits(mint.RawClaim("cnf", text))})
	}
	bound = append(bound,
		conformanceCase{name: "a bound token, where that is allowed", at: unbound, source: cnf, edit: edits(mint.RawClaim("cnf", `{"jkt":"x"}`))},
		conformanceCase{name: "`CNF`, which is no `cnf`", source: "RFC 7519, 4", edit: edits(mint.RawClaim("CNF", `{"jkt":"x"}`))},
		conformanceCase{name: "a bound token of the full profile", at: strict, want: "bound", source: cnf, edit: edits(mint.RawClaim("cnf", `{"jkt":"x"}`))},
	)

	const kinds = "RFC 8725, 3.11 and 3.12"
	logout := &conformanceSetup{is: "rule TokenType `logout+jwt`", rules: []jwtbearer.Rule{jwtbearer.TokenType("logout+jwt")}}
	asJWT := mint.Header("typ", "JWT")
	other := []conformanceCase{
		{name: "an ID token, whose audience is the client", want: "audience", source: "OpenID Connect Core 1.0, 2; RFC 8725, 3.9", with: edits(asJWT, mint.Claim("nonce", "n"), mint.Claim("azp", "client")), edit: edits(mint.Claim("aud", "client"))},
		{name: "an ID token by its `at_hash`, although the audience is the API", want: "type", source: "OpenID Connect Core 1.0, 3.1.3.6", with: edits(asJWT), edit: edits(mint.Claim("at_hash", "MTIzNDU2Nzg5MDEyMzQ1Ng"))},
		{name: "an ID token by its `c_hash`, although the audience is the API", want: "type", source: "OpenID Connect Core 1.0, 3.3.2.11", with: edits(asJWT), edit: edits(mint.Claim("c_hash", "MTIzNDU2Nzg5MDEyMzQ1Ng"))},
		{name: "an ID token by its `at_hash`, without `typ`", want: "type", source: "OpenID Connect Core 1.0, 3.1.3.6", with: edits(mint.WithoutHeader("typ")), edit: edits(mint.RawClaim("at_hash", "null"))},
		{name: "`at_hash` in a token that says it is an access token", source: "RFC 9068, 2.1", edit: edits(mint.Claim("at_hash", "x"))},
		{name: "`nonce`, which some authorities copy into access tokens", source: "RFC 7519, 4", edit: edits(asJWT, mint.Claim("nonce", "n"))},
		{name: "a logout token by its `events`, without a type of its own", want: "type", source: "OpenID Connect Back-Channel Logout 1.0, 2.4", with: edits(asJWT), edit: edits(mint.RawClaim("events", `{"http://schemas.openid.net/event/backchannel-logout":{}}`))},
		{name: "a logout token by its type", want: "type", source: "OpenID Connect Back-Channel Logout 1.0, 2.4", edit: edits(mint.Header("typ", "logout+jwt"))},
		{name: "a security event", want: "type", source: "RFC 8417, 2.3", edit: edits(mint.Header("typ", "secevent+jwt"))},
		{name: "a DPoP proof", want: "type", source: "RFC 9449, 4.2", edit: edits(mint.Header("typ", "dpop+jwt"))},
		{name: "the kind of token that the policy is for", at: logout, source: kinds, edit: edits(mint.Header("typ", "logout+jwt"), mint.RawClaim("events", `{}`))},
		{name: "an access token, where the policy is for another kind", at: logout, want: "type", source: kinds, mend: edits(mint.Header("typ", "logout+jwt"))},
		{name: "no `typ`, where the policy is for another kind", at: logout, want: "type", source: kinds, edit: edits(mint.WithoutHeader("typ")), mend: edits(mint.Header("typ", "logout+jwt"))},
		{name: "the audience of another API, where the policy is for another kind", at: logout, want: "audience", source: kinds, with: edits(mint.Header("typ", "logout+jwt")), edit: edits(mint.Claim("aud", "api2"))},
	}
	return []conformanceArea{
		{title: "The profile of RFC 9068", text: "Only with `Options.RequireRFC9068`.", cases: full},
		{title: "Bound tokens", text: "A token that is bound to a key or to a certificate is not a bearer token.", cases: bound},
		{title: "Other kinds of JWT", text: "An ID token is for the client that asked for it. It is refused for its audience, which is the client's; where an authority uses one name for both, by the claims that only ID tokens have. `RequireRFC9068` refuses everything that is not of type at+jwt.", cases: other},
	}
}

// needsRead is an API whose policy demands the scope read.
var needsRead = &conformanceSetup{is: "rule Scope `read`", rules: []jwtbearer.Rule{jwtbearer.Scope("read")}}

// A conformanceChecker answers what it is.
type conformanceChecker struct{ err error }

func (c conformanceChecker) CheckToken(_ context.Context, t *jwtbearer.Token, _ *http.Request) error {
	if t.HasClaim("dead") {
		return c.err
	}
	return nil
}

func conformanceRules() []conformanceArea {
	const source = "RFC 6750, 3.1; RFC 8693, 4.2"
	two := &conformanceSetup{is: "rule Scope `read`, `write`", rules: []jwtbearer.Rule{jwtbearer.Scope("read", "write")}}
	apart := &conformanceSetup{is: "rules Scope `read` and Scope `write`", rules: []jwtbearer.Rule{jwtbearer.Scope("read"), jwtbearer.Scope("write")}}
	anyOf := &conformanceSetup{is: "rule AnyScope `read`, `admin`", rules: []jwtbearer.Rule{jwtbearer.AnyScope("read", "admin")}}
	scope := func(at *conformanceSetup, names string, change mint.TokenOption, good string, name, want string) conformanceCase {
		c := conformanceCase{name: name, at: at, want: want, source: source, edit: edits(change)}
		if want != "" {
			c.scope, c.mend = names, edits(mint.Claim("scope", good))
		}
		return c
	}
	scopes := []conformanceCase{
		scope(needsRead, "read", mint.Claim("scope", "read"), "", "`scope` is `read`", ""),
		scope(needsRead, "read", mint.Claim("scope", "write read"), "", "`scope` is `write read`", ""),
		scope(needsRead, "read", mint.Claim("scope", "  read  "), "", "`scope` is `read` with spaces round it", ""),
		scope(needsRead, "read", mint.Claim("scope", []string{"write", "read"}), "", "`scope` is an array", ""),
		scope(needsRead, "read", mint.Claim("scp", "read"), "", "`scp` is a string", ""),
		scope(needsRead, "read", mint.Claim("scp", []string{"read"}), "", "`scp` is an array", ""),
		scope(needsRead, "read", mint.Claim("scope", "write"), "read", "another scope", "scope"),
		scope(needsRead, "read", mint.Claim("x", 1), "read", "no scope", "scope"),
		scope(needsRead, "read", mint.Claim("scope", ""), "read", "`scope` is empty", "scope"),
		scope(needsRead, "read", mint.Claim("scope", []string{}), "read", "`scope` is an empty array", "scope"),
		scope(needsRead, "read", mint.Claim("scope", "READ"), "read", "`scope` in upper case", "scope"),
		scope(needsRead, "read", mint.Claim("scope", "reader"), "read", "a scope that begins alike", "scope"),
		scope(needsRead, "read", mint.Claim("scope", "read,write"), "read", "scopes with a comma", "scope"),
		scope(needsRead, "read", mint.Claim("scope", "write\tread"), "read", "scopes with a tab", "scope"),
		scope(needsRead, "read", mint.Claim("scope", "write\nread"), "read", "scopes with a line feed", "scope"),
		scope(needsRead, "read", mint.Claim("scope", []string{"write read"}), "read", "two scopes in one element of an array", "scope"),
		scope(needsRead, "read", mint.Claim("Scope", "read"), "read", "`Scope`", "scope"),
		scope(needsRead, "read", mint.Claim("scopes", "read"), "read", "`scopes`", "scope"),
		scope(two, "read write", mint.Claim("scope", "read write"), "", "both of two scopes", ""),
		scope(two, "read write", mint.Claim("scope", "read"), "read write", "the first of two scopes", "scope"),
		scope(two, "read write", mint.Claim("scope", "write"), "read write", "the second of two scopes", "scope"),
		scope(apart, "read write", mint.Claim("scope", "read"), "read write", "the first of two rules", "scope"),
		scope(apart, "read write", mint.Claim("scope", "write"), "read write", "the second of two rules", "scope"),
		scope(anyOf, "read admin", mint.Claim("scope", "admin"), "", "one of those that will do", ""),
		scope(anyOf, "read admin", mint.Claim("scope", "write"), "admin", "none of those that will do", "scope"),
		{name: "the scope in `scp` while `scope` has another: they are not merged", at: needsRead, want: "scope", scope: "read", source: source, with: edits(mint.Claim("scp", "read")), edit: edits(mint.Claim("scope", "write"))},
		{name: "the scope in `scp` while `scope` is empty: they are not merged", at: needsRead, want: "scope", scope: "read", source: source, with: edits(mint.Claim("scp", "read")), edit: edits(mint.Claim("scope", ""))},
		{name: "a token without the scope that is not good either: 401 comes first", at: needsRead, want: "expired", source: "RFC 6750, 3.1", edit: edits(mint.ExpiresIn(-60e9)), mend: edits(mint.Scopes("read"))},
	}
	realm := &conformanceSetup{is: "Realm `orders`, rule Scope `read`", options: jwtbearer.Options{Realm: "orders"}, rules: needsRead.rules}
	scopes = append(scopes, conformanceCase{name: "no scope, and a realm is set", at: realm, want: "scope", scope: "read", source: "RFC 6750, 3", mend: edits(mint.Scopes("read"))})

	const claims = "policy of the API; RFC 6750, 3.1"
	role := &conformanceSetup{is: "rule Role `admin`, `root`", rules: []jwtbearer.Rule{jwtbearer.Role("admin", "root")}}
	realmRole := &conformanceSetup{is: "RoleClaim `realm_access`, `roles`; rule Role `admin`", options: jwtbearer.Options{RoleClaim: []string{"realm_access", "roles"}}, rules: []jwtbearer.Rule{jwtbearer.Role("admin")}}
	tier := &conformanceSetup{is: "rule Claim `tier` `gold`, `7`, `true`", rules: []jwtbearer.Rule{jwtbearer.Claim("tier", "gold", "7", "true")}}
	anyTier := &conformanceSetup{is: "rule Claim `tier`", rules: []jwtbearer.Rule{jwtbearer.Claim("tier")}}
	row := func(at *conformanceSetup, claim, text, good, want string) conformanceCase {
		c := conformanceCase{name: fmt.Sprintf("`%s` is `%s`", claim, text), at: at, want: want, source: claims, edit: edits(mint.RawClaim(claim, text))}
		if want != "" {
			c.mend = edits(mint.RawClaim(claim, good))
		}
		return c
	}
	rules := []conformanceCase{
		row(role, "roles", `["user","admin"]`, "", ""), row(role, "roles", `"root"`, "", ""), row(role, "roles", `[7,null,"admin"]`, "", ""),
		row(role, "roles", `["user"]`, `["admin"]`, "forbidden"), row(role, "roles", `[]`, `["admin"]`, "forbidden"), row(role, "roles", `null`, `["admin"]`, "forbidden"), row(role, "roles", `["Admin"]`, `["admin"]`, "forbidden"),
		row(role, "roles", `"user admin"`, `"admin"`, "forbidden"), row(role, "roles", `[["admin"]]`, `["admin"]`, "forbidden"), row(role, "roles", `{"admin":true}`, `["admin"]`, "forbidden"), row(role, "Roles", `["admin"]`, `1`, "forbidden"), row(role, "role", `["admin"]`, `1`, "forbidden"),
		row(realmRole, "realm_access", `{"roles":["admin"]}`, "", ""), row(realmRole, "realm_access", `{"x":1,"r\u006fles":["admin"]}`, "", ""),
		row(realmRole, "realm_access", `{"roles":["user"]}`, `{"roles":["admin"]}`, "forbidden"), row(realmRole, "realm_access", `{"Roles":["admin"]}`, `{"roles":["admin"]}`, "forbidden"), row(realmRole, "realm_access", `{"x":{"roles":["admin"]}}`, `{"roles":["admin"]}`, "forbidden"), row(realmRole, "realm_access", `["admin"]`, `{"roles":["admin"]}`, "forbidden"), row(realmRole, "roles", `["admin"]`, `1`, "forbidden"),
		row(tier, "tier", `"gold"`, "", ""), row(tier, "tier", `["silver","gold"]`, "", ""), row(tier, "tier", `7`, "", ""), row(tier, "tier", `true`, "", ""), row(tier, "tier", `"7"`, "", ""),
		row(tier, "tier", `"silver"`, `"gold"`, "forbidden"), row(tier, "tier", `7.0`, `7`, "forbidden"), row(tier, "tier", `false`, `true`, "forbidden"), row(tier, "tier", `null`, `"gold"`, "forbidden"), row(tier, "tier", `{"gold":1}`, `"gold"`, "forbidden"), row(tier, "tier", `[7]`, `7`, "forbidden"), row(tier, "tier", `"Gold"`, `"gold"`, "forbidden"),
		row(anyTier, "tier", `""`, "", ""), row(anyTier, "tier", `false`, "", ""), row(anyTier, "tier", `null`, `1`, "forbidden"), row(anyTier, "Tier", `1`, `1`, "forbidden"),
	}
	for i := range rules {
		// Where the twin has the claim under its right name.
		c := &rules[i]
		switch {
		case strings.HasPrefix(c.name, "`Roles`"), strings.HasPrefix(c.name, "`role`"):
			c.mend = edits(mint.RawClaim("roles", `["admin"]`))
		case strings.HasPrefix(c.name, "`roles`") && c.at == realmRole:
			c.mend = edits(mint.RawClaim("realm_access", `{"roles":["admin"]}`))
		case strings.HasPrefix(c.name, "`Tier`"):
			c.mend = edits(mint.RawClaim("tier", `1`))
		}
		c.name += ", by " + c.at.is
	}

	validate := func(err error) *conformanceSetup {
		return &conformanceSetup{is: "rule Validate", rules: []jwtbearer.Rule{jwtbearer.Validate(func(_ context.Context, t *jwtbearer.Token) error {
			if t.HasClaim("bad") {
				return err
			}
			return nil
		})}}
	}
	secret := errors.New("\"secret\"\r\nSet-Cookie: a=b")
	hooks := []conformanceCase{}
	for _, h := range []struct {
		is   string
		err  error
		want string
	}{
		{"an error of its own", secret, "forbidden"},
		{"ErrForbidden", jwtbearer.ErrForbidden, "forbidden"},
		{"ErrInsufficientScope, the class", jwtbearer.ErrInsufficientScope, "forbidden"},
		{"an error that wraps ErrInsufficientScope", fmt.Errorf("%w: %w", jwtbearer.ErrInsufficientScope, secret), "forbidden"},
		{"ErrInvalidToken, the class", jwtbearer.ErrInvalidToken, "refused"},
		{"an error that wraps ErrInvalidToken", fmt.Errorf("%w: %w", jwtbearer.ErrInvalidToken, secret), "refused"},
		{"ErrRevoked", jwtbearer.ErrRevoked, "revoked"},
		{"an error that wraps ErrRevoked", fmt.Errorf("%w: %w", jwtbearer.ErrRevoked, secret), "revoked"},
		{"ErrUnavailable, the class", jwtbearer.ErrUnavailable, "check_unavailable"},
		{"an error that wraps ErrUnavailable", fmt.Errorf("%w: %w", jwtbearer.ErrUnavailable, secret), "check_unavailable"},
		{"an *Error", &jwtbearer.Error{Reason: jwtbearer.ErrRevoked, Detail: "by an administrator"}, "revoked"},
		{"an *Error without a Reason", &jwtbearer.Error{Detail: "nothing"}, "forbidden"},
		{"a nil *Error", (*jwtbearer.Error)(nil), "forbidden"},
		{"an *Error with scopes that no challenge can hold", &jwtbearer.Error{Reason: jwtbearer.ErrForbidden, Scopes: []string{`a"b`, "c d", "e\r\nf", "g\\h", "é", ""}}, "forbidden"},
	} {
		hooks = append(hooks, conformanceCase{name: "Validate returns " + h.is, at: validate(h.err), want: h.want, source: "policy of the API; RFC 6750, 3", edit: edits(mint.Claim("bad", 1))})
	}
	hooks = append(hooks, conformanceCase{name: "Validate returns an *Error with scopes that a challenge can hold", at: validate(&jwtbearer.Error{Reason: jwtbearer.ErrScope, Scopes: []string{"a", "b"}}), want: "scope", scope: "a b", source: "RFC 6750, 3", edit: edits(mint.Claim("bad", 1))})

	check := func(err error) *conformanceSetup {
		return &conformanceSetup{is: "a Checker", options: jwtbearer.Options{Checkers: []jwtbearer.Checker{conformanceChecker{err}}}}
	}
	for _, h := range []struct {
		is   string
		err  error
		want string
	}{
		{"ErrSessionEnded", jwtbearer.ErrSessionEnded, "session_ended"},
		{"an error that wraps ErrSessionEnded", fmt.Errorf("%w: %w", jwtbearer.ErrSessionEnded, secret), "session_ended"},
		{"ErrRevoked", jwtbearer.ErrRevoked, "revoked"},
		{"ErrInvalidToken, the class", jwtbearer.ErrInvalidToken, "refused"},
		{"an error of its own, as when its store is away", secret, "check_unavailable"},
		{"ErrUnavailable, the class", jwtbearer.ErrUnavailable, "check_unavailable"},
		{"a context's end", context.DeadlineExceeded, "check_unavailable"},
		{"a refusal that is not a checker's to make: ErrForbidden", jwtbearer.ErrForbidden, "check_unavailable"},
		{"a refusal that is not a checker's to make: ErrNoToken", jwtbearer.ErrNoToken, "check_unavailable"},
		{"an *Error without a Reason", &jwtbearer.Error{}, "check_unavailable"},
		{"a nil *Error", (*jwtbearer.Error)(nil), "check_unavailable"},
	} {
		hooks = append(hooks, conformanceCase{name: "a Checker returns " + h.is, at: check(h.err), want: h.want, source: "session of the login", edit: edits(mint.Claim("dead", 1))})
	}
	return []conformanceArea{
		{title: "Scopes", text: "The token is good, and does not allow this.", cases: scopes},
		{title: "Roles and claims", cases: rules},
		{title: "Hooks", text: "An error of a hook is never a pass, and its text is never in an answer.", cases: hooks},
	}
}
