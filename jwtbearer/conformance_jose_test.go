package jwtbearer_test

import (
	"encoding/base64"
	"fmt"
	"strings"

	mint "github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// nbf is far enough in the past for any skew, and the bubble's clock begins at
// 2000-01-01T00:00:00Z, which is 946684800.
const plainPayload = `"iss":"https://issuer.test","sub":"alice","aud":"api1","exp":946684860,"iat":946684800`

// payload makes a whole payload of the members of a good one and more.
func payload(more string) mint.TokenOption { return mint.RawPayload("{" + plainPayload + more + "}") }

// header makes a whole header of the members of a good one and more.
func moreHeader(more string) func(*mint.Issuer) []mint.TokenOption {
	return func(i *mint.Issuer) []mint.TokenOption {
		return edits(mint.RawHeader(fmt.Sprintf(`{"alg":"RS256","kid":%q%s}`, i.KeyID("RS256"), more)))
	}
}

func wholeHeader(format string) func(*mint.Issuer) []mint.TokenOption {
	return func(i *mint.Issuer) []mint.TokenOption {
		return edits(mint.RawHeader(strings.ReplaceAll(format, "KID", i.KeyID("RS256"))))
	}
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// bits flips unused bits in the last character of a segment, so that another
// text decodes to the same bytes.
func bits(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(s) - 1
	if len(s)%4 == 0 {
		panic("the segment leaves no bits unused")
	}
	return s[:last] + string(alphabet[strings.IndexByte(alphabet, s[last])^1])
}

func conformanceJOSE() []conformanceArea {
	const compact, jws = "RFC 7515, 3.1 and 7.1", "RFC 7515, 5.2"
	shape := func(name, want, source string, text func(string) string) conformanceCase {
		return conformanceCase{name: name, want: want, source: source, text: text}
	}
	parts := func(pick func(h, p, s string) string) func(string) string {
		return func(token string) string {
			p := strings.Split(token, ".")
			return pick(p[0], p[1], p[2])
		}
	}
	serialization := []conformanceCase{
		shape("nothing but the header", "malformed", compact, parts(func(h, p, s string) string { return h })),
		shape("no signature and no dot before it", "malformed", compact, parts(func(h, p, s string) string { return h + "." + p })),
		shape("an empty signature", "malformed", compact, parts(func(h, p, s string) string { return h + "." + p + "." })),
		shape("an empty header", "malformed", compact, parts(func(h, p, s string) string { return "." + p + "." + s })),
		shape("an empty payload (detached content)", "detached", "RFC 7515, Appendix F", parts(func(h, p, s string) string { return h + ".." + s })),
		shape("header and payload empty", "malformed", compact, parts(func(h, p, s string) string { return ".." + s })),
		shape("a fourth segment", "malformed", compact, parts(func(h, p, s string) string { return h + "." + p + "." + s + "." + s })),
		shape("an empty fourth segment", "malformed", compact, parts(func(h, p, s string) string { return h + "." + p + "." + s + "." })),
		shape("an empty segment in front", "malformed", compact, parts(func(h, p, s string) string { return "." + h + "." + p + "." + s })),
		shape("six segments", "malformed", compact, parts(func(h, p, s string) string { return h + "." + p + "." + s + "." + h + "." + p + "." + s })),
		shape("header and payload swapped", "malformed", compact, parts(func(h, p, s string) string { return p + "." + h + "." + s })),
		shape("five segments: an encrypted token", "encrypted", "RFC 7516, 9", func(t string) string { return t + "." + b64("iv") + "." + b64("tag") }),
		{name: "an encrypted token (JWE)", edit: edits(mint.Encrypted()), want: "encrypted", source: "RFC 7516, 9; RFC 9068, 4"},
		shape("an encrypted token with a direct key, whose second segment is empty", "encrypted", "RFC 7516, 7.1", parts(func(h, p, s string) string {
			return b64(`{"alg":"dir","enc":"A128GCM"}`) + ".." + b64("iv") + "." + p + "." + b64("tag")
		})),
		shape("the flattened JSON serialization", "serialization", "RFC 7515, 7.2.2", parts(func(h, p, s string) string {
			return fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p, h, s)
		})),
		shape("the general JSON serialization", "serialization", "RFC 7515, 7.2.1", parts(func(h, p, s string) string {
			return fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p, h, s)
		})),
		shape("the JSON serialization of an encrypted token", "serialization", "RFC 7516, 7.2", constant(`{"protected":"e30","iv":"AA","ciphertext":"AA","tag":"AA"}`)),
		{name: "a token of 64 KiB", text: nil, source: "bound of this library", with: edits(mint.Claim("jti", "1")), editFor: sized(64 << 10)},
		{name: "a token of 64 KiB and one byte", want: "too_large", source: "bound of this library", with: edits(mint.Claim("jti", "1")), editFor: sized(64<<10 + 1), mendFor: sized(64 << 10)},
		{name: "a header of more than 12 KiB", want: "malformed", source: "bound of this library", editFor: moreHeader(padding(9_300)), mendFor: moreHeader(padding(9_100))},
		shape("a signature of more bytes than any key makes", "malformed", "bound of this library", parts(func(h, p, s string) string {
			return h + "." + p + "." + s + strings.Repeat("A", 1367-len(s))
		})),
		{name: "a token of 1 MiB", want: "too_large", source: "bound of this library", with: edits(mint.Claim("jti", "1")), editFor: sized(1 << 20), mendFor: sized(64 << 10)},
	}

	var encoding []conformanceCase
	for n, part := range []string{"header", "payload", "signature"} {
		// Of these, the ones that are a token68 all the same are judged as tokens,
		// and the others as malformed credentials.
		add := func(name string, token68 bool, change func(string) string) {
			c := conformanceCase{
				name: name + " in the " + part, want: "malformed", source: "RFC 7515, 2; RFC 4648, 3 and 5",
				editFor: uneven, mendFor: uneven, text: segment(n, change),
			}
			if !token68 {
				c.inField = "malformed_credentials"
			}
			encoding = append(encoding, c)
		}
		last := part == "signature"
		add("padding", last, func(s string) string { return s + strings.Repeat("=", 4-len(s)%4) })
		add("too much padding", last, func(s string) string { return s + "===" })
		add("unused bits that are not zero", true, bits)
		add("a last character that makes no byte", true, func(s string) string { return s[:len(s)-len(s)%4] + "A" })
		add("a space", false, func(s string) string { return s[:4] + " " + s[4:] })
		add("a line feed", false, func(s string) string { return s[:4] + "\n" + s[4:] })
		add("a carriage return and a line feed at the end", false, func(s string) string { return s + "\r\n" })
		add("a plus sign, of the other alphabet,", true, func(s string) string { return s[:8] + "+" + s[9:] })
		add("a slash, of the other alphabet,", true, func(s string) string { return s[:8] + "/" + s[9:] })
		add("a percent sign", false, func(s string) string { return s[:8] + "%" + s[9:] })
		add("a NUL", false, func(s string) string { return s + "\x00" })
		add("a letter outside ASCII", false, func(s string) string { return s[:8] + "é" + s[9:] })
		add("a full-width letter", false, func(s string) string { return s[:8] + "Ａ" + s[9:] })
	}
	return []conformanceArea{
		{title: "Serialization", cases: serialization},
		{title: "Encoding of the segments", text: "The text of a token is what its hash is taken of and what it is remembered by: of all the texts that decode to the same bytes only one is accepted.", cases: encoding},
		{title: "JSON of the payload", cases: jsonRows("the payload", func(json string) ([]mint.TokenOption, func(*mint.Issuer) []mint.TokenOption) {
			return edits(mint.RawPayload(strings.Replace(json, "GOOD", plainPayload, 1))), nil
		})},
		{title: "JSON of the header", cases: jsonRows("the header", func(json string) ([]mint.TokenOption, func(*mint.Issuer) []mint.TokenOption) {
			return nil, wholeHeader(strings.Replace(json, "GOOD", `"alg":"RS256","kid":"KID"`, 1))
		})},
		{title: "Names of members", text: "Names are compared exactly, after escapes are resolved. A reader that folds case would find `exp` in `EXP`.", cases: nameRows()},
	}
}

