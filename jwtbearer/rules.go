package jwtbearer

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/strictjson"
)

// Rule is one more thing that a policy demands or allows. The functions of this
// package make them; there is no other way. The phase in which a rule acts is
// in its comment: to extract (where a token may be), to authenticate (401), to
// authorize (403), or lifetime (while the request runs). Rules are applied in
// the order in which they are given, all of them must hold, and a Rule may be
// used any number of times.
type Rule interface{ apply(*Policy) error }

type ruleFunc func(*Policy) error

func (f ruleFunc) apply(p *Policy) error { return f(p) }

// Scope demands all of the scopes, at least one and each by itself (to authorize:
// 403 insufficient_scope, which names them). Which claim holds them is said at
// [Token.Scopes].
func Scope(all ...string) Rule {
	all = slices.Clone(all)
	return ruleFunc(func(p *Policy) error {
		if err := checkScopes("Scope", all); err != nil {
			return err
		}
		p.needScopes(all)
		p.authorize = append(p.authorize, func(_ context.Context, t *Token) *Error {
			for _, s := range all {
				if !t.HasScope(s) {
					return &Error{Reason: ErrScope, Detail: fmt.Sprintf("required: %q", s)}
				}
			}
			return nil
		})
		return nil
	})
}

// AnyScope demands at least one of the scopes (to authorize: 403
// insufficient_scope, which names them all).
func AnyScope(anyOf ...string) Rule {
	anyOf = slices.Clone(anyOf)
	return ruleFunc(func(p *Policy) error {
		if err := checkScopes("AnyScope", anyOf); err != nil {
			return err
		}
		p.needScopes(anyOf)
		p.authorize = append(p.authorize, func(_ context.Context, t *Token) *Error {
			if slices.ContainsFunc(anyOf, t.HasScope) {
				return nil
			}
			return &Error{Reason: ErrScope, Detail: fmt.Sprintf("required: one of %q", anyOf)}
		})
		return nil
	})
}

func (p *Policy) needScopes(scopes []string) {
	for _, s := range scopes {
		if !slices.Contains(p.scopes, s) {
			p.scopes = append(p.scopes, s)
		}
	}
}

// checkScopes refuses what no token can have: a scope-token has no space, quote
// or backslash (RFC 6749, Section 3.3).
func checkScopes(rule string, scopes []string) error {
	if len(scopes) == 0 {
		return misconfigured(rule, "no scope", "name at least one")
	}
	for _, s := range scopes {
		if !scopeToken(s) {
			return misconfigured(rule, fmt.Sprintf("%q", s), "a scope is printable ASCII without space, quote and backslash; name each one by itself")
		}
	}
	return nil
}

// scopeToken reports whether s is one (RFC 6749, Section 3.3).
func scopeToken(s string) bool {
	return s != "" && quotable(s) && strings.IndexByte(s, ' ') < 0
}

// Role demands at least one of the roles, of which there must be one (to authorize:
// 403). Which claim holds them is set by [Options].RoleClaim.
func Role(anyOf ...string) Rule {
	anyOf = slices.Clone(anyOf)
	return ruleFunc(func(p *Policy) error {
		if len(anyOf) == 0 || slices.Contains(anyOf, "") {
			return misconfigured("Role", fmt.Sprintf("%q", anyOf), "name at least one role, none of them empty")
		}
		p.authorize = append(p.authorize, func(_ context.Context, t *Token) *Error {
			if slices.ContainsFunc(anyOf, t.HasRole) {
				return nil
			}
			return &Error{Reason: ErrForbidden, Detail: fmt.Sprintf("required: role, one of %q", anyOf)}
		})
		return nil
	})
}

// Claim demands the claim of exactly this name with one of the values (to
// authorize: 403): the claim is that string, an array with it, or a number or
// boolean whose JSON text it is. Without values, any claim of that name but
// null will do.
func Claim(name string, anyOf ...string) Rule {
	anyOf = slices.Clone(anyOf)
	return ruleFunc(func(p *Policy) error {
		if name == "" {
			return misconfigured("Claim", `""`, "name the claim")
		}
		p.authorize = append(p.authorize, func(_ context.Context, t *Token) *Error {
			v, ok := t.claims.Get(name)
			if ok && claimMatches(v, anyOf) {
				return nil
			}
			return &Error{Reason: ErrForbidden, Detail: fmt.Sprintf("required: claim %q", name)}
		})
		return nil
	})
}

func claimMatches(v strictjson.Value, anyOf []string) bool {
	switch kind := v.Kind(); {
	case kind == strictjson.Null:
		return false
	case len(anyOf) == 0:
		return true
	case kind == strictjson.Number || kind == strictjson.Bool:
		return slices.Contains(anyOf, v.Raw())
	}
	return slices.ContainsFunc(anyOf, func(s string) bool { return hasString(v, s) })
}

