package jwtbearer_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	mint "github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func conformanceClaims() []conformanceArea {
	const registered = "RFC 7519, 4.1"
	var types []conformanceCase
	types = append(types, wrongTypes("iss", "RFC 7519, 4.1.1", mint.Claim("iss", "https://issuer.test"), noStrings)...)
	types = append(types, wrongTypes("sub", "RFC 7519, 4.1.2", mint.Claim("sub", "x"), noStrings)...)
	types = append(types, wrongTypes("aud", "RFC 7519, 4.1.3", mint.Claim("aud", "api1"), noNames)...)
	types = append(types, wrongTypes("exp", "RFC 7519, 2 and 4.1.4", mint.RawClaim("exp", `946684860`), noDates)...)
	types = append(types, wrongTypes("nbf", "RFC 7519, 2 and 4.1.5", mint.RawClaim("nbf", `946684800`), noDates)...)
	types = append(types, wrongTypes("iat", "RFC 7519, 2 and 4.1.6", mint.RawClaim("iat", `946684800`), noDates)...)
	types = append(types, wrongTypes("jti", "RFC 7519, 4.1.7", mint.Claim("jti", "x"), noStrings)...)
	types = append(types, wrongTypes("client_id", "RFC 8693, 4.3", mint.Claim("client_id", "x"), noStrings)...)
	types = append(types, wrongTypes("azp", "OpenID Connect Core 1.0, 2", mint.Claim("azp", "x"), noStrings)...)
	types = append(types, wrongTypes("appid", "Entra's access tokens", mint.Claim("appid", "x"), noStrings)...)
	types = append(types, wrongTypes("scope", "RFC 8693, 4.2", mint.Claim("scope", "read"), noWords)...)
	types = append(types, wrongTypes("scp", "Entra's and Okta's access tokens", mint.Claim("scp", "read"), noWords)...)
	types = append(types, wrongTypes("sid", "OpenID Connect Back-Channel Logout 1.0, 2.1", mint.Claim("sid", "x"), noStrings)...)
	session := &conformanceSetup{is: "SessionClaim `session_id`", options: jwtbearer.Options{SessionClaim: "session_id"}}
	for _, c := range wrongTypes("session_id", registered, mint.Claim("session_id", "x"), noStrings[:2]) {
		c.at = session
		types = append(types, c)
	}
	types = append(types,
		conformanceCase{name: "`sid` is a number, where another claim names the session", at: session, source: registered, edit: edits(mint.Claim("sid", 7))},
		conformanceCase{name: "`scope` is good and `scp` a number", want: "claim", source: "RFC 8693, 4.2", edit: edits(mint.Claim("scp", 7)), with: edits(mint.Claim("scope", "read"))},
		conformanceCase{name: "claims that nobody knows, of all types", source: "RFC 7519, 4", edit: edits(mint.RawClaim("x", `[null,true,1.5,"",[],{}]`), mint.RawClaim("y", `null`))},
	)

	var absent []conformanceCase
	for _, c := range []struct{ name, want string }{{"iss", "issuer"}, {"aud", "audience"}, {"exp", "no_expiry"}} {
		absent = append(absent, conformanceCase{name: "no `" + c.name + "`", want: c.want, source: "RFC 9068, 2.2 and 4", edit: edits(mint.WithoutClaim(c.name))})
	}
	for _, name := range []string{"sub", "iat", "jti", "client_id"} {
		absent = append(absent, conformanceCase{name: "no `" + name + "`", source: registered + " (optional)", edit: edits(mint.WithoutClaim(name))})
	}
	absent = append(absent,
		conformanceCase{name: "`iss`, `aud` and `exp` only", source: registered + " (optional)", edit: edits(mint.RawPayload(`{"iss":"https://issuer.test","aud":"api1","exp":946684860}`)), token: func(t *jwtbearer.Token) error {
			if t.Subject() != "" || t.ID() != "" || t.ClientID() != "" || t.SessionID() != "" || len(t.Scopes()) != 0 || !t.IssuedAt().IsZero() || !t.NotBefore().IsZero() {
				return fmt.Errorf("claims came out of nothing")
			}
			return nil
		}},
		conformanceCase{name: "an empty object", want: "issuer", source: "RFC 9068, 2.2", edit: edits(mint.RawPayload(`{}`))},
		conformanceCase{name: "`sub` is empty", source: "RFC 7519, 4.1.2", edit: edits(mint.Claim("sub", ""))},
		conformanceCase{name: "`iss` is empty", want: "issuer", source: "RFC 7519, 4.1.1", edit: edits(mint.Claim("iss", ""))},
	)
	return []conformanceArea{
		{title: "Types of claims", text: "A claim of the wrong type is a refusal and never a zero value: reading it as absent would skip the check that it is for.", cases: types},
		{title: "Absent claims", cases: absent},
	}
}

