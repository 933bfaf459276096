package jwtbearer_test

import (
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/bearerguard/bearerguard/jwtbearer"
	mint "github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func conformanceKeys() []conformanceArea {
	const jwkSource, ambiguous = "RFC 7517, 4", "RFC 7517, 4.5; bound of this library"
	var cases []conformanceCase
	// own is an issuer that publishes one more key, and a token signed by it.
	own := func(name, want, source string, key any, members, good string, alg string) {
		with := func(members string) *conformanceSetup {
			return &conformanceSetup{is: "one more key", keys: func(i *mint.Issuer) { i.AddKeys(published(key, members)) }}
		}
		sign := edits(mint.Algorithm(alg), mint.SigningKey(key), mint.Header("kid", "own"))
		if want == "" {
			cases = append(cases, conformanceCase{name: name, at: with(members), source: source, edit: sign})
			return
		}
		// The twin's key is published too, under another kid.
		at := &conformanceSetup{is: "one more key", keys: func(i *mint.Issuer) {
			i.AddKeys(published(key, members), published(goodKey(key), strings.Replace(good, `"own"`, `"good"`, 1)))
		}}
		cases = append(cases, conformanceCase{name: name, at: at, want: want, source: source,
			edit: sign, mend: edits(mint.Algorithm(alg), mint.SigningKey(goodKey(key)), mint.Header("kid", "good"))})
	}
	rsaKey, ecKey := ownRSA(), ownEC()[0]
	const kid = `{"kid":"own"}`
	own("an RSA key with neither `use` nor `alg`", "", jwkSource, rsaKey, kid, kid, "RS256")
	own("one RSA key for RS", "", jwkSource, rsaKey, kid, kid, "RS384")
	own("one RSA key for PS", "", jwkSource, rsaKey, kid, kid, "PS512")
	own("`use` is `sig`", "", "RFC 7517, 4.2", rsaKey, `{"kid":"own","use":"sig"}`, kid, "RS256")
	own("`key_ops` has `verify`", "", "RFC 7517, 4.3", rsaKey, `{"kid":"own","key_ops":["verify"]}`, kid, "RS256")
	own("members that nobody knows, and a certificate that does not fit", "", "RFC 7517, 4", rsaKey, `{"kid":"own","x5c":["AAAA"],"x5t":"AAAA","x":{"y":[1]},"issuer":"x"}`, kid, "RS256")
	own("`use` is `enc`", "unknown_key", "RFC 7517, 4.2", rsaKey, `{"kid":"own","use":"enc"}`, kid, "RS256")
	own("`use` is of another kind", "unknown_key", "RFC 7517, 4.2", rsaKey, `{"kid":"own","use":"SIG"}`, kid, "RS256")
	own("`use` is no string", "unknown_key", "RFC 7517, 4.2", rsaKey, `{"kid":"own","use":7}`, kid, "RS256")
	own("`key_ops` without `verify`", "unknown_key", "RFC 7517, 4.3", rsaKey, `{"kid":"own","key_ops":["sign"]}`, kid, "RS256")
	own("`key_ops` is no array", "unknown_key", "RFC 7517, 4.3", rsaKey, `{"kid":"own","key_ops":"verify"}`, kid, "RS256")
	own("`alg` is another one of its type", "unknown_key", "RFC 7517, 4.4", rsaKey, `{"kid":"own","alg":"RS512"}`, kid, "RS256")
	own("`alg` is for encryption", "unknown_key", "RFC 7517, 4.4", rsaKey, `{"kid":"own","alg":"RSA-OAEP"}`, kid, "RS256")
	own("`alg` is HS256 on an RSA key", "unknown_key", "RFC 8725, 3.1", rsaKey, `{"kid":"own","alg":"HS256"}`, kid, "RS256")
	own("`alg` of another key type", "unknown_key", "RFC 7517, 4.4", rsaKey, `{"kid":"own","alg":"ES256"}`, kid, "RS256")
	own("`alg` is no string", "unknown_key", "RFC 7517, 4.4", rsaKey, `{"kid":"own","alg":["RS256"]}`, kid, "RS256")
	own("`kty` is of another type", "unknown_key", "RFC 7517, 4.1", rsaKey, `{"kid":"own","kty":"EC"}`, kid, "RS256")
	own("`kty` in lower case", "unknown_key", "RFC 7517, 4.1", rsaKey, `{"kid":"own","kty":"rsa"}`, kid, "RS256")
	own("no `kty`", "unknown_key", "RFC 7517, 4.1", rsaKey, `{"kid":"own","kty":null}`, kid, "RS256")
	own("`kid` is no string", "unknown_key", "RFC 7517, 4.5", rsaKey, `{"kid":7}`, kid, "RS256")
	own("`kid` in another case", "unknown_key", "RFC 7517, 4.5", rsaKey, `{"kid":"OWN"}`, kid, "RS256")
	own("an RSA key of 1,024 bits", "unknown_key", "RFC 7518, 3.3", weakRSA(), kid, kid, "RS256")
	own("an RSA key with its private exponent", "unknown_key", "RFC 7517, 9.2", rsaKey, `{"kid":"own","d":"AQAB"}`, kid, "RS256")
	own("an RSA key with padding in `n`", "unknown_key", "RFC 7518, 6.3.1.1", rsaKey, fmt.Sprintf(`{"kid":"own","n":%q}`, base64.URLEncoding.EncodeToString(rsaKey.N.Bytes())), kid, "RS256")
	own("an RSA key with a line break in `n`", "unknown_key", "RFC 7518, 6.3.1.1", rsaKey, fmt.Sprintf(`{"kid":"own","n":%q}`, base64.RawURLEncoding.EncodeToString(rsaKey.N.Bytes())+"\n"), kid, "RS256")
	own("an RSA key without `n`", "unknown_key", "RFC 7518, 6.3.1", rsaKey, `{"kid":"own","n":null}`, kid, "RS256")
	own("an RSA key without `e`", "unknown_key", "RFC 7518, 6.3.1", rsaKey, `{"kid":"own","e":null}`, kid, "RS256")
	own("an RSA exponent of 3", "unknown_key", "FIPS 186-5, 5.4", rsaKey, `{"kid":"own","e":"Aw"}`, kid, "RS256")
	own("an RSA exponent of 1", "unknown_key", "FIPS 186-5, 5.4", rsaKey, `{"kid":"own","e":"AQ"}`, kid, "RS256")
	own("an RSA exponent that is even", "unknown_key", "FIPS 186-5, 5.4", rsaKey, `{"kid":"own","e":"AQAC"}`, kid, "RS256")
	own("an RSA exponent of 2^64 + 65537", "unknown_key", "FIPS 186-5, 5.4", rsaKey, `{"kid":"own","e":"AQAAAAAAAQAB"}`, kid, "RS256")
	own("an EC key", "", "RFC 7518, 6.2", ecKey, kid, kid, "ES256")
	own("an EC key that names another curve", "unknown_key", "RFC 7518, 6.2.1.1", ecKey, `{"kid":"own","crv":"P-384"}`, kid, "ES256")
	own("an EC key that names no curve", "unknown_key", "RFC 7518, 6.2.1.1", ecKey, `{"kid":"own","crv":null}`, kid, "ES256")
	own("an EC key on a curve that nobody knows", "unknown_key", "RFC 7518, 6.2.1.1", ecKey, `{"kid":"own","crv":"secp256k1"}`, kid, "ES256")
	own("an EC point that is not on the curve", "unknown_key", "RFC 8725, 3.4", ecKey, fmt.Sprintf(`{"kid":"own","x":%q}`, base64.RawURLEncoding.EncodeToString(fixed(elliptic.P256().Params().Gx, 32))), kid, "ES256")
	own("an EC coordinate without its leading zeros", "unknown_key", "RFC 7518, 6.2.1.2", ecKey, `{"kid":"own","x":"AQ"}`, kid, "ES256")
	own("an EC key with its private part", "unknown_key", "RFC 7517, 9.2", ecKey, `{"kid":"own"}`, kid, "ES256")
	// The last one is published whole.
	cases[len(cases)-1].at = &conformanceSetup{is: "one more key", keys: func(i *mint.Issuer) {
		i.AddKeys(wholeKey(ecKey, "own"), published(goodKey(ecKey), `{"kid":"good"}`))
	}}

	for _, extra := range []mint.ExtraKey{mint.EncryptionKey, mint.UnknownTypeKey, mint.UnknownCurveKey, mint.WeakKey, mint.SymmetricKey, mint.MalformedKey, mint.OffCurveKey, mint.PrivateKeyLeak} {
		cases = append(cases, conformanceCase{
			name: "a good token, and a key beside its own that cannot be used: " + string(extra), source: "RFC 7517, 5",
			at: &conformanceSetup{is: "one more key", keys: func(i *mint.Issuer) { i.AddKeys(extra) }},
		})
	}
	for _, garbage := range []string{`null`, `7`, `"x"`, `[]`, `{}`, `{"kty":"RSA","kty":"EC"}`, `{"kty":{}}`} {
		cases = append(cases, conformanceCase{
			name: "a good token, and instead of another key `" + garbage + "`", source: "RFC 7517, 5",
			at: &conformanceSetup{is: "one more key", keys: func(i *mint.Issuer) { i.AddKeys(mint.ExtraKey(garbage)) }},
		})
	}

	// Tokens without kid.
	several := func(n int) *conformanceSetup {
		return &conformanceSetup{is: fmt.Sprintf("%d keys without `kid` for the algorithm", n), issuer: mint.Options{Algorithms: []string{"EdDSA"}}, keys: func(i *mint.Issuer) {
			for k := n - 1; k >= 0; k-- { // each is put before the ones before
				i.AddKeys(published(ownEC()[k].Public(), `{}`))
			}
		}}
	}
	by := func(k int) []mint.TokenOption {
		return edits(mint.SigningKey(ownEC()[k]), mint.WithoutHeader("kid"))
	}
	for _, row := range [][2]int{{1, 1}, {2, 1}, {2, 2}, {4, 1}, {4, 4}, {5, 4}} {
		cases = append(cases, conformanceCase{name: fmt.Sprintf("no `kid`, signed by key %d of %d", row[1], row[0]), at: several(row[0]), source: ambiguous, edit: by(row[1] - 1)})
	}
	named := &conformanceSetup{is: "two keys of one `kid`", keys: func(i *mint.Issuer) {
		i.AddKeys(published(ownEC()[0].Public(), `{"kid":"own"}`), published(ownEC()[1].Public(), `{"kid":"own"}`))
	}}
	shared := &conformanceSetup{is: "one `kid` for two types", keys: func(i *mint.Issuer) {
		i.AddKeys(published(ownEC()[0].Public(), `{"kid":"own"}`), published(ownRSA().Public(), `{"kid":"own"}`))
	}}
	cases = append(cases,
		conformanceCase{name: "no `kid`, signed by key 5 of 5: four are tried", at: several(5), want: "signature", source: ambiguous, edit: by(4), mend: by(3)},
		conformanceCase{name: "a `kid`, where the keys have none", at: several(1), want: "unknown_key", source: "RFC 7517, 4.5", edit: edits(mint.SigningKey(ownEC()[0]), mint.Header("kid", "x")), mend: by(0)},
		conformanceCase{name: "no `kid`, signed by a key of another type than `alg` says", at: several(2), want: "signature", source: "RFC 8725, 3.1", edit: edits(mint.WithoutHeader("kid"), mint.Header("alg", "ES256")), mend: by(0)},
		conformanceCase{name: "no `kid`, and no key for the algorithm", at: several(2), want: "unknown_key", source: "RFC 7517, 4.5", edit: edits(mint.SigningKey(ownRSA()), mint.WithoutHeader("kid")), mend: by(0)},
		conformanceCase{name: "the first of two keys of one `kid`", at: named, source: "RFC 7517, 4.5", edit: edits(mint.SigningKey(ownEC()[0]), mint.Header("kid", "own"))},
		conformanceCase{name: "the second of two keys of one `kid` and algorithm: a `kid` is one key", at: named, want: "signature", source: "RFC 7517, 4.5", edit: edits(mint.SigningKey(ownEC()[1]), mint.Header("kid", "own")), mend: edits(mint.SigningKey(ownEC()[0]), mint.Header("kid", "own"))},
		conformanceCase{name: "one `kid` for an EC key and an RSA key, the first one's token", at: shared, source: "RFC 7517, 4.5", edit: edits(mint.SigningKey(ownEC()[0]), mint.Header("kid", "own"))},
		conformanceCase{name: "one `kid` for an EC key and an RSA key, the second one's token", at: shared, source: "RFC 7517, 4.5", edit: edits(mint.SigningKey(ownRSA()), mint.Header("kid", "own"))},
		conformanceCase{name: "signed by one of the issuer's keys, under the `kid` of another", at: shared, want: "signature", source: "RFC 7517, 4.5",
			editFor: func(i *mint.Issuer) []mint.TokenOption {
				return edits(mint.SigningKey(ownEC()[0]), mint.Header("kid", i.KeyID("ES256")))
			}, mend: edits(mint.SigningKey(ownEC()[0]), mint.Header("kid", "own"))},
	)
	return []conformanceArea{{title: "Keys", text: "Which keys of the authority's key set may verify a token.", cases: cases}}
}

