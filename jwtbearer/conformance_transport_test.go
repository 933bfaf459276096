package jwtbearer_test

import (
	"net/http"
	"strings"

	"github.com/bearerguard/bearerguard/jwtbearer"
	mint "github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// authorization sends the fields, in which § stands for the token.
func authorization(fields ...string) func(*http.Request, string) {
	return func(r *http.Request, token string) {
		for _, f := range fields {
			r.Header["Authorization"] = append(r.Header["Authorization"], strings.ReplaceAll(f, "§", token))
		}
	}
}

func cookies(values ...string) func(*http.Request, string) {
	return func(r *http.Request, token string) {
		for _, v := range values {
			r.Header.Add("Cookie", strings.ReplaceAll(v, "§", token))
		}
	}
}

// cookiesOf sends the token in a Cookie field of that many bytes.
func cookiesOf(size int) func(*http.Request, string) {
	return func(r *http.Request, token string) {
		field := "session=" + token + "; a="
		r.Header.Add("Cookie", field+strings.Repeat("x", size-len(field)))
	}
}

// queryOf sends the token in a query of that many bytes.
func queryOf(size int) func(*http.Request, string) {
	return func(r *http.Request, token string) {
		r.URL.RawQuery = "access_token=" + token + "&a="
		r.URL.RawQuery += strings.Repeat("x", size-len(r.URL.RawQuery))
	}
}

func query(q string) func(*http.Request, string) {
	return func(r *http.Request, token string) { r.URL.RawQuery = strings.ReplaceAll(q, "§", token) }
}

func form(contentType, body string) func(*http.Request, string) {
	return func(r *http.Request, token string) {
		body := strings.ReplaceAll(body, "§", token)
		r2, _ := http.NewRequest(r.Method, r.URL.String(), strings.NewReader(body))
		r.Body, r.ContentLength = r2.Body, r2.ContentLength
		r.Header.Set("Content-Type", contentType)
	}
}

func both(sends ...func(*http.Request, string)) func(*http.Request, string) {
	return func(r *http.Request, token string) {
		for _, send := range sends {
			send(r, token)
		}
	}
}

func conformanceTransport() []conformanceArea {
	const scheme, syntax, challenge, bound = "RFC 6750, 2.1", "RFC 6750, 2.1 and 3.1", "RFC 6750, 3", "bound of this library"
	field := func(name, value, want, source string) conformanceCase {
		return conformanceCase{name: name, send: authorization(value), want: want, source: source}
	}
	header := []conformanceCase{
		field("the usual form, `Bearer` and one space", "Bearer §", "", scheme),
		field("the scheme in lower case", "bearer §", "", "RFC 9110, 11.1"),
		field("the scheme in upper case", "BEARER §", "", "RFC 9110, 11.1"),
		field("the scheme in mixed case", "bEaReR §", "", "RFC 9110, 11.1"),
		field("two spaces after the scheme", "Bearer  §", "", "RFC 9110, 11.4 (1*SP)"),
		field("many spaces after the scheme", "Bearer"+strings.Repeat(" ", 40)+"§", "", "RFC 9110, 11.4 (1*SP)"),
		field("space round the field", " \t Bearer § \t ", "", "RFC 9110, 5.5"),

		field("64 KiB of spaces after the scheme", "Bearer"+strings.Repeat(" ", 64<<10)+"§", "too_large", bound),
		field("64 KiB of spaces after the scheme in lower case", "bearer"+strings.Repeat(" ", 64<<10)+"§", "too_large", bound),
		field("64 KiB of spaces before the scheme", strings.Repeat(" ", 64<<10)+"Bearer §", "too_large", bound),
		field("61 spaces before the scheme, and 64 KiB after it", strings.Repeat(" ", 61)+"Bearer"+strings.Repeat(" ", 64<<10)+"§", "too_large", bound),
		field("64 KiB of another scheme", "Basic "+strings.Repeat("x", 64<<10)+"§", "no_token", "RFC 6750, 3.1"),
		field("64 KiB of another scheme that begins alike", "Bearer2 "+strings.Repeat("x", 64<<10)+"§", "no_token", "RFC 6750, 3.1"),

		{name: "no Authorization field", send: func(*http.Request, string) {}, want: "no_token", source: "RFC 6750, 3.1"},
		field("an empty field", "", "no_token", "RFC 6750, 3.1"),
		field("a field of spaces", "   ", "no_token", "RFC 6750, 3.1"),
		field("the token without a scheme", "§", "no_token", scheme),
		field("another scheme: Basic", "Basic dXNlcjpwYXNz", "no_token", "RFC 6750, 3.1"),
		field("another scheme with the token: DPoP", "DPoP §", "no_token", "RFC 9449, 7.1"),
		field("another scheme with the token: Token", "Token §", "no_token", scheme),
		field("another scheme that begins alike: Bearer2", "Bearer2 §", "no_token", scheme),
		field("another scheme that begins alike: Bearer-Token", "Bearer-Token §", "no_token", scheme),
		field("another scheme that begins alike: Bearer.", "Bearer. §", "no_token", "RFC 9110, 5.6.2"),
		field("a cut scheme: Beare", "Beare §", "no_token", scheme),
		field("a letter of the scheme that only Unicode folds: Kelvin sign in another scheme", "To\u212aen §", "no_token", scheme),

		field("the scheme alone", "Bearer", "malformed_credentials", syntax),
		field("the scheme and a space", "Bearer ", "malformed_credentials", syntax),
		field("a tab after the scheme", "Bearer\t§", "malformed_credentials", "RFC 9110, 11.4"),
		field("a space and a tab after the scheme", "Bearer \t§", "malformed_credentials", "RFC 9110, 11.4"),
		field("no space after the scheme but a colon", "Bearer:§", "malformed_credentials", syntax),
		field("no space after the scheme but a comma", "Bearer,§", "malformed_credentials", syntax),
		field("no space after the scheme but an equals sign", "Bearer=§", "malformed_credentials", syntax),
		field("a word after the token", "Bearer § x", "malformed_credentials", syntax),
		field("the token twice", "Bearer § §", "malformed_credentials", syntax),
		field("a comma after the token", "Bearer §,", "malformed_credentials", syntax),
		field("a comma and a space after the token", "Bearer §, ", "malformed_credentials", syntax),
		field("a comma before the token", "Bearer ,§", "malformed_credentials", syntax),
		field("two tokens with a comma", "Bearer §,§", "malformed_credentials", syntax),
		field("two credentials in one field", "Bearer §, Bearer §", "malformed_credentials", "RFC 9110, 11.6.2"),
		field("two schemes in one field", "Bearer §, Basic dXNlcjpwYXNz", "malformed_credentials", "RFC 9110, 11.6.2"),
		field("the token in quotes", `Bearer "§"`, "malformed_credentials", syntax),
		field("the token in angle brackets", "Bearer <§>", "malformed_credentials", syntax),
		field("the token as a parameter", "Bearer token=§", "malformed_credentials", syntax),
		field("the token as a quoted parameter", `Bearer access_token="§"`, "malformed_credentials", syntax),
		field("a semicolon after the token", "Bearer §;", "malformed_credentials", syntax),
		field("a percent sign in the token", "Bearer §%20", "malformed_credentials", syntax),
		field("a NUL after the token", "Bearer §\x00", "malformed_credentials", "RFC 9110, 5.5"),
		field("a NUL before the token", "Bearer \x00§", "malformed_credentials", "RFC 9110, 5.5"),
		field("a control character in the token", "Bearer §\x01", "malformed_credentials", "RFC 9110, 5.5"),
		field("a DEL in the token", "Bearer §\x7f", "malformed_credentials", "RFC 9110, 5.5"),
		field("a line break after the token", "Bearer §\r\n", "malformed_credentials", "RFC 9110, 5.5"),
		field("a line break and another field", "Bearer §\r\nX-Admin: 1", "malformed_credentials", "RFC 9110, 5.5"),
		field("a vertical tab after the token", "Bearer §\v", "malformed_credentials", "RFC 9110, 5.5"),
		field("a no-break space after the scheme", "Bearer \u00a0§", "malformed_credentials", syntax),
		field("a zero-width space in the token", "Bearer §\u200b", "malformed_credentials", syntax),
		field("a letter outside ASCII", "Bearer §é", "malformed_credentials", syntax),
		field("a byte that is no UTF-8", "Bearer §\xff", "malformed_credentials", syntax),
		field("an equals sign alone", "Bearer =", "malformed_credentials", "RFC 9110, 11.2"),
		field("an equals sign before the token", "Bearer =§", "malformed_credentials", "RFC 9110, 11.2"),
		field("a JSON array", `Bearer ["§"]`, "malformed_credentials", syntax),

		{name: "the field twice, with the same token", send: authorization("Bearer §", "Bearer §"), want: "several_tokens", source: "RFC 9110, 5.3; RFC 6750, 3.1"},
		{name: "the field twice, one with another scheme", send: authorization("Bearer §", "Basic dXNlcjpwYXNz"), want: "several_tokens", source: "RFC 9110, 5.3; RFC 6750, 3.1"},
		{name: "the field twice, another scheme first", send: authorization("Basic dXNlcjpwYXNz", "Bearer §"), want: "several_tokens", source: "RFC 9110, 5.3; RFC 6750, 3.1"},
		{name: "the field twice, one of them empty", send: authorization("", "Bearer §"), want: "several_tokens", source: "RFC 9110, 5.3; RFC 6750, 3.1"},
		{name: "the field eight times", send: authorization("Bearer §", "Bearer §", "Bearer §", "Bearer §", "Bearer §", "Bearer §", "Bearer §", "Bearer §"), want: "several_tokens", source: "RFC 9110, 5.3; RFC 6750, 3.1"},

		{name: "the token in Proxy-Authorization", send: func(r *http.Request, t string) { r.Header.Set("Proxy-Authorization", "Bearer "+t) }, want: "no_token", source: "RFC 9110, 11.7.2"},
		{name: "the token in X-Access-Token", send: func(r *http.Request, t string) { r.Header.Set("X-Access-Token", t) }, want: "no_token", source: scheme},
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodTrace, http.MethodConnect, "PROPFIND", "get"} {
		header = append(header, conformanceCase{
			name: "no token, by " + method, method: method, send: func(*http.Request, string) {}, want: "no_token", source: "RFC 9110, 15.5.2",
		})
	}
	realm := &conformanceSetup{is: "Realm `orders`", options: jwtbearer.Options{Realm: "orders"}}
	header = append(header,
		conformanceCase{name: "no token, and a realm is set", at: realm, send: func(*http.Request, string) {}, want: "no_token", source: challenge},
		conformanceCase{name: "malformed credentials, and a realm is set", at: realm, send: authorization("Bearer § §"), want: "malformed_credentials", source: challenge},
		conformanceCase{name: "an expired token, and a realm is set", at: realm, edit: edits(mint.ExpiresIn(-60e9)), want: "expired", source: challenge},
	)

	// A token68 that is no token of ours (RFC 9110, Section 11.2).
	for _, junk := range []struct{ is, text string }{
		{"a word", "abc"}, {"one character", "a"}, {"a word and padding", "abc=="}, {"all of the alphabet", "aA0-._~+/="},
		{"a UUID", "0b2c1f0e-6f1e-4f0a-9d1c-2f9a3e0f7a55"}, {"one dot", "."}, {"two dots", ".."}, {"three dots", "..."}, {"two segments", "a.b"},
	} {
		header = append(header, conformanceCase{name: "instead of a token, " + junk.is + ": `" + junk.text + "`", text: constant(junk.text), want: "malformed", source: "RFC 6750, 3.1; RFC 7519, 7.2"})
	}

	cookie := &conformanceSetup{is: "rule Cookie `session`", rules: []jwtbearer.Rule{jwtbearer.Cookie("session")}}
	const several = "RFC 6750, 2 and 3.1"
	fromCookie := []conformanceCase{
		{name: "the token in the cookie", at: cookie, send: cookies("session=§"), source: "RFC 6265, 5.4"},
		{name: "the token in the cookie, among others", at: cookie, send: cookies("a=b; session=§; c=d"), source: "RFC 6265, 5.4"},
		{name: "the token in the header field, where a cookie is allowed", at: cookie, send: authorization("Bearer §"), source: scheme},
		{name: "another scheme in the header field, and the token in the cookie", at: cookie, send: both(cookies("session=§"), authorization("Basic dXNlcjpwYXNz")), source: scheme},
		{name: "the token in a cookie, without the rule", send: cookies("session=§"), want: "no_token", source: "RFC 6750, 2"},
		{name: "the token in a cookie of another name", at: cookie, send: cookies("sessions=§"), mendSend: cookies("session=§"), want: "no_token", source: "RFC 6265, 5.4"},
		{name: "the cookie's name in another case", at: cookie, send: cookies("Session=§"), mendSend: cookies("session=§"), want: "no_token", source: "RFC 6265, 5.4"},
		{name: "the cookie is empty", at: cookie, send: cookies("session="), mendSend: cookies("session=§"), want: "no_token", source: several},
		{name: "the cookie twice", at: cookie, send: cookies("session=§; session=§"), mendSend: cookies("session=§"), want: "several_tokens", source: several},
		{name: "the cookie twice, in two fields", at: cookie, send: cookies("session=§", "session=§"), mendSend: cookies("session=§"), want: "several_tokens", source: several},
		{name: "the token in the cookie and in the header field", at: cookie, send: both(cookies("session=§"), authorization("Bearer §")), mendSend: cookies("session=§"), want: "several_tokens", source: several},
		{name: "the token in the cookie, and a malformed header field", at: cookie, send: both(cookies("session=§"), authorization("Bearer")), mendSend: cookies("session=§"), want: "malformed_credentials", source: syntax},
		{name: "the cookie once more, in a form that net/http cannot read", at: cookie, send: cookies(`session=§; session=b"ad`), mendSend: cookies("session=§"), want: "several_tokens", source: several},
		{name: "the cookie in a form that net/http cannot read", at: cookie, send: cookies(`session=§\`), mendSend: cookies("session=§"), want: "malformed_credentials", source: several},
		{name: "another cookie in a form that net/http cannot read", at: cookie, send: cookies(`other=b"ad; session=§`), source: "RFC 6265, 5.4"},
		{name: "a percent sign in the cookie", at: cookie, send: cookies("session=§%3D"), mendSend: cookies("session=§"), want: "malformed_credentials", source: syntax},
		{name: "space round the cookie's name", at: cookie, send: cookies("a=b; \tsession \t=§"), source: "RFC 6265, 5.2"},
		{name: "the cookie once more, behind a tab", at: cookie, send: cookies("session=§;\tsession=x"), mendSend: cookies("session=§"), want: "several_tokens", source: several},
		{name: "the cookie once more, without a value", at: cookie, send: cookies("session=§;session"), mendSend: cookies("session=§"), want: "several_tokens", source: several},
		{name: "the cookie's name in values and in names of others", at: cookie, send: cookies("a=session; xsession=x; sessionx=x; b=a session=x; session session=x; session=§; c=;d=session"), source: "RFC 6265, 4.2.1"},
		{name: "cookies of 16 KiB", at: cookie, send: cookiesOf(16 << 10), source: bound},
		{name: "cookies of 16 KiB and one byte", at: cookie, send: cookiesOf(16<<10 + 1), mendSend: cookiesOf(16 << 10), want: "oversized_request", source: bound},
		{name: "cookies of 16 KiB and one byte, in two fields", at: cookie, send: both(cookies("a"), cookiesOf(16<<10)), mendSend: cookiesOf(16 << 10), want: "oversized_request", source: bound},
		{name: "cookies of 16 KiB and one byte without a token, which is in the header field", at: cookie, send: both(cookies("a="+strings.Repeat("x", 16<<10-1)), authorization("Bearer §")), mendSend: both(cookies("a="+strings.Repeat("x", 16<<10-2)), authorization("Bearer §")), want: "oversized_request", source: bound},
		{name: "the cookie's token is altered", at: cookie, send: cookies("session=§A"), mendSend: cookies("session=§"), want: "signature", source: "RFC 7515, 5.2"},
	}

	inQuery := &conformanceSetup{is: "rule InsecureQuery `access_token`", rules: []jwtbearer.Rule{jwtbearer.InsecureQuery("access_token")}, private: true}
	fromQuery := []conformanceCase{
		{name: "the token in the query", at: inQuery, send: query("access_token=§"), source: "RFC 6750, 2.3"},
		{name: "the token in the query, among others", at: inQuery, send: query("a=1&access_token=§&b=2"), source: "RFC 6750, 2.3"},
		{name: "the token in the header field, where the query is allowed", at: inQuery, send: authorization("Bearer §"), source: scheme},
		{name: "the token in the query, without the rule", send: query("access_token=§"), want: "no_token", source: "RFC 9700, 2.6"},
		{name: "the token in the query twice", at: inQuery, send: query("access_token=§&access_token=§"), mendSend: query("access_token=§"), want: "several_tokens", source: several},
		{name: "the token in the query, and the parameter once more without a value", at: inQuery, send: query("access_token=§&access_token="), mendSend: query("access_token=§"), want: "several_tokens", source: several},
		{name: "the token in the query, and the parameter once more in a form that cannot be read", at: inQuery, send: query("access_token=§&access_token=%zz"), mendSend: query("access_token=§"), want: "malformed_credentials", source: several},
		{name: "the token in the query, and the parameter once more behind a semicolon", at: inQuery, send: query("access_token=§&a=1;access_token=x"), mendSend: query("access_token=§"), want: "malformed_credentials", source: several},
		{name: "the token in the query under an escaped name, and the parameter once more in a form that cannot be read", at: inQuery, send: query("%61ccess_token=§&%61ccess_token=%zz"), mendSend: query("%61ccess_token=§"), want: "malformed_credentials", source: several},
		{name: "the token in the query under an escaped name, and the parameter once more behind a semicolon", at: inQuery, send: query("%61ccess_token=§&a=1;%61ccess_token=x"), mendSend: query("%61ccess_token=§"), want: "malformed_credentials", source: several},
		{name: "the token in the query, before a semicolon", at: inQuery, send: query("access_token=§;a=1"), mendSend: query("access_token=§"), want: "malformed_credentials", source: several},
		{name: "the token in the query, and another parameter that cannot be read", at: inQuery, send: query("a=%zz&access_token=§&b=1;c=2"), source: "RFC 6750, 2.3"},
		{name: "the token in the query and in the header field", at: inQuery, send: both(query("access_token=§"), authorization("Bearer §")), mendSend: query("access_token=§"), want: "several_tokens", source: several},
		{name: "the parameter in the query is empty", at: inQuery, send: query("access_token="), mendSend: query("access_token=§"), want: "no_token", source: several},
		{name: "the parameter's name in another case", at: inQuery, send: query("Access_Token=§"), mendSend: query("access_token=§"), want: "no_token", source: "RFC 6750, 2.3"},
		{name: "a query of 16 KiB", at: inQuery, send: queryOf(16 << 10), source: bound},
		{name: "a query of 16 KiB and one byte", at: inQuery, send: queryOf(16<<10 + 1), mendSend: queryOf(16 << 10), want: "oversized_request", source: bound},
		{name: "the token in the query under a name of escapes", at: inQuery, send: query("%61%63%63%65%73%73%5f%74%6F%6b%65%6E=§"), source: "RFC 6750, 2.3"},
		{name: "the token in the query, and the parameter once more under a name of escapes", at: inQuery, send: query("access_token=§&%61%63%63%65%73%73%5f%74%6F%6b%65%6E=x"), mendSend: query("access_token=§"), want: "several_tokens", source: several},
		{name: "a space before the token in the query", at: inQuery, send: query("access_token=+§"), mendSend: query("access_token=§"), want: "malformed_credentials", source: syntax},
	}

	inForm := &conformanceSetup{is: "rule InsecureForm `access_token`", rules: []jwtbearer.Rule{jwtbearer.InsecureForm("access_token")}}
	const formType, formSource = "application/x-www-form-urlencoded", "RFC 6750, 2.2"
	good := form(formType, "access_token=§&a=1")
	fromForm := []conformanceCase{
		{name: "the token in a form, by POST", at: inForm, method: "POST", send: good, source: formSource},
		{name: "the token in a form, by PUT", at: inForm, method: "PUT", send: good, source: formSource},
		{name: "the token in a form, by PATCH", at: inForm, method: "PATCH", send: good, source: formSource},
		{name: "the token in a form with a charset", at: inForm, method: "POST", send: form(formType+"; charset=utf-8", "access_token=§"), source: formSource},
		{name: "the media type in upper case", at: inForm, method: "POST", send: form(strings.ToUpper(formType), "access_token=§"), source: "RFC 9110, 8.3.1"},
		{name: "the token in the header field, where a form is allowed", at: inForm, method: "POST", send: authorization("Bearer §"), source: scheme},
		{name: "the token in a form, without the rule", method: "POST", send: good, want: "no_token", source: formSource},
		{name: "the token in a form, by GET", at: inForm, method: "GET", send: good, mendSend: authorization("Bearer §"), want: "no_token", source: formSource},
		{name: "the token in a form, by DELETE", at: inForm, method: "DELETE", send: good, mendSend: authorization("Bearer §"), want: "no_token", source: formSource},
		{name: "the token in a multipart form", at: inForm, method: "POST", send: form("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\n§\r\n--x--\r\n"), mendSend: good, want: "no_token", source: formSource},
		{name: "the token in a JSON body", at: inForm, method: "POST", send: form("application/json", `{"access_token":"§"}`), mendSend: good, want: "no_token", source: formSource},
		{name: "the token in a multipart form that other code has parsed already", at: inForm, method: "POST", send: func(r *http.Request, token string) {
			form("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\n§\r\n--x--\r\n")(r, token)
			if err := r.ParseMultipartForm(1 << 20); err != nil {
				panic(err)
			}
		}, mendSend: good, want: "no_token", source: formSource},
		{name: "the token in the header field, and a query that cannot be read, where no form is sent", at: inForm, method: "GET", send: both(query("a=%zz"), authorization("Bearer §")), source: formSource},
		{name: "the token in the header field, and a query that cannot be read, where a form is sent by GET", at: inForm, method: "GET", send: both(query("a=%zz"), form(formType, "a=1"), authorization("Bearer §")), source: formSource},
		{name: "the token in the header field, and a query that cannot be read, where a form is sent by POST", at: inForm, method: "POST", send: both(query("a=1;b=2"), form(formType, "a=1"), authorization("Bearer §")), source: formSource},
		{name: "the token in a form, and a query that cannot be read", at: inForm, method: "POST", send: both(query("a=%zz"), good), source: formSource},
		{name: "a form without a media type", at: inForm, method: "POST", send: form("", "access_token=§"), mendSend: good, want: "no_token", source: formSource},
		{name: "the token in the query of a form request", at: inForm, method: "POST", send: both(query("access_token=§"), form(formType, "a=1")), mendSend: good, want: "no_token", source: formSource},
		{name: "the token in a form twice", at: inForm, method: "POST", send: form(formType, "access_token=§&access_token=§"), mendSend: good, want: "several_tokens", source: several},
		{name: "the token in a form and in the header field", at: inForm, method: "POST", send: both(good, authorization("Bearer §")), mendSend: good, want: "several_tokens", source: several},
		{name: "the token in a form, and the parameter once more behind a semicolon", at: inForm, method: "POST", send: form(formType, "access_token=§&a=1;access_token=x"), mendSend: good, want: "malformed_credentials", source: several},
		{name: "a form that cannot be read", at: inForm, method: "POST", send: form(formType, "access_token=§&a=%zz"), mendSend: good, want: "malformed_credentials", source: formSource},
	}
	everywhere := &conformanceSetup{is: "all three rules", rules: []jwtbearer.Rule{jwtbearer.Cookie("session"), jwtbearer.InsecureQuery("access_token"), jwtbearer.InsecureForm("access_token")}, private: true}
	fromForm = append(fromForm,
		conformanceCase{name: "the token in a cookie and in the query", at: everywhere, send: both(cookies("session=§"), query("access_token=§")), mendSend: cookies("session=§"), want: "several_tokens", source: several},
		conformanceCase{name: "the token in a form and in the query", at: everywhere, method: "POST", send: both(good, query("access_token=§")), mendSend: good, want: "several_tokens", source: several},
	)
	return []conformanceArea{
		{title: "Credentials in the header field", cases: header},
		{title: "Credentials in a cookie", text: "Only with the rule `Cookie`.", cases: fromCookie},
		{title: "Credentials in the query", text: "Only with the rule `InsecureQuery`. Accepted answers are then `Cache-Control: private`.", cases: fromQuery},
		{title: "Credentials in a form", text: "Only with the rule `InsecureForm`.", cases: fromForm},
	}
}