func conformanceTime() []conformanceArea {
	const exp, nbf, iat = "RFC 7519, 4.1.4", "RFC 7519, 4.1.5", "RFC 7519, 4.1.6"
	at := func(seconds string) mint.TokenOption { return mint.RawClaim("exp", seconds) }
	minute := &conformanceSetup{is: "a skew of one minute, the default"}
	none := &conformanceSetup{is: "NoClockSkew", options: jwtbearer.Options{ClockSkew: jwtbearer.NoClockSkew}}
	most := &conformanceSetup{is: "ClockSkew 10 min", options: jwtbearer.Options{ClockSkew: 10 * time.Minute}}
	tiny := &conformanceSetup{is: "ClockSkew 1 ms", options: jwtbearer.Options{ClockSkew: time.Millisecond}}
	// It is 946684800 (2000-01-01T00:00:00Z) when a token is judged.
	row := func(setup *conformanceSetup, claim, bad, good, want, source string) []conformanceCase {
		return []conformanceCase{
			{name: fmt.Sprintf("`%s` is now%s", claim, sinceNow(good)), at: setup, source: source, edit: edits(mint.RawClaim(claim, good))},
			{name: fmt.Sprintf("`%s` is now%s", claim, sinceNow(bad)), at: setup, want: want, source: source, edit: edits(mint.RawClaim(claim, bad)), mend: edits(mint.RawClaim(claim, good))},
		}
	}
	boundaries := slices.Concat(
		row(minute, "exp", "946684740", "946684740.000000001", "expired", exp),
		row(minute, "nbf", "946684860.000000001", "946684860", "not_yet_valid", nbf),
		row(minute, "iat", "946684860.000000001", "946684860", "not_yet_valid", iat),
		row(none, "exp", "946684800", "946684800.000000001", "expired", exp),
		row(none, "nbf", "946684800.000000001", "946684800", "not_yet_valid", nbf),
		row(none, "iat", "946684800.000000001", "946684800", "not_yet_valid", iat),
		row(most, "exp", "946684200", "946684200.000000001", "expired", exp),
		row(most, "nbf", "946685400.000000001", "946685400", "not_yet_valid", nbf),
		row(most, "iat", "946685400.000000001", "946685400", "not_yet_valid", iat),
		row(tiny, "exp", "946684799.999", "946684799.999000001", "expired", exp),
	)
	boundaries = append(boundaries,
		conformanceCase{name: "a token of 60 s, 119.999999999 s after it was issued", at: minute, source: exp, later: 0},
		conformanceCase{name: "the token that was accepted a nanosecond ago, 120 s after it was issued", at: minute, want: "expired", source: exp, mendLater: 2*time.Minute - 1, later: 2 * time.Minute},
		conformanceCase{name: "the token that was accepted at once, an hour after it was issued", at: minute, want: "expired", source: exp, later: time.Hour},
		conformanceCase{name: "a token of 60 s, 60 s after it was issued", at: none, want: "expired", source: exp, mendLater: time.Minute - 1, later: time.Minute},
		conformanceCase{name: "`exp` before `nbf`, both within the skew", at: minute, source: exp, edit: edits(at("946684790"), mint.RawClaim("nbf", "946684810"))},
	)
	boundaries = slices.DeleteFunc(boundaries, func(c conformanceCase) bool { return strings.Contains(c.name, "119.9") })

	var forms []conformanceCase
	for _, f := range []struct{ is, text, want string }{
		{"a fraction", "946684860.5", ""}, {"a fraction of zeros", "946684860.000", ""}, {"an exponent", "9.46684860e8", ""}, {"an exponent with a plus sign", "9.46684860E+8", ""},
		{"the largest, in the year 9999", "253402300799", ""}, {"a second more than the largest", "253402300800", "claim"},
		{"in milliseconds", "946684860000", "claim"}, {"in nanoseconds", "946684860000000000", "claim"},
		{"beyond 63 bits", "9223372036854775808", "claim"}, {"beyond 64 bits", "18446744073709551617", "claim"}, {"a number that wraps to a good one in 64 bits", "18446744074656236476", "claim"},
		{"a number that wraps to a good one in 32 bits", "5241652156", ""},
		{"1e308", "1e308", "claim"}, {"a number of 65 digits", "946684860." + strings.Repeat("0", 55), "claim"}, {"a number that is infinite as a float", "1e309", "malformed"},
		{"zero", "0", "expired"}, {"minus zero", "-0", "expired"}, {"negative", "-1", "expired"}, {"the year 1", "-62135596800", "no_expiry"}, {"before the year 1", "-62135596801", "claim"}, {"very negative", "-1e300", "claim"}, {"a tiny fraction", "1e-300", "claim"},
		{"a second ago, with a fraction that rounds up", "946684739.9999999999", "expired"},
	} {
		forms = append(forms, conformanceCase{name: fmt.Sprintf("`exp` is %s: `%s`", f.is, f.text), want: f.want, source: "RFC 7519, 2 (NumericDate)", edit: edits(at(f.text))})
	}
	for _, claim := range []string{"nbf", "iat"} {
		forms = append(forms,
			conformanceCase{name: "`" + claim + "` is in milliseconds", want: "claim", source: "RFC 7519, 2 (NumericDate)", edit: edits(mint.RawClaim(claim, "946684800000")), mend: edits(mint.RawClaim(claim, "946684800"))},
			conformanceCase{name: "`" + claim + "` is beyond 64 bits", want: "claim", source: "RFC 7519, 2 (NumericDate)", edit: edits(mint.RawClaim(claim, "18446744074656236416")), mend: edits(mint.RawClaim(claim, "946684800"))},
			conformanceCase{name: "`" + claim + "` is in the year 9999", want: "not_yet_valid", source: "RFC 7519, 4.1", edit: edits(mint.RawClaim(claim, "253402300799")), mend: edits(mint.RawClaim(claim, "946684800"))},
			conformanceCase{name: "`" + claim + "` is negative", source: "RFC 7519, 2 (NumericDate)", edit: edits(mint.RawClaim(claim, "-1"))},
			conformanceCase{name: "`" + claim + "` is zero", source: "RFC 7519, 2 (NumericDate)", edit: edits(mint.RawClaim(claim, "0"))},
		)
	}

	age := &conformanceSetup{is: "MaxAge 5 min", rules: []jwtbearer.Rule{jwtbearer.MaxAge(5 * time.Minute)}}
	ages := &conformanceSetup{is: "MaxAge 1 h, then 5 min", rules: []jwtbearer.Rule{jwtbearer.MaxAge(time.Hour), jwtbearer.MaxAge(5 * time.Minute), jwtbearer.MaxAge(2 * time.Hour)}}
	exact := &conformanceSetup{is: "MaxAge 5 min and NoClockSkew", options: none.options, rules: age.rules}
	issued := func(text string) []mint.TokenOption { return edits(mint.RawClaim("iat", text)) }
	const source = "bound of the API"
	old := []conformanceCase{
		{name: "as old as it may be, with skew", at: age, source: source, edit: issued("946684440")},
		{name: "a nanosecond older", at: age, want: "too_old", source: source, edit: issued("946684439.999999999"), mend: issued("946684440")},
		{name: "as old as it may be", at: exact, source: source, edit: issued("946684500")},
		{name: "a nanosecond older, without skew", at: exact, want: "too_old", source: source, edit: issued("946684499.999999999"), mend: issued("946684500")},
		{name: "the smallest of several ages counts", at: ages, want: "too_old", source: source, edit: issued("946684439"), mend: issued("946684440")},
		{name: "no `iat`", at: age, want: "too_old", source: source, edit: edits(mint.WithoutClaim("iat"))},
		{name: "the token that was young enough a nanosecond ago", at: age, want: "too_old", source: source, with: edits(mint.ExpiresIn(time.Hour)), mendLater: 6 * time.Minute, later: 6*time.Minute + 1},
		{name: "an `iat` of long ago, without the rule", source: iat, edit: issued("1")},
	}
	return []conformanceArea{
		{title: "Time", text: "It is 2000-01-01T00:00:00Z. A token is refused from `exp` plus skew on, and before `nbf` or `iat` minus skew; both are judged on every request, of a remembered token too.", cases: boundaries},
		{title: "Forms of NumericDate", cases: forms},
		{title: "Maximum age", text: "Only with the rule `MaxAge`.", cases: old},
	}
}

