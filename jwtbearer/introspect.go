package jwtbearer

import (
	"cmp"
	"context"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/strictjson"
)

// opaque reports whether a token that was refused for this reason may be one
// that only its authority can read. To who lacks the key, an encrypted one is.
func opaque(r *Reason) bool { return r == ErrMalformed || r == ErrDetached || r == ErrEncrypted }

// introspect returns the token for which the authority vouches (RFC 7662). What
// it answers is judged like the claims of a JWT, except that the issuer may be
// left out: it is who was asked.
func (v *Verifier) introspect(ctx context.Context, p *Policy, raw string) (*Token, *Error) {
	a := v.introspector
	if !token68(raw) {
		return nil, a.refuse(ErrMalformed)
	}
	answer, err := a.profile.introspector.Introspect(ctx, raw)
	if err != nil {
		e := restricted(err)
		e.authority = a
		return nil, &e
	}
	claims, err := strictjson.Parse(string(answer))
	if err != nil {
		return nil, &Error{Reason: ErrCheckUnavailable, Err: err, authority: a}
	}
	if active, _ := claims.Get("active"); active.Raw() != "true" {
		return nil, a.refuse(ErrInactive)
	}
	t := &Token{raw: raw, claims: claims, authority: a}
	if wrong := t.readClaims(); wrong != "" {
		return nil, &Error{Reason: ErrClaim, Detail: wrong, authority: a}
	}
	known := a.keys.TokenIssuer()
	switch t.issuer {
	case "", a.issuer, known:
		// As its JWTs spell it, if that is known: sessions are named by it.
		t.issuer = cmp.Or(known, a.issuer)
	default:
		return nil, a.refuse(ErrIssuer)
	}
	if wrong := a.profile.checkClaimTypes(t); wrong != "" {
		return nil, &Error{Reason: ErrClaim, Detail: wrong, authority: a}
	}
	if err := p.admit(t, time.Now(), true); err != nil { // the answer may have taken a while
		return nil, err
	}
	return t, nil
}
