package jwtbearer

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/strictjson"
)

// maxTokenLength bounds a token before any work is done on it.
const maxTokenLength = 64 << 10

// longPayload is how long an encoded payload can be for its claims to be read
// before the signature is checked. To read a longer one, made for that, costs more
// than the check does.
const longPayload = 2 << 10

// verify returns the token raw if it is good for p at now: well formed, of an
// authority that v knows, of the right type, for p's audience, alive, and
// signed. Rules that need trust come after it.
//
// The order is that of cost: what can be refused by looking at it is refused
// before a key is asked for, and a key is asked for before a signature is
// computed (RFC 9068, Section 4 leaves the order open). Only where the claims
// are long does the signature come before them. Until it holds, nothing of the
// token is believed, logged or returned.
func (v *Verifier) verify(ctx context.Context, p *Policy, raw string, now time.Time) (*Token, *Error) {
	if v.closed.Load() {
		return nil, refuse(ErrClosed)
	}
	if len(raw) > maxTokenLength {
		return nil, refuse(ErrTooLarge)
	}
	switch t, refused := v.recall(raw, now); {
	case refused != nil:
		return nil, refused
	case t != nil:
		return p.admitted(t, now)
	}
	sig := signatures.Get().(*signature)
	defer sig.release()
	t, refused := v.parse(raw, sig)
	if refused == nil && sig.signedFirst() {
		refused = v.routeUnread(t, sig)
	} else if refused == nil {
		refused = v.readFirst(p, t, sig, now)
	}
	if refused != nil {
		if v.introspector != nil && opaque(refused.Reason) {
			return v.introspect(ctx, p, raw)
		}
		return nil, refused
	}
	found, refused := v.findSignature(ctx, p, t, sig, now)
	if refused != nil {
		return nil, refused
	}
	// Long claims were not judged yet, and a token may have expired while keys were
	// waited for.
	return p.admitted(found, time.Now())
}

// readFirst reads and judges the claims of t, before its signature.
func (v *Verifier) readFirst(p *Policy, t *Token, sig *signature, now time.Time) *Error {
	if refused := t.read(sig); refused != nil {
		return refused
	}
	if refused := v.assign(t, t.issuer); refused != nil {
		return refused
	}
	if refused := t.fits(); refused != nil {
		return refused
	}
	return p.admit(t, now, false)
}

// findSignature returns the token t if a key of its authority has signed it.
func (v *Verifier) findSignature(ctx context.Context, p *Policy, t *Token, sig *signature, now time.Time) (*Token, *Error) {
	a := t.authority
	issuer := cmp.Or(t.issuer, sig.issuer)
	// Not known before the first fetch; Find waits for it.
	if known := a.keys.TokenIssuer(); known != "" && issuer != "" && known != issuer {
		return nil, a.refuse(ErrIssuer)
	}
	keys, err := a.keys.Find(ctx, t.header.KeyID, t.header.Algorithm)
	if err != nil {
		refused := a.keyError(err)
		if refused.Reason == ErrUnknownKey {
			refused.Detail = shownKeyID(t.header.KeyID)
		}
		return nil, refused
	}
	if issuer != "" && a.keys.TokenIssuer() != issuer {
		return nil, a.refuse(ErrIssuer)
	}
	found, refused := v.checkSignature(p, t, sig, keys, now)
	if found == nil && refused == nil && t.header.KeyID == "" {
		// Without a key id, a new key can only show itself like this.
		fresh, err := a.keys.FindNew(ctx, t.header.Algorithm, keys)
		if err != nil && !errors.Is(err, jwks.ErrKeyNotFound) {
			return nil, a.keyError(err)
		}
		if len(fresh) > 0 {
			found, refused = v.checkSignature(p, t, sig, fresh, now)
		}
	}
	switch {
	case refused != nil:
		return nil, refused
	case found == nil:
		return nil, a.refuse(ErrSignature)
	case found.issuer != a.keys.TokenIssuer(): // of long claims that were remembered, or read by another request
		return nil, a.refuse(ErrIssuer)
	}
	return found, nil
}

// refuse makes the error of a refusal that concerns the authority.
func (a *authority) refuse(r *Reason) *Error { return &Error{Reason: r, authority: a} }

// keyError translates the errors of package jwks.
func (a *authority) keyError(err error) *Error {
	reason := ErrKeysUnavailable
	switch {
	case errors.Is(err, jwks.ErrKeyNotFound):
		return a.refuse(ErrUnknownKey)
	case errors.Is(err, jwks.ErrClosed):
		reason = ErrClosed
	}
	return &Error{Reason: reason, Err: err, authority: a}
}

// recall returns the token if its signature was checked before and that still
// counts. It returns neither token nor error if it is to be checked (again).
func (v *Verifier) recall(raw string, now time.Time) (*Token, *Error) {
	if v.cache == nil {
		return nil, nil
	}
	e, ok := v.cache.Get(raw)
	if !ok || !now.Before(e.until) {
		return nil, nil
	}
	a := e.token.authority
	if !a.allowed() || a.unloaded() || a.keys.TokenIssuer() != e.token.issuer {
		return nil, nil
	}
	switch err := a.keys.Holds(e.token.key, now); {
	case err == nil:
		return e.token, nil
	case errors.Is(err, jwks.ErrKeyNotFound):
		return nil, nil
	default:
		return nil, a.keyError(err)
	}
}

// routeUnread finds the authority of a token whose claims are not read yet.
func (v *Verifier) routeUnread(t *Token, sig *signature) *Error {
	if !sig.mayBeObject() {
		return refuse(ErrMalformed)
	}
	only := v.only()
	if only != nil && t.header.KeyID != "" && only.keys.Held(t.header.KeyID, t.header.Algorithm) != nil {
		// Nobody else can have signed it, and nobody has to be asked for a key, as for
		// one without a key id that none of those at hand has signed.
		if !jose.CheckSegment(sig.payload) {
			return refuse(ErrMalformed)
		}
		return v.assign(t, only.issuer)
	}
	text, err := sig.decode()
	if err != nil {
		return refuse(ErrMalformed)
	}
	sig.issuer = strictjson.Glimpse(text, "iss")
	if sig.issuer == "" && only != nil && only.keys.TokenIssuer() == "" {
		return v.assign(t, only.issuer) // whose first keys are on their way in any case
	}
	return v.assign(t, sig.issuer)
}

// only returns the authority if v can have no other.
func (v *Verifier) only() *authority {
	if len(v.routes) != 1 || len(v.tenants) > 0 {
		return nil
	}
	for _, a := range v.routes {
		return a
	}
	return nil
}

// assign makes t a token of the authority with that issuer.
func (v *Verifier) assign(t *Token, issuer string) *Error {
	if issuer == "" {
		return refuse(ErrIssuer)
	}
	a, refused := v.route(issuer)
	if refused != nil {
		return refused
	}
	t.authority = a
	if !slices.Contains(a.profile.algorithms, t.header.Algorithm) {
		return a.refuse(ErrAlgorithm)
	}
	return nil
}