// sinceNow writes a NumericDate as a distance from 2000-01-01T00:00:00Z.
func sinceNow(text string) string {
	whole, fraction, _ := strings.Cut(text, ".")
	var seconds int64
	fmt.Sscan(whole, &seconds)
	nanos := int64(0)
	if fraction != "" {
		fmt.Sscan((fraction + "000000000")[:9], &nanos)
	}
	switch d := time.Duration(seconds-946684800)*time.Second + time.Duration(nanos); {
	case d == 0:
		return ""
	case d < 0:
		return fmt.Sprintf(" minus %v", -d)
	default:
		return fmt.Sprintf(" plus %v", d)
	}
}

func conformanceParties() []conformanceArea {
	const aud, iss = "RFC 7519, 4.1.3; RFC 9068, 4", "RFC 7519, 4.1.1; RFC 9068, 4"
	audience := func(text string) []mint.TokenOption { return edits(mint.RawClaim("aud", text)) }
	var audiences []conformanceCase
	for _, good := range []string{`"api1"`, `["api1"]`, `["api1","api2"]`, `["api2","api1"]`, `["","api1"]`, `["api1","api1"]`, `[ "api1" ]`, `"\u0061pi1"`} {
		audiences = append(audiences, conformanceCase{name: "`aud` is `" + good + "`", source: aud, edit: audience(good)})
	}
	for _, bad := range []string{
		`"api2"`, `["api2"]`, `[]`, `""`, `[""]`, `"API1"`, `"Api1"`, `"api1/"`, `"/api1"`, `"api1 "`, `" api1"`, `"api11"`, `"api"`, `"xapi1"`, `"api1,api2"`, `"api1 api2"`,
		`"api1\u0000"`, `"*"`, `"api*"`, `"https://api1"`, `"ap\u0131\u0031"`, `"account"`, `["account"]`, `["api2","account"]`,
	} {
		audiences = append(audiences, conformanceCase{name: "`aud` is `" + bad + "`", want: "audience", source: aud, edit: audience(bad)})
	}
	slash := &conformanceSetup{is: "Require `https://api.test/`", audience: "https://api.test/"}
	also := &conformanceSetup{is: "rule AlsoAudience `api2`", rules: []jwtbearer.Rule{jwtbearer.AlsoAudience("api2")}}
	names := &conformanceSetup{is: "AudienceNames `api1`: `api://7`, `7`", options: jwtbearer.Options{AudienceNames: map[string][]string{"api1": {"api://7", "7"}}}}
	otherNames := &conformanceSetup{is: "AudienceNames for `api2` only", options: jwtbearer.Options{AudienceNames: map[string][]string{"api2": {"api://8"}}}}
	namesAlso := &conformanceSetup{is: "AudienceNames for `api2`, rule AlsoAudience `api2`", options: otherNames.options, rules: also.rules}
	cognito := &conformanceSetup{is: "AudienceClaim `client_id`", options: jwtbearer.Options{AudienceClaim: "client_id"}}
	audiences = append(audiences,
		conformanceCase{name: "the audience with its slash", at: slash, source: aud, edit: audience(`"https://api.test/"`)},
		conformanceCase{name: "the audience without its slash", at: slash, want: "audience", source: aud, edit: audience(`"https://api.test"`), mend: audience(`"https://api.test/"`)},
		conformanceCase{name: "the second of two audiences", at: also, source: aud, edit: audience(`"api2"`)},
		conformanceCase{name: "neither of two audiences", at: also, want: "audience", source: aud, edit: audience(`"api3"`)},
		conformanceCase{name: "the first name of the authority for it", at: names, source: aud, edit: audience(`"api://7"`)},
		conformanceCase{name: "the second name of the authority for it", at: names, source: aud, edit: audience(`["7"]`)},
		conformanceCase{name: "our name, where the authority has others", at: names, want: "audience", source: aud, edit: audience(`"api1"`), mend: audience(`"7"`)},
		conformanceCase{name: "our name, where the authority has others for another API", at: otherNames, source: aud, edit: audience(`"api1"`)},
		conformanceCase{name: "the authority's name of another API", at: otherNames, want: "audience", source: aud, edit: audience(`"api://8"`), mend: audience(`"api1"`)},
		conformanceCase{name: "the authority's name of an audience that is accepted too", at: namesAlso, source: aud, edit: audience(`"api://8"`)},
		conformanceCase{name: "the audience in another claim", at: cognito, source: "Amazon Cognito's access tokens", edit: edits(mint.WithoutClaim("aud"), mint.Claim("client_id", "api1"))},
		conformanceCase{name: "the audience in aud, where another claim has it", at: cognito, want: "audience", source: aud, edit: edits(mint.Claim("client_id", "x")), mend: edits(mint.Claim("client_id", "api1"))},
		conformanceCase{name: "no such claim, where another claim has the audience", at: cognito, want: "audience", source: aud, edit: edits(mint.WithoutClaim("client_id")), mend: edits(mint.Claim("client_id", "api1"))},
	)

	var issuers []conformanceCase
	for _, bad := range []string{
		"https://issuer.test/", "https://issuer.test//", "http://issuer.test", "https://ISSUER.test", "HTTPS://issuer.test", "https://issuer.test:443", "https://issuer.test.", "https://issuer.test.evil.test",
		"https://evil.test", "https://issuer.test@evil.test", "https://evil.test/https://issuer.test", "https://issuer.test/path", "https://issuer.test?x", "https://issuer.test#x", "issuer.test", "//issuer.test",
		" https://issuer.test", "https://issuer.test ", "https://issuer.test\n", "https://issuer.test\u0000", "https://xn--issuer.test", "https://ıssuer.test", "https://issuer%2etest", "https://",
		"api1", "/", "null", "*",
	} {
		issuers = append(issuers, conformanceCase{name: "`iss` is `" + strings.Trim(fmt.Sprintf("%+q", bad), `"`) + "`", want: "issuer", source: iss, edit: edits(mint.Claim("iss", bad))})
	}
	issuers = append(issuers, conformanceCase{name: "`iss` written with escapes", source: iss, edit: edits(mint.RawClaim("iss", `"https:\/\/issuer\u002etest"`))})
	for _, url := range []string{"https://issuer.test/realms/acme", "https://issuer.test:8443", "https://issuer.test/", "https://issuer.test:8443/a/b/", "https://issuer.test/oauth2/default", "https://issuer.test/a%2Fb", "https://issuer.test/Ä"} {
		setup := &conformanceSetup{is: "issuer `" + url + "`", issuer: mint.Options{URL: url}}
		other := strings.TrimSuffix(url, "/")
		if other == url {
			other += "/"
		}
		issuers = append(issuers,
			conformanceCase{name: "`iss` as it is, of " + url, at: setup, source: iss},
			conformanceCase{name: "`iss` with a slash more or less, of " + url, at: setup, want: "issuer", source: iss, edit: edits(mint.Claim("iss", other))},
			conformanceCase{name: "`iss` in upper case, of " + url, at: setup, want: "issuer", source: iss, edit: edits(mint.Claim("iss", strings.ToUpper(url)))},
			conformanceCase{name: "`iss` without path and port, of " + url, at: setup, want: "issuer", source: iss, edit: edits(mint.Claim("iss", "https://issuer.test/other"))},
		)
	}
	document := &conformanceSetup{is: "configured without the slash that the metadata has", keys: func(i *mint.Issuer) { i.SetMetadata("issuer", "https://issuer.test/") }}
	issuers = append(issuers,
		conformanceCase{name: "`iss` as the metadata has it", at: document, source: "OpenID Connect Discovery 1.0, 4.3", edit: edits(mint.Claim("iss", "https://issuer.test/"))},
		conformanceCase{name: "`iss` as configured, not as the metadata has it", at: document, want: "issuer", source: "OpenID Connect Discovery 1.0, 4.3", edit: edits(mint.Claim("iss", "https://issuer.test")), mend: edits(mint.Claim("iss", "https://issuer.test/"))},
	)
	return []conformanceArea{
		{title: "Audience", text: "Compared byte for byte. At least one of a token's audiences is that of the API.", cases: audiences},
		{title: "Issuer", text: "Compared byte for byte with what the authority's metadata says.", cases: issuers},
	}
}
