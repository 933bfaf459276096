package jwtbearer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/strictjson"
)

// Token is a verified access token. It is immutable and safe for concurrent
// use: several requests that carry the same token share one Token, and nothing
// that a method returns can change it. The methods of a nil Token return zero
// values.
type Token struct {
	raw       string
	header    *jose.Header // nil for an opaque token
	claims    strictjson.Object
	issuer    string
	subject   string
	audience  []string // never handed out
	times     clockskew.Times
	marks     marks
	authority *authority
	key       *jwks.Key // nil for an opaque token
}

// TokenFrom returns the token that admitted the request of ctx. Behind
// [Verifier.Require] it is never nil; behind [Verifier.Optional] it is nil for
// an anonymous request. With [Recheck], it is the token last given to [Extend].
func TokenFrom(ctx context.Context) *Token {
	a := admissionFrom(ctx)
	switch {
	case a == nil:
		return nil
	case a.life != nil:
		return a.life.token.Load()
	}
	return a.token
}

// Raw returns the token as it was sent. It is a credential: handle it like a
// password, and pass it on only to whom it is meant for.
func (t *Token) Raw() string {
	if t == nil {
		return ""
	}
	return t.raw
}

// String returns a placeholder, so that a token that slips into a log line
// does not reveal itself.
func (t *Token) String() string {
	if t == nil {
		return "jwtbearer.Token(nil)"
	}
	return "jwtbearer.Token(redacted)"
}

// GoString returns the same as String, for the %#v of package fmt.
func (t *Token) GoString() string { return t.String() }

// Format writes the same as String for every verb of package fmt.
func (t *Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// MarshalJSON returns a placeholder too. For the claims use [Token.Decode].
func (t *Token) MarshalJSON() ([]byte, error) { return []byte(`"redacted"`), nil }

// Issuer returns the iss claim (RFC 7519, Section 4.1.1).
func (t *Token) Issuer() string {
	if t == nil {
		return ""
	}
	return t.issuer
}

// Subject returns the sub claim (RFC 7519, Section 4.1.2), "" if absent. It is
// unique within its issuer only, and names a client where no user is involved.
func (t *Token) Subject() string {
	if t == nil {
		return ""
	}
	return t.subject
}

// Audience returns the values of the aud claim (RFC 7519, Section 4.1.3), or of
// [Options].AudienceClaim.
func (t *Token) Audience() []string {
	if t == nil {
		return nil
	}
	return append([]string(nil), t.audience...)
}

// ID returns the jti claim (RFC 7519, Section 4.1.7), "" if absent.
func (t *Token) ID() string { return t.StringClaim("jti") }

// ClientID returns the client that the token was issued to: the client_id claim
// (RFC 9068, Section 2.2), else azp, else Entra's appid; "" if all are absent.
func (t *Token) ClientID() string {
	for _, name := range [...]string{"client_id", "azp", "appid"} {
		if s := t.StringClaim(name); s != "" {
			return s
		}
	}
	return ""
}

// SessionID returns the claim that names the login behind the token: sid
// (OpenID Connect Back-Channel Logout 1.0, Section 2.1), or the one that
// [Options].SessionClaim names; "" if absent.
func (t *Token) SessionID() string {
	if t == nil {
		return ""
	}
	return t.StringClaim(t.authority.profile.sessionClaim)
}

// Expiry returns the exp claim (RFC 7519, Section 4.1.4). The token is refused
// from this instant plus the clock skew on.
func (t *Token) Expiry() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.times.Expiry
}

// NotBefore returns the nbf claim (RFC 7519, Section 4.1.5), the zero time if
// absent.
func (t *Token) NotBefore() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.times.NotBefore
}

// IssuedAt returns the iat claim (RFC 7519, Section 4.1.6), the zero time if
// absent.
func (t *Token) IssuedAt() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.times.IssuedAt
}

// Scopes returns the scopes of the token: those of the scope claim (RFC 8693,
// Section 4.2), or of scp if there is no scope claim; each may be a string of
// words or an array of strings. The two are never merged.
func (t *Token) Scopes() []string {
	var list []string
	for s := range t.scopes {
		list = append(list, s)
	}
	return list
}

// HasScope reports whether the token has the scope. It compares exactly.
func (t *Token) HasScope(scope string) bool {
	for s := range t.scopes {
		if s == scope {
			return true
		}
	}
	return false
}

func (t *Token) scopes(yield func(string) bool) {
	if t == nil {
		return
	}
	v, ok := t.claims.Get("scope")
	if !ok {
		v, _ = t.claims.Get("scp")
	}
	words(v, yield)
}

// words calls yield for the words of a string or for each string in an array
// (whole: a role may have a space in it, and a scope has none).
func words(v strictjson.Value, yield func(string) bool) {
	if s, ok := v.Str(); ok {
		for s != "" {
			var word string
			word, s, _ = strings.Cut(s, " ")
			if word != "" && !yield(word) {
				return
			}
		}
		return
	}
	for e := range v.Elements {
		if s, ok := e.Str(); ok && !yield(s) {
			return
		}
	}
}

// HasRole reports whether the claim at [Options].RoleClaim is this role, or an
// array with it. It compares exactly.
func (t *Token) HasRole(role string) bool {
	if t == nil {
		return false
	}
	path := t.authority.profile.roleClaim
	v, ok := t.claims.Get(path[0])
	for _, name := range path[1:] {
		if !ok {
			return false
		}
		v, ok = v.Member(name)
	}
	return hasString(v, role)
}

// hasString reports whether v is the string s or an array with it.
func hasString(v strictjson.Value, s string) bool {
	if got, ok := v.Str(); ok {
		return got == s
	}
	for e := range v.Elements {
		if got, ok := e.Str(); ok && got == s {
			return true
		}
	}
	return false
}

// HasClaim reports whether the token has a claim of exactly this name, whatever
// its value.
func (t *Token) HasClaim(name string) bool {
	if t == nil {
		return false
	}
	_, ok := t.claims.Get(name)
	return ok
}

// StringClaim returns the claim of exactly this name if it is a string, and ""
// otherwise. For other types use [Token.Decode].
func (t *Token) StringClaim(name string) string {
	if t == nil {
		return ""
	}
	v, _ := t.claims.Get(name)
	s, _ := v.Str()
	return s
}

// Type returns the typ header parameter (RFC 7519, Section 5.1) as it was sent,
// "" if absent.
func (t *Token) Type() string {
	if t == nil || t.header == nil {
		return ""
	}
	return t.header.Type
}

// Algorithm returns the alg header parameter, "" for an opaque token.
func (t *Token) Algorithm() string {
	if t == nil || t.header == nil {
		return ""
	}
	return t.header.Algorithm
}

// KeyID returns the kid header parameter, "" if absent.
func (t *Token) KeyID() string {
	if t == nil || t.header == nil {
		return ""
	}
	return t.header.KeyID
}
