package jwtbearer

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// An extractor takes a token from one place of a request. It returns "" if none
// is there.
type extractor func(r *http.Request) (token string, refused *Error)

// credentials returns the one token of the request, "" if there is none. More
// than one is refused, wherever they are (RFC 6750, Section 2), since which of
// them another party would read is unknown.
func (p *Policy) credentials(r *http.Request) (string, *Error) {
	token, refused := fromAuthorization(r)
	if refused != nil {
		return "", refused
	}
	for _, extract := range p.extractors {
		other, refused := extract(r)
		switch {
		case refused != nil:
			return "", refused
		case other != "" && token != "":
			return "", refuse(ErrSeveralTokens)
		case other != "":
			token = other
		}
	}
	return token, nil
}

// fromAuthorization takes the token from the Authorization field (RFC 6750,
// Section 2.1; RFC 9110, Section 11.6.2). A field that is empty or of another
// scheme is no bearer token; one that is of the Bearer scheme and malformed is
// an error. Whether the characters are those of a token68 is left to
// [Policy.check]: it is not worth asking about a token that is known.
func fromAuthorization(r *http.Request) (string, *Error) {
	fields := r.Header["Authorization"]
	if len(fields) == 0 {
		return "", nil
	}
	if len(fields) > 1 {
		return "", refuse(ErrSeveralTokens)
	}
	const scheme = "Bearer"
	field := fields[0]
	for field != "" && (field[len(field)-1] == ' ' || field[len(field)-1] == '\t') {
		field = field[:len(field)-1]
	}
	for field != "" && (field[0] == ' ' || field[0] == '\t') {
		field = field[1:]
	}
	if len(field) < len(scheme) || !strings.EqualFold(field[:len(scheme)], scheme) {
		return "", nil
	}
	rest := field[len(scheme):]
	if rest != "" && tokenChar(rest[0]) {
		return "", nil // another scheme that begins alike
	}
	token := strings.TrimLeft(rest, " ")
	if token == "" || len(token) == len(rest) {
		return "", refuse(ErrMalformedCredentials)
	}
	return alone(token, fields[0]), nil
}

// alone returns token, which is cut from text, in memory of its own if text is
// much longer: what is remembered of a token must not keep a header of a megabyte
// alive that nobody has counted.
func alone(token, text string) string {
	if len(text)-len(token) > 64 {
		return strings.Clone(token)
	}
	return token
}

// tokenChar reports whether c may be in the name of a scheme (RFC 9110, Section
// 5.6.2).
func tokenChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// token68 reports whether s is one (RFC 9110, Section 11.2).
func token68(s string) bool {
	s = strings.TrimRight(s, "=")
	if s == "" {
		return false
	}
	// Eight at a time, and to the end: junk can be long, and would be good until there.
	var other byte
	for t := &token68Other; len(s) >= 8; s = s[8:] {
		other |= t[s[0]] | t[s[1]] | t[s[2]] | t[s[3]] | t[s[4]] | t[s[5]] | t[s[6]] | t[s[7]]
	}
	for i := range len(s) {
		other |= token68Other[s[i]]
	}
	return other == 0
}

// token68Other is 1 for the bytes that a token68 has none of.
var token68Other = func() (t [256]byte) {
	for c := range t {
		c := byte(c)
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~+/", c) >= 0) {
			t[c] = 1
		}
	}
	return t
}()

// fromCookie takes the token from the cookie of that name.
func fromCookie(name string) extractor {
	return func(r *http.Request) (string, *Error) {
		cookies := r.CookiesNamed(name)
		// net/http passes over cookies that it cannot read; another party might take
		// one of those for the token.
		switch sent := cookiesSent(r, name); {
		case sent > 1:
			return "", refuse(ErrSeveralTokens)
		case sent != len(cookies):
			return "", refuse(ErrMalformedCredentials)
		case sent == 0:
			return "", nil
		}
		return strings.Clone(cookies[0].Value), nil // see alone
	}
}

// cookiesSent counts the cookies of that name, readable or not.
func cookiesSent(r *http.Request, name string) (n int) {
	for _, field := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(field, ";") {
			if key, _, _ := strings.Cut(pair, "="); strings.Trim(key, " \t") == name {
				n++
			}
		}
	}
	return n
}

// fromQuery takes the token from the query parameter of that name.
func fromQuery(name string) extractor {
	return func(r *http.Request) (string, *Error) { return onlyParameter(r.URL.RawQuery, name) }
}

// onlyParameter returns the one value of a query parameter. A repeated one is
// refused (RFC 6750, Section 3.1), also where only another party would read it: an
// escape that is none makes net/url drop the parameter, and to some a semicolon
// separates, too.
func onlyParameter(query, name string) (token string, refused *Error) {
	found, unreadable := 0, false
	for pair := range strings.SplitSeq(query, "&") {
		for part := range strings.SplitSeq(pair, ";") {
			key, value, _ := strings.Cut(part, "=")
			if key, err := url.QueryUnescape(key); err != nil || key != name {
				continue
			}
			value, err := url.QueryUnescape(value)
			unreadable = unreadable || err != nil || part != pair
			token = value
			found++
		}
	}
	switch {
	case unreadable:
		return "", refuse(ErrMalformedCredentials)
	case found > 1:
		return "", refuse(ErrSeveralTokens)
	}
	return strings.Clone(token), nil // see alone
}

// fromForm takes the token from a form body (RFC 6750, Section 2.2): only of a
// method whose body has a meaning, and only if it is a single-part form.
func fromForm(name string) extractor {
	return func(r *http.Request) (string, *Error) {
		switch r.Method {
		case http.MethodPost, http.MethodPut, http.MethodPatch:
		default:
			return "", nil
		}
		mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || mediaType != "application/x-www-form-urlencoded" {
			return "", nil
		}
		if r.PostForm == nil {
			// Without the query, whose mistakes are none of the body.
			body := &http.Request{Method: r.Method, Header: r.Header, Body: r.Body, URL: new(url.URL)}
			if err := body.ParseForm(); err != nil { // reads 10 MB at most
				return "", refuse(ErrMalformedCredentials)
			}
			r.PostForm = body.PostForm
		}
		switch list := r.PostForm[name]; len(list) {
		case 0:
			return "", nil
		case 1:
			return strings.Clone(list[0]), nil // see alone
		}
		return "", refuse(ErrSeveralTokens)
	}
}