func padding(n int) string { return fmt.Sprintf(`,"pad":%q`, strings.Repeat("x", n)) }

// sized makes a token of exactly that many bytes.
func sized(size int) func(*mint.Issuer) []mint.TokenOption {
	return func(i *mint.Issuer) []mint.TokenOption {
		empty := len(i.Token("api1", mint.RawPayload("")))
		// Three bytes are four characters: go as near as a payload can, and take
		// the rest from the header, which is encoded by itself.
		for pad := range 4 {
			header := mint.Header("pad", strings.Repeat("x", pad))
			for _, n := range []int{0, 1, 2} {
				length := (size-empty)*3/4 - n - 20
				text := fmt.Sprintf(`{%s,"pad":""}`, plainPayload)
				if length < len(text) {
					continue
				}
				for more := range 24 {
					text := fmt.Sprintf(`{%s,"pad":%q}`, plainPayload, strings.Repeat("x", length-len(text)+more))
					if len(i.Token("api1", mint.RawPayload(text), header)) == size {
						return edits(mint.RawPayload(text), header)
					}
				}
			}
		}
		panic("no token of this size")
	}
}

// uneven makes a token whose three segments all leave bits unused.
func uneven(i *mint.Issuer) []mint.TokenOption {
	for h := range 3 {
		for p := range 3 {
			options := edits(mint.Claim("note", canary+strings.Repeat("x", p)), mint.Header("x", strings.Repeat("x", h)))
			parts := strings.Split(i.Token("api1", options...), ".")
			if len(parts[0])%4 == 2 && len(parts[1])%4 == 2 {
				return options
			}
		}
	}
	panic("no such token")
}