// AlsoAudience accepts tokens for one of these audiences too, at least one (to
// authenticate: 401), for an API that is known by several names.
func AlsoAudience(names ...string) Rule {
	names = slices.Clone(names)
	return ruleFunc(func(p *Policy) error {
		if len(names) == 0 || slices.Contains(names, "") {
			return misconfigured("AlsoAudience", fmt.Sprintf("%q", names), "name at least one audience, none of them empty")
		}
		p.audiences = append(p.audiences, names...)
		return nil
	})
}

// Validate asks f about each token that is otherwise good (to authorize). A nil
// error lets it pass. An error that matches one of the classes, such as
// [ErrInvalidToken] or [ErrUnavailable], is answered by that class; any other
// one by 403. Its text never reaches the client. f is called on every request,
// with the request's context, and must be safe for concurrent use.
func Validate(f func(ctx context.Context, token *Token) error) Rule {
	return ruleFunc(func(p *Policy) error {
		if f == nil {
			return misconfigured("Validate", "nil", "give a function")
		}
		p.authorize = append(p.authorize, func(ctx context.Context, t *Token) *Error {
			if err := f(ctx, t); err != nil {
				e := *asError(err, ErrForbidden)
				return &e
			}
			return nil
		})
		return nil
	})
}

// MaxAge refuses tokens that were issued longer ago, or do not say when (to
// authenticate: 401), however long they are valid. The clock skew is added. age
// must be positive; of several such rules the shortest counts.
func MaxAge(age time.Duration) Rule {
	return ruleFunc(func(p *Policy) error {
		if age <= 0 {
			return misconfigured("MaxAge", age, "give a positive duration")
		}
		if p.maxAge == 0 || age < p.maxAge {
			p.maxAge = age
		}
		return nil
	})
}

// TokenType makes the policy one for another kind of JWT than access tokens (to
// authenticate: 401), such as the logout tokens of OpenID Connect Back-Channel
// Logout 1.0. The types are values of typ, compared as those of
// [Options].TokenTypes are; those of several such rules add up. What is about
// access tokens only does not apply then: the RFC 9068 profile, the refusal of
// bound tokens, [Checker], and AudienceClaim and AudienceNames of [Options]: the
// audience is what aud says, compared byte for byte. An audience that accepts
// another kind of token must not be that of an API.
func TokenType(types ...string) Rule {
	types = slices.Clone(types)
	return ruleFunc(func(p *Policy) error {
		if len(types) == 0 {
			return misconfigured("TokenType", "none", `name at least one ("" is a token without typ)`)
		}
		p.types = append(p.types, mediaTypes(types)...)
		return nil
	})
}

// Cookie also takes a token from the cookie of that name (to extract), for
// browser applications. A browser sends cookies by itself, also when another
// site makes it: a handler that changes anything must be protected against
// cross-site request forgery, by [net/http.CrossOriginProtection] and a
// SameSite cookie. A request with a token in the Authorization field as well is
// refused, and one whose cookies are more than 16 KiB together, token or not.
func Cookie(name string) Rule {
	return ruleFunc(func(p *Policy) error {
		if err := (&http.Cookie{Name: name}).Valid(); err != nil {
			return misconfigured("Cookie", fmt.Sprintf("%q", name), "give the name of a cookie (RFC 6265, Section 4.1.1)")
		}
		return extractRule("Cookie", name, fromCookie, false).apply(p)
	})
}

// InsecureQuery also takes a token from the query parameter of that name (to
// extract), "access_token" by custom. URLs end up in logs, in the history of
// browsers and in Referer fields, and the tokens with them (RFC 9700, Section
// 4.3.2 forbids clients to send them so); it has no use but for clients that
// cannot do otherwise. Answers are marked Cache-Control: private (RFC 6750,
// Section 2.3). A request whose query is longer than 16 KiB is refused.
func InsecureQuery(name string) Rule { return extractRule("InsecureQuery", name, fromQuery, true) }

// InsecureForm also takes a token from the parameter of that name in a form
// body (to extract; RFC 6750, Section 2.2), "access_token" by custom, of POST,
// PUT and PATCH requests. Any site can make a browser send such a form, and the
// body is read before the request was found good, up to 10 MB. The handler
// finds the other parameters in PostForm. Nothing must have read the form before:
// what net/http could not read of it, it does not tell a second time.
func InsecureForm(name string) Rule { return extractRule("InsecureForm", name, fromForm, false) }

func extractRule(rule, name string, from func(string) extractor, uncached bool) ruleFunc {
	return ruleFunc(func(p *Policy) error {
		if name == "" {
			return misconfigured(rule, `""`, "give the name")
		}
		p.extractors = append(p.extractors, from(name))
		p.uncached = p.uncached || uncached
		return nil
	})
}
