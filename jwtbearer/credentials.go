package jwtbearer

import (
	"iter"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
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

// The bounds on what a token is looked for in. To look costs time, which anybody
// could have this host spend; net/http takes fields of a megabyte.
const (
	maxField = maxTokenLength + 64 // of an Authorization field
	maxPlace = 16 << 10            // of the cookies or the query of a request; most servers stop at 8 or 16 KiB
)

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
	field := fields[0]
	if len(field) > maxField {
		// Which scheme it is of shows at its beginning.
		begin := strings.TrimLeft(field[:64], " \t")
		if _, ours := afterScheme(begin); ours || len(begin) <= len(scheme) {
			return "", refuse(ErrTooLarge)
		}
		return "", nil
	}
	rest, ours := afterScheme(strings.Trim(field, " \t"))
	if !ours {
		return "", nil
	}
	token := strings.TrimLeft(rest, " ")
	if token == "" || len(token) == len(rest) {
		return "", refuse(ErrMalformedCredentials)
	}
	return alone(token, field), nil
}

const scheme = "Bearer"

// afterScheme returns what follows the scheme, and whether it is this one and not
// another that begins alike.
func afterScheme(field string) (rest string, ours bool) {
	if len(field) < len(scheme) || !strings.EqualFold(field[:len(scheme)], scheme) {
		return "", false
	}
	rest = field[len(scheme):]
	return rest, rest == "" || !tokenChar(rest[0])
}

// alone returns token, which is cut from text, in memory of its own if text is
// much longer: what is remembered of a token must not keep kilobytes alive that
// nobody has counted.
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
	return s != "" && token68Chars.HasAll(s)
}

var token68Chars = jose.NewAlphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/")

// fromCookie takes the token from the cookie of that name.
func fromCookie(name string) extractor {
	return func(r *http.Request) (string, *Error) {
		sent, length := "", 0
		for _, field := range r.Header["Cookie"] {
			if length += len(field); length > maxPlace {
				return "", refuse(ErrOversizedRequest)
			}
			for pair := range cookiePairs(field, name) {
				if sent != "" {
					return "", refuse(ErrSeveralTokens)
				}
				sent = pair
			}
		}
		if sent == "" {
			return "", nil
		}
		// net/http passes over a cookie that it cannot read; another party might take
		// it for the token.
		one := http.Request{Header: http.Header{"Cookie": {sent}}}
		cookies := one.CookiesNamed(name)
		if len(cookies) != 1 {
			return "", refuse(ErrMalformedCredentials)
		}
		return strings.Clone(cookies[0].Value), nil // see alone
	}
}

// cookiePairs yields the pairs of that name in a Cookie field (RFC 6265, Section
// 4.2.1), readable or not.
func cookiePairs(field, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := 0; i < len(field); i++ {
			for i < len(field) && (field[i] == ' ' || field[i] == '\t') {
				i++
			}
			begin := i
			for i < len(field) && field[i] != ';' {
				i++
			}
			pair := field[begin:i]
			if !strings.HasPrefix(pair, name) {
				continue
			}
			after := strings.TrimLeft(pair[len(name):], " \t")
			if (after == "" || after[0] == '=') && !yield(pair) {
				return
			}
		}
	}
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
	if len(query) > maxPlace {
		return "", refuse(ErrOversizedRequest)
	}
	found, unreadable := 0, false
	for before := byte('&'); ; {
		part, behind := query, byte('&')
		end := strings.IndexAny(query, "&;")
		if end >= 0 {
			part, behind = query[:end], query[end]
		}
		if key, value, _ := strings.Cut(part, "="); isParameter(key, name) {
			value, err := url.QueryUnescape(value)
			unreadable = unreadable || err != nil || before == ';' || behind == ';'
			token = value
			found++
		}
		if end < 0 {
			break
		}
		query, before = query[end+1:], behind
	}
	switch {
	case unreadable:
		return "", refuse(ErrMalformedCredentials)
	case found > 1:
		return "", refuse(ErrSeveralTokens)
	}
	return strings.Clone(token), nil // see alone
}

// isParameter reports whether key, which may have escapes, means the name.
func isParameter(key, name string) bool {
	if len(key) < len(name) || len(key) > 3*len(name) || !strings.ContainsAny(key, "%+") {
		return key == name // without the work of resolving what cannot be it
	}
	key, err := url.QueryUnescape(key)
	return err == nil && key == name
}

// fromForm takes the token from a form body (RFC 6750, Section 2.2): only if it is a
// single-part form, and of a method whose body has a meaning, since net/http reads
// those of POST, PUT and PATCH.
func fromForm(name string) extractor {
	return func(r *http.Request) (string, *Error) {
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