// jsonRows are the rows about JSON itself. GOOD stands for the members of a good
// object.
func jsonRows(part string, change func(json string) ([]mint.TokenOption, func(*mint.Issuer) []mint.TokenOption)) []conformanceCase {
	const text, unique = "RFC 7519, 7.2; RFC 8259", "RFC 7515, 4; RFC 7519, 4"
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"m%d":0`, i)
		}
		return b.String()
	}
	good, most, written := 2, 256, "256"
	if part == "the payload" {
		good, most, written = 5, 4096, "4,096"
	}
	list := []struct {
		name, json string
		ok         bool
		source     string
	}{
		{"space between the members", "{ \t\r\n GOOD , \"a\" : [ 1 , 2 ] }", true, text},
		{"an escape in a value", `{GOOD,"a":"\u00e9\n\/"}`, true, text},
		{"a surrogate pair", `{GOOD,"a":"\ud83d\ude00"}`, true, text},
		{"an escaped NUL in a value", `{GOOD,"a":"\u0000"}`, true, text},
		{"a character outside ASCII", `{GOOD,"a":"é😀"}`, true, text},
		{"a nested object", `{GOOD,"a":{"a":{"a":[{"a":1},{"a":2}]}}}`, true, text},
		{"an empty name", `{GOOD,"":1}`, true, text},
		{"numbers of all forms", `{GOOD,"a":[0,-0,1.5,-1.5e-10,1E5,1e+5]}`, true, text},
		{"a number that underflows", `{GOOD,"a":1e-400}`, true, text},
		{"an integer beyond 64 bits", `{GOOD,"a":123456789012345678901234567890}`, true, text},
		{"32 levels", `{GOOD,"a":` + nest(31) + `}`, true, "bound of this library"},
		{written + " members", `{GOOD` + many(most-good) + `}`, true, "bound of this library"},

		{"33 levels", `{GOOD,"a":` + nest(32) + `}`, false, "bound of this library"},
		{"33 levels of objects", `{GOOD,"a":` + strings.Repeat(`{"a":`, 32) + `1` + strings.Repeat(`}`, 32) + `}`, false, "bound of this library"},
		{"one member more than " + written, `{GOOD` + many(most+1-good) + `}`, false, "bound of this library"},
		{written + " elements in an array", `{GOOD,"a":[0` + strings.Repeat(",0", most-1) + `]}`, false, "bound of this library"},

		{"a cut object", `{GOOD`, false, text},
		{"an array", `[{GOOD}]`, false, text},
		{"a string", `"GOOD"`, false, text},
		{"null", `null`, false, text},
		{"a number", `1`, false, text},
		{"text that is not JSON", `hello`, false, text},
		{"a bracket instead of the brace that opens", `[GOOD}`, false, text},
		{"a letter instead of the brace that opens", `xGOOD}`, false, text},
		{"a bracket instead of the brace that closes", `{GOOD]`, false, text},
		{"a byte order mark", "\ufeff{GOOD}", false, "RFC 8259, 8.1"},
		{"UTF-16", "\xff\xfe{\x00}\x00", false, "RFC 8259, 8.1"},
		{"a space in front", ` {GOOD}`, false, "strictness of this library"},
		{"a space behind", `{GOOD} `, false, "strictness of this library"},
		{"a line feed behind", "{GOOD}\n", false, "strictness of this library"},
		{"a NUL behind", "{GOOD}\x00", false, text},
		{"a brace behind", `{GOOD}}`, false, text},
		{"a second object behind", `{GOOD}{GOOD}`, false, text},
		{"a comma behind the last member", `{GOOD,}`, false, text},
		{"two commas", `{GOOD,,"a":1}`, false, text},
		{"a comma in front", `{,GOOD}`, false, text},
		{"a missing comma", `{GOOD "a":1}`, false, text},
		{"a comment", `{GOOD/**/}`, false, text},
		{"single quotes", `{GOOD,'a':1}`, false, text},
		{"a name without quotes", `{GOOD,a:1}`, false, text},
		{"NaN", `{GOOD,"a":NaN}`, false, text},
		{"Infinity", `{GOOD,"a":Infinity}`, false, text},
		{"True", `{GOOD,"a":True}`, false, text},
		{"undefined", `{GOOD,"a":undefined}`, false, text},
		{"a leading zero", `{GOOD,"a":01}`, false, text},
		{"a plus sign", `{GOOD,"a":+1}`, false, text},
		{"a point without digits behind", `{GOOD,"a":1.}`, false, text},
		{"a point without digits in front", `{GOOD,"a":.5}`, false, text},
		{"a minus sign alone", `{GOOD,"a":-}`, false, text},
		{"an exponent without digits", `{GOOD,"a":1e}`, false, text},
		{"a hexadecimal number", `{GOOD,"a":0x1f}`, false, text},
		{"a number that overflows", `{GOOD,"a":1e400}`, false, "RFC 8259, 6"},
		{"an overflow by digits", `{GOOD,"a":1` + strings.Repeat("0", 400) + `}`, false, "RFC 8259, 6"},
		{"a line feed in a string", "{GOOD,\"a\":\"\n\"}", false, text},
		{"a NUL in a string", "{GOOD,\"a\":\"\x00\"}", false, text},
		{"an unknown escape", `{GOOD,"a":"\x41"}`, false, text},
		{"a cut escape", `{GOOD,"a":"\u12"}`, false, text},
		{"a byte that is no UTF-8", "{GOOD,\"a\":\"\xff\"}", false, "RFC 8259, 8.1"},
		{"an overlong form", "{GOOD,\"a\":\"\xc0\xaf\"}", false, "RFC 3629, 3"},
		{"a surrogate in UTF-8", "{GOOD,\"a\":\"\xed\xa0\x80\"}", false, "RFC 3629, 3"},
		{"a code point beyond U+10FFFF", "{GOOD,\"a\":\"\xf4\x90\x80\x80\"}", false, "RFC 3629, 3"},
		{"a high surrogate alone", `{GOOD,"a":"\ud800"}`, false, "RFC 7493, 2.1"},
		{"a low surrogate alone", `{GOOD,"a":"\udc00"}`, false, "RFC 7493, 2.1"},
		{"surrogates in the wrong order", `{GOOD,"a":"\udc00\ud800"}`, false, "RFC 7493, 2.1"},
		{"a surrogate alone in a name", `{GOOD,"\ud800":1}`, false, "RFC 7493, 2.1"},

		{"an unknown member twice", `{GOOD,"a":1,"a":1}`, false, unique},
		{"an unknown member twice, once with an escape", `{GOOD,"a":1,"\u0061":1}`, false, unique},
		{"a member of a nested object twice", `{GOOD,"a":{"b":1,"b":1}}`, false, unique},
		{"a member twice three levels down", `{GOOD,"a":{"b":{"c":1,"d":2,"c":1}}}`, false, unique},
		{"a member twice in an object in an array", `{GOOD,"a":[{"b":1},{"b":1,"b":1}]}`, false, unique},
		{"a member twice after thirty others", `{GOOD` + many(30) + `,"m0":1}`, false, unique},
	}
	var cases []conformanceCase
	for _, row := range list {
		c := conformanceCase{name: row.name, source: row.source, want: "malformed"}
		if row.ok {
			c.want = ""
		}
		c.edit, c.editFor = change(row.json)
		c.mend, c.mendFor = change(`{GOOD}`)
		cases = append(cases, c)
	}
	return cases
}

// nameRows are the rows about names that are nearly those of a claim.
func nameRows() []conformanceCase {
	const names, unique = "RFC 7519, 4 and 10.1.1", "RFC 7515, 4; RFC 7519, 4"
	var cases []conformanceCase
	for _, claim := range []struct{ name, value, want string }{
		{"iss", `"https://issuer.test"`, "issuer"}, {"aud", `"api1"`, "audience"}, {"exp", `946684860`, "no_expiry"},
	} {
		for _, other := range []string{strings.ToUpper(claim.name), strings.ToUpper(claim.name[:1]) + claim.name[1:], claim.name + " ", " " + claim.name, claim.name + "\u0000"} {
			value, name := claim.value, other
			cases = append(cases, conformanceCase{
				name: fmt.Sprintf("`%q` instead of `%s`", name, claim.name), want: claim.want, source: names,
				edit: edits(mint.WithoutClaim(claim.name), mint.RawClaim(name, value)),
			})
		}
		cases = append(cases, conformanceCase{
			name: fmt.Sprintf("`%s` beside a good `%s`, with rubbish in it", strings.ToUpper(claim.name), claim.name), source: names,
			edit: edits(mint.RawClaim(strings.ToUpper(claim.name), `[{"x":7}]`)),
		})
	}
	for _, claim := range []struct{ name, value string }{
		{"iss", `"https://issuer.test"`}, {"aud", `"api1"`}, {"exp", `946684860`}, {"sub", `"alice"`}, {"nbf", `946684800`},
	} {
		for _, second := range []string{claim.name, "\\u00" + fmt.Sprintf("%02x", claim.name[0]) + claim.name[1:]} {
			first := ""
			if claim.name == "nbf" {
				first = `,"nbf":` + claim.value
			}
			cases = append(cases, conformanceCase{
				name: fmt.Sprintf("`%s` twice with one value, the second time as `%s`", claim.name, second), want: "malformed", source: unique,
				edit: edits(payload(first + `,"` + second + `":` + claim.value)), mend: edits(payload(first)),
			})
		}
	}
	cases = append(cases,
		conformanceCase{name: "`exp` twice, the first one past", want: "malformed", source: unique, edit: edits(payload(`,"exp":1`)), mend: edits(payload(``))},
		conformanceCase{name: "`exp` written with an escape", source: names, edit: edits(mint.RawPayload(strings.Replace("{"+plainPayload+"}", `"exp"`, `"\u0065xp"`, 1)))},
		conformanceCase{name: "`scope` with a long s (U+017F), which folds to one", want: "scope", source: names, scope: "read",
			at:   needsRead,
			edit: edits(mint.Claim("ſcope", "read")), mend: edits(mint.Claim("scope", "read"))},
		conformanceCase{name: "`ALG` instead of `alg`", want: "malformed", source: "RFC 7515, 4.1", editFor: wholeHeader(`{"ALG":"RS256","kid":"KID"}`), mendFor: wholeHeader(`{"alg":"RS256","kid":"KID"}`)},
		conformanceCase{name: "`ALG` none beside a good `alg`", source: "RFC 7515, 4.1", editFor: moreHeader(`,"ALG":"none"`)},
		conformanceCase{name: "`CRIT` beside the header's members", source: "RFC 7515, 4.1", editFor: moreHeader(`,"CRIT":["x"]`)},
		conformanceCase{name: "`TYP` of a logout token, and no `typ`", source: "RFC 7515, 4.1", editFor: moreHeader(`,"TYP":"logout+jwt"`)},
		conformanceCase{name: "`alg` twice", want: "malformed", source: unique, edit: edits(mint.DuplicateHeader("alg", "RS256"))},
		conformanceCase{name: "`alg` twice, the second one none", want: "malformed", source: unique, edit: edits(mint.DuplicateHeader("alg", "none"))},
		conformanceCase{name: "`kid` twice", want: "malformed", source: unique, editFor: moreHeader(`,"kid":"x"`), mendFor: moreHeader(``)},
		conformanceCase{name: "`typ` twice", want: "malformed", source: unique, editFor: moreHeader(`,"typ":"JWT","typ":"JWT"`), mendFor: moreHeader(`,"typ":"JWT"`)},
		conformanceCase{name: "`crit` written with an escape", want: "critical", source: "RFC 7515, 4.1.11", editFor: moreHeader(`,"\u0063rit":["x"]`), mendFor: moreHeader(`,"\u0063ryt":["x"]`)},
		conformanceCase{name: "`aud` twice, by DuplicateClaim", want: "malformed", source: unique, edit: edits(mint.DuplicateClaim("aud", "api1"))},
	)
	return cases
}
