package jwtbearer_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bearerguard/bearerguard/jwtbearer"
	mint "github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func rawHeader(name, text string) mint.TokenOption { return mint.Header(name, json.RawMessage(text)) }

func conformanceHeaders() []conformanceArea {
	const typ, crit = "RFC 7515, 4.1.9; RFC 9068, 2.1 and 4; RFC 8725, 3.11", "RFC 7515, 4.1.11"
	var types []conformanceCase
	types = append(types, conformanceCase{name: "no `typ`", edit: edits(mint.WithoutHeader("typ")), source: "RFC 7519, 5.1 (optional)"})
	for _, t := range []string{"JWT", "jwt", "Jwt", "at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "application/AT+JWT", "APPLICATION/at+jwt", "application/jwt"} {
		types = append(types, conformanceCase{name: "`typ` is `" + t + "`", edit: edits(mint.Header("typ", t)), source: typ})
	}
	for _, t := range []string{
		"logout+jwt", "application/logout+jwt", "LOGOUT+JWT", "dpop+jwt", "secevent+jwt", "id_token+jwt", "oauth-authz-req+jwt", "token-introspection+jwt",
		"client-authentication+jwt", "rt+jwt", "kb+jwt", "vc+sd-jwt", "JOSE", "JOSE+JSON", "JWE", "Bearer", "at-jwt", "at +jwt", "at+jwt ", " at+jwt", "at+jwt;v=1", "xat+jwt", "at+jwtx",
		"text/at+jwt", "application/application/at+jwt", "application/", "application/at+jwt/x", "at+jwt\u0000", "jw\u1d40", "\u212at+jwt",
	} {
		types = append(types, conformanceCase{name: "`typ` is `" + strings.Trim(fmt.Sprintf("%+q", t), `"`) + "`", want: "type", edit: edits(mint.Header("typ", t)), source: typ})
	}
	for _, v := range append(noStrings[:len(noStrings):len(noStrings)], wrongValue{"an empty string", `""`}) {
		types = append(types, conformanceCase{name: "`typ` is " + v.is + ": `" + v.json + "`", want: "malformed", edit: edits(rawHeader("typ", v.json)), source: "RFC 7515, 4.1.9"})
	}
	onlyAT := &conformanceSetup{is: "TokenTypes `at+jwt`", options: jwtbearer.Options{TokenTypes: []string{"at+jwt"}}}
	custom := &conformanceSetup{is: "TokenTypes `application/Acme+JWT`", options: jwtbearer.Options{TokenTypes: []string{"application/Acme+JWT"}}}
	types = append(types,
		conformanceCase{name: "`typ` that is listed", at: onlyAT, source: typ, edit: edits(mint.Header("typ", "application/AT+jwt"))},
		conformanceCase{name: "`typ` is `JWT`, which is not listed", at: onlyAT, want: "type", source: typ, edit: edits(mint.Header("typ", "JWT"))},
		conformanceCase{name: "no `typ`, which is not listed", at: onlyAT, want: "type", source: typ, edit: edits(mint.WithoutHeader("typ"))},
		conformanceCase{name: "a type of one's own, in another form", at: custom, source: typ, edit: edits(mint.Header("typ", "acme+jwt"))},
		conformanceCase{name: "`typ` is `at+jwt`, where another is listed", at: custom, want: "type", source: typ, edit: edits(mint.Header("typ", "at+jwt")), mend: edits(mint.Header("typ", "acme+jwt"))},
	)

	var critical []conformanceCase
	for _, c := range []string{`[]`, `["exp"]`, `["alg"]`, `["b64"]`, `["x-unknown"]`, `["kid","typ"]`, `null`, `"exp"`, `{}`, `7`, `[7]`, `[""]`} {
		critical = append(critical, conformanceCase{name: "`crit` is `" + c + "`", want: "critical", source: crit, edit: edits(rawHeader("crit", c), mint.Header("exp", 946684860)), mend: edits(mint.Header("exp", 946684860))})
	}
	critical = append(critical,
		conformanceCase{name: "`crit` names a parameter that is there", want: "critical", source: crit, edit: edits(mint.Critical("x-policy")), mend: edits(mint.Header("x-policy", true))},
		conformanceCase{name: "`b64` is true and critical", want: "critical", source: "RFC 7797, 6", edit: edits(mint.Header("b64", true), mint.Critical("b64")), mend: edits(mint.Header("b64", true))},
		conformanceCase{name: "`b64` is false and critical", want: "unencoded", source: "RFC 7797, 3 and 6", edit: edits(mint.Header("b64", false), mint.Critical("b64"))},
		conformanceCase{name: "`b64` is false and not critical", want: "unencoded", source: "RFC 7797, 6", edit: edits(mint.Header("b64", false)), mend: edits(mint.Header("b64", true))},
		conformanceCase{name: "`b64` is true, which says nothing", source: "RFC 7797, 3", edit: edits(mint.Header("b64", true))},
		conformanceCase{name: "`B64` is false", source: "RFC 7515, 4.1", edit: edits(mint.Header("B64", false))},
	)
	for _, v := range []string{`null`, `0`, `"false"`, `"true"`, `[]`, `{}`} {
		critical = append(critical, conformanceCase{name: "`b64` is `" + v + "`", want: "unencoded", source: "RFC 7797, 3", edit: edits(rawHeader("b64", v)), mend: edits(rawHeader("b64", "true"))})
	}

	const trust = "RFC 8725, 3.10; RFC 9068, 4"
	keys := []conformanceCase{
		{name: "`jku` of a stranger on a good token", source: trust, edit: edits(mint.Header("jku", "https://evil.test/jwks"))},
		{name: "`x5u` of a stranger on a good token", source: trust, edit: edits(mint.Header("x5u", "https://evil.test/cert.pem"))},
		{name: "`jwk` on a good token", source: trust, edit: edits(mint.Header("jwk", map[string]string{"kty": "oct", "k": "AAAA"}))},
		{name: "`jwk` of another type on a good token", source: trust, edit: edits(rawHeader("jwk", `7`))},
		{name: "`x5c` on a good token", source: trust, edit: edits(mint.Header("x5c", []string{"AAAA"}))},
		{name: "`x5t` and `x5t#S256` of no key on a good token", source: trust, edit: edits(mint.Header("x5t", "AAAA"), mint.Header("x5t#S256", "AAAA"))},
		{name: "`cty`, `zip`, `nonce` and `url` on a good token", source: "RFC 7515, 4.2", edit: edits(mint.Header("cty", "json"), mint.Header("zip", "DEF"), mint.Header("nonce", "x"), mint.Header("url", "https://evil.test"))},
		{name: "`iss`, `aud` and `exp` copied to the header, wrong there", source: "RFC 7519, 5.3", edit: edits(mint.Header("iss", "https://evil.test"), mint.Header("aud", 7), mint.Header("exp", 1))},
		{name: "signed with the key in `jwk`", want: "signature", source: trust, edit: edits(mint.EmbeddedKey()), mend: edits(mint.Algorithm("EdDSA"), mint.WithoutHeader("kid"))},
		{name: "signed by a stranger, with a `jku` of his", want: "signature", source: trust, edit: edits(mint.SignedByStranger()), with: edits(mint.Header("jku", "https://evil.test/jwks"))},
		{name: "signed by a stranger, with an `x5u` of his", want: "signature", source: trust, edit: edits(mint.SignedByStranger()), with: edits(mint.Header("x5u", "https://evil.test/cert.pem"))},

		{name: "no `kid`", source: "RFC 7515, 4.1.4 (optional)", edit: edits(mint.WithoutHeader("kid"))},
		{name: "a `kid` that nobody has", want: "unknown_key", source: "RFC 7515, 4.1.4", edit: edits(mint.Header("kid", "nobody"))},
		{name: "the `kid` in another case", want: "unknown_key", source: "RFC 7517, 4.5", editFor: otherKid(strings.ToLower)},
		{name: "a space behind the `kid`", want: "unknown_key", source: "RFC 7517, 4.5", editFor: otherKid(func(s string) string { return s + " " })},
		{name: "a NUL behind the `kid`", want: "unknown_key", source: "RFC 7517, 4.5", editFor: otherKid(func(s string) string { return s + "\x00" })},
		{name: "the `kid` cut short", want: "unknown_key", source: "RFC 7517, 4.5", editFor: otherKid(func(s string) string { return s[:len(s)-1] })},
		{name: "a path as `kid`", want: "unknown_key", source: "RFC 8725, 3.10", edit: edits(mint.Header("kid", "../../../../dev/null"))},
		{name: "SQL as `kid`", want: "unknown_key", source: "RFC 8725, 3.10", edit: edits(mint.Header("kid", "x' UNION SELECT 'key"))},
		{name: "a URL as `kid`", want: "unknown_key", source: "RFC 8725, 3.10", edit: edits(mint.Header("kid", "https://evil.test/key"))},
		{name: "a `kid` of 8 KiB", want: "unknown_key", source: "RFC 8725, 3.10", edit: edits(mint.Header("kid", strings.Repeat("k", 8<<10)))},
	}
	for _, v := range append(noStrings[:len(noStrings):len(noStrings)], wrongValue{"an empty string", `""`}) {
		keys = append(keys, conformanceCase{name: "`kid` is " + v.is + ": `" + v.json + "`", want: "malformed", edit: edits(rawHeader("kid", v.json)), source: "RFC 7515, 4.1.4"})
	}
	return []conformanceArea{
		{title: "Types of token", text: "`typ` is compared as a media type: without regard to case, and with or without `application/`.", cases: types},
		{title: "Critical parameters", text: "This library understands no critical parameter, so that any `crit` is refused.", cases: critical},
		{title: "Parameters about keys", text: "A token does not choose its key: `jku`, `x5u`, `jwk` and `x5c` are never read.", cases: keys},
	}
}

func otherKid(change func(string) string) func(*mint.Issuer) []mint.TokenOption {
	return func(i *mint.Issuer) []mint.TokenOption {
		return edits(mint.Header("kid", change(i.KeyID("RS256"))))
	}
}