// goodKey is a key of the same type that nothing is wrong with.
func goodKey(key any) any {
	if key == any(ownEC()[0]) {
		return ownEC()[1]
	}
	return ownRSA()
}

// wholeKey is the private key as a JWK.
func wholeKey(key any, kid string) mint.ExtraKey {
	text := strings.TrimSuffix(string(published(key, fmt.Sprintf(`{"kid":%q}`, kid))), "}")
	return mint.ExtraKey(text + `,"d":"` + base64.RawURLEncoding.EncodeToString(make([]byte, 32)) + `"}`)
}

// conformanceIntrospector answers with what stands behind the dot of an opaque
// token.
type conformanceIntrospector struct{}

func (conformanceIntrospector) Introspect(_ context.Context, token string) ([]byte, error) {
	_, answer, _ := strings.Cut(token, "~")
	switch answer {
	case "away":
		return nil, errors.New("connection refused, with \"secrets\"")
	case "unknown":
		return nil, jwtbearer.ErrInactive
	case "forbidden":
		return nil, jwtbearer.ErrForbidden
	}
	return base64.RawURLEncoding.DecodeString(answer)
}

func conformanceAuthorities() []conformanceArea {
	const meta = "RFC 8414, 3; OpenID Connect Discovery 1.0, 4"
	real := func(name string, payload string, header string, more func(*conformanceSetup)) conformanceCase {
		setup := &conformanceSetup{is: "", issuer: mint.Options{}}
		if more != nil {
			more(setup)
		}
		return conformanceCase{name: name, at: setup, source: "the authority's documentation", editFor: func(i *mint.Issuer) []mint.TokenOption {
			return edits(mint.RawPayload(strings.ReplaceAll(payload, "ISSUER", i.URL())), mint.RawHeader(strings.ReplaceAll(header, "KID", i.KeyID("RS256"))))
		}}
	}
	issuer := func(url string) func(*conformanceSetup) {
		return func(s *conformanceSetup) { s.issuer.URL = url }
	}
	accepted := []conformanceCase{
		real("Keycloak, with an audience mapper", `{"exp":946684860,"iat":946684800,"jti":"onrtac:0b2c","iss":"ISSUER","aud":["api1","account"],"sub":"f1d2","typ":"Bearer","azp":"web","sid":"s1","acr":"1","allowed-origins":["*"],"realm_access":{"roles":["offline_access"]},"resource_access":{"account":{"roles":["view-profile"]}},"scope":"openid profile"}`, `{"alg":"RS256","typ" : "JWT","kid" : "KID"}`, issuer("https://issuer.test/realms/acme")),
		real("Microsoft Entra ID, v2.0", `{"aud":"6e74172b-be56-4843-9ff4-e66a39bb12e3","iss":"ISSUER","iat":946684800,"nbf":946684800,"exp":946684860,"aio":"AXQA","azp":"6e74","azpacr":"0","oid":"690222be","preferred_username":"a@b","rh":"I","scp":"access_as_user","sub":"HKZpf","tid":"7298","uti":"fqiB","ver":"2.0"}`, `{"typ":"JWT","alg":"RS256","kid":"KID"}`, func(s *conformanceSetup) {
			s.issuer.URL = "https://issuer.test/7298/v2.0"
			s.options.AudienceNames = map[string][]string{"api1": {"api://api1", "6e74172b-be56-4843-9ff4-e66a39bb12e3"}}
		}),
		real("Microsoft Entra ID, v1.0", `{"aud":"api://api1","iss":"ISSUER","iat":946684800,"nbf":946684800,"exp":946684860,"acr":"1","amr":["pwd"],"appid":"6e74","appidacr":"0","family_name":"x","roles":["admin"],"scp":"access_as_user","sub":"l3_r","tid":"fa15","ver":"1.0"}`, `{"typ":"JWT","alg":"RS256","x5t":"KID","kid":"KID"}`, func(s *conformanceSetup) {
			s.issuer.URL = "https://issuer.test/fa15/"
			s.audience = "api://api1"
		}),
		real("Auth0", `{"iss":"ISSUER","sub":"auth0|5e8d","aud":["api1","https://issuer.test/userinfo"],"iat":946684800,"exp":946684860,"azp":"my_client","scope":"openid profile","permissions":["read:x"]}`, `{"alg":"RS256","typ":"JWT","kid":"KID"}`, issuer("https://issuer.test/")),
		real("Okta", `{"ver":1,"jti":"AT.0mP4JK","iss":"ISSUER","aud":"api1","iat":946684800,"exp":946684860,"cid":"0oa","uid":"00u","scp":["openid","email"],"sub":"a@b"}`, `{"kid":"KID","alg":"RS256"}`, issuer("https://issuer.test/oauth2/default")),
		real("Amazon Cognito", `{"sub":"aaaa","device_key":"x","cognito:groups":["admin"],"token_use":"access","scope":"aws.cognito.signin.user.admin","auth_time":946684800,"iss":"ISSUER","exp":946684860,"iat":946684800,"jti":"j","client_id":"api1","username":"janedoe"}`, `{"kid":"KID","alg":"RS256"}`, func(s *conformanceSetup) {
			s.issuer.URL = "https://issuer.test/eu-west-1_abc"
			s.options.AudienceClaim = "client_id"
		}),
		real("OpenIddict, not encrypted", `{"iss":"ISSUER","exp":946684860,"iat":946684800,"aud":"api1","scope":"openid api","jti":"j","sub":"s","oi_prst":"web","client_id":"web","oi_tkn_id":"t"}`, `{"alg":"RS256","kid":"KID","typ":"at+jwt"}`, issuer("https://issuer.test/")),
		real("IdentityServer and Duende", `{"nbf":946684800,"exp":946684860,"iss":"ISSUER","aud":["api1"],"client_id":"web","sub":"s","auth_time":946684800,"idp":"local","jti":"J","sid":"S","iat":946684800,"scope":["openid","api"],"amr":["pwd"]}`, `{"alg":"RS256","kid":"KID","typ":"at+jwt"}`, nil),
		real("IdentityServer3", `{"iss":"ISSUER","aud":"api1","exp":946684860,"nbf":946684800,"client_id":"web","scope":["api"],"sub":"s","auth_time":946684800,"idp":"idsrv","amr":["password"]}`, `{"typ":"JWT","alg":"RS256","x5t":"KID","kid":"KID"}`, nil),
		real("AD FS", `{"aud":"microsoft:identityserver:api1","iss":"ISSUER","iat":946684800,"nbf":946684800,"exp":946684860,"apptype":"Public","appid":"x","authmethod":"p","auth_time":"2000-01-01T00:00:00.000Z","ver":"1.0","scp":"openid"}`, `{"typ":"JWT","alg":"RS256","x5t":"KID","kid":"KID"}`, func(s *conformanceSetup) {
			s.issuer.URL = "https://issuer.test/adfs/services/trust"
			s.audience = "microsoft:identityserver:api1"
		}),
		real("Ory Hydra", `{"aud":["api1"],"client_id":"web","exp":946684860,"ext":{"role":"x"},"iat":946684800,"iss":"ISSUER","jti":"j","nbf":946684800,"scp":["a","b"],"sub":"s"}`, `{"alg":"RS256","kid":"KID","typ":"JWT"}`, issuer("https://issuer.test/")),
		real("ZITADEL", `{"iss":"ISSUER","aud":["167","api1"],"azp":"167","exp":946684860,"iat":946684800,"nbf":946684800,"jti":"V2_1","sub":"s","urn:zitadel:iam:org:project:roles":{"admin":{"1":"acme"}}}`, `{"alg":"RS256","kid":"KID","typ":"JWT"}`, nil),
		real("PingFederate, which writes little", `{"iss":"ISSUER","aud":"api1","exp":946684860,"scope":"","client_id":"web"}`, `{"alg":"RS256","kid":"KID"}`, nil),
		real("times with a fraction", `{"iss":"ISSUER","aud":"api1","exp":946684860.417,"iat":946684799.983,"nbf":946684799.983}`, `{"alg":"RS256","kid":"KID"}`, nil),
		{name: "metadata by RFC 8414 only", source: meta, at: &conformanceSetup{is: "no OpenID Connect metadata", keys: func(i *mint.Issuer) { i.SetFault(mint.EndpointDiscovery, mint.Status(404)) }}},
		{name: "metadata by RFC 8414 only, of an issuer with a path", source: meta, at: &conformanceSetup{is: "no OpenID Connect metadata", issuer: mint.Options{Path: "/realms/a"}, keys: func(i *mint.Issuer) { i.SetFault(mint.EndpointDiscovery, mint.Status(404)) }}},
		{name: "a key set without discovery", source: "RFC 7517, 5", at: &conformanceSetup{is: "JWKSURL", options: jwtbearer.Options{JWKSURL: "https://issuer.test/jwks"}}},
		{name: "metadata elsewhere", source: meta, at: &conformanceSetup{is: "MetadataURL", options: jwtbearer.Options{MetadataURL: "https://issuer.test/.well-known/oauth-authorization-server"}}},
		{name: "a key set of type application/json", source: "RFC 7517, 8.5", at: &conformanceSetup{is: "application/json", keys: func(i *mint.Issuer) { i.SetFault(mint.EndpointKeys, mint.ContentType("application/json")) }}},
		{name: "ID tokens are signed by another algorithm, by the metadata", source: "OpenID Connect Discovery 1.0, 3", edit: edits(mint.Algorithm("ES256")), at: &conformanceSetup{is: "metadata: `id_token_signing_alg_values_supported` RS256", keys: func(i *mint.Issuer) { i.SetMetadata("id_token_signing_alg_values_supported", []string{"RS256"}) }}},
		{name: "an authority that names no algorithms at all", source: "RFC 8414, 2", at: &conformanceSetup{is: "metadata without algorithms", keys: func(i *mint.Issuer) { i.SetMetadata("id_token_signing_alg_values_supported", nil) }}},
		{name: "signed by the key before the last rotation", source: "OpenID Connect Core 1.0, 10.1.1", at: &conformanceSetup{is: "rotated keys", keys: func(i *mint.Issuer) { i.Rotate() }}},
		{name: "another clock: the authority is 59 s ahead", source: "RFC 7519, 4.1.6", at: &conformanceSetup{is: "its clock is ahead", keys: func(i *mint.Issuer) { i.SetClockOffset(59e9) }}},
		{name: "another clock: the authority is 59 s behind", source: "RFC 7519, 4.1.4", at: &conformanceSetup{is: "its clock is behind", keys: func(i *mint.Issuer) { i.SetClockOffset(-59e9) }}},
	}

	opaque := &conformanceSetup{is: "an Introspector", options: jwtbearer.Options{Introspector: conformanceIntrospector{}}}
	boundAllowed := &conformanceSetup{is: "an Introspector, InsecureAcceptBoundTokens", options: jwtbearer.Options{Introspector: conformanceIntrospector{}, InsecureAcceptBoundTokens: true}}
	answer := func(text string) func(string) string {
		return constant("7f3a~" + base64.RawURLEncoding.EncodeToString([]byte(text)))
	}
	const good = `{"active":true,"aud":"api1","exp":946684860,"scope":"read","sub":"alice"}`
	const source = "RFC 7662, 2.2 and 4"
	row := func(name, text, want string) conformanceCase {
		c := conformanceCase{name: name, at: opaque, want: want, source: source, text: answer(text)}
		if want != "" {
			c.mendText = answer(good)
		}
		return c
	}
	members := func(changes string) string {
		all, with := map[string]json.RawMessage{}, map[string]json.RawMessage{}
		json.Unmarshal([]byte(good), &all)
		if err := json.Unmarshal([]byte(changes), &with); err != nil {
			panic(err)
		}
		for name, value := range with {
			all[name] = value
			if string(value) == `"-"` {
				delete(all, name)
			}
		}
		text, _ := json.Marshal(all)
		return string(text)
	}
	introspected := []conformanceCase{
		row("an active token", good, ""),
		row("an active token with its issuer", members(`{"iss":"https://issuer.test"}`), ""),
		row("`active` is false", members(`{"active":false}`), "inactive"),
		row("`active` is absent", members(`{"active":"-"}`), "inactive"),
		row("`active` is a string", members(`{"active":"true"}`), "inactive"),
		row("`active` is a number", members(`{"active":1}`), "inactive"),
		row("`Active` is true", strings.Replace(good, `"active"`, `"Active"`, 1), "inactive"),
		row("`aud` is another", members(`{"aud":"api2"}`), "audience"),
		row("`aud` is absent", members(`{"aud":"-"}`), "audience"),
		row("`exp` is past", members(`{"exp":946684740}`), "expired"),
		row("`exp` is absent", members(`{"exp":"-"}`), "no_expiry"),
		row("`exp` is a string", members(`{"exp":"946684860"}`), "claim"),
		row("`nbf` is to come", members(`{"nbf":946684861}`), "not_yet_valid"),
		row("`iss` is another", members(`{"iss":"https://evil.test"}`), "issuer"),
		row("`sub` is a number", members(`{"sub":7}`), "claim"),
		row("`scope` is a number", members(`{"scope":7}`), "claim"),
		row("bound to a key", members(`{"cnf":{"jkt":"x"}}`), "bound"),
		row("the answer is not JSON", `hello`, "check_unavailable"),
		row("the answer has a member twice", strings.Replace(good, `{`, `{"active":true,`, 1), "check_unavailable"),
		{name: "bound to a key, where that is allowed", at: boundAllowed, source: source, text: answer(members(`{"cnf":{"jkt":"x"}}`))},
		{name: "the authority does not know the token", at: opaque, want: "inactive", source: source, text: constant("7f3a~unknown"), mendText: answer(good)},
		{name: "the authority is away", at: opaque, want: "check_unavailable", source: source, text: constant("7f3a~away"), mendText: answer(good)},
		{name: "the introspector makes a refusal that is not its to make", at: opaque, want: "check_unavailable", source: source, text: constant("7f3a~forbidden"), mendText: answer(good)},
		{name: "an opaque token, without an Introspector", want: "malformed", source: source, text: answer(good)},
		{name: "a JWT whose signature is not good, with an Introspector", at: opaque, want: "signature", source: "RFC 7515, 5.2", edit: edits(mint.ForgedSignature())},
		{name: "an opaque token, where the policy is for another kind of JWT", want: "type", source: "RFC 8725, 3.12",
			at:   &conformanceSetup{is: "an Introspector, rule TokenType `logout+jwt`", options: opaque.options, rules: []jwtbearer.Rule{jwtbearer.TokenType("logout+jwt")}},
			text: answer(good), mend: edits(mint.Header("typ", "logout+jwt"))},
	}
	closed := []conformanceCase{
		{name: "the verifier was closed since", want: "closed", source: "RFC 9110, 15.6.4", disturb: func(v *jwtbearer.Verifier) { v.Close() }},
	}
	return []conformanceArea{
		{title: "Tokens as authorities issue them", text: "Real tokens differ, and all of these are good.", cases: accepted},
		{title: "Opaque tokens", text: "Only with `Options.Introspector`. What the authority answers is judged like the claims of a JWT.", cases: introspected},
		{title: "Outages", text: "Whether the token is good cannot be told, which is not its fault. The outages of an authority over time have tests of their own.", cases: closed},
	}
}
