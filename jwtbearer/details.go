package jwtbearer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
)

// wrongAudience is the error of a token for somebody else.
func (p *Policy) wrongAudience(t *Token) *Error {
	e := t.authority.refuse(ErrAudience)
	e.Detail = fmt.Sprintf("required: %q", strings.Join(p.accepted(t.authority.profile), " or "))
	if slices.Equal(t.audience, []string{"account"}) {
		e.hint = hintKeycloak
	}
	return e
}

// wrongTime is the error of a token that clockskew refused.
func (p *Policy) wrongTime(t *Token, err error, now time.Time, trusted bool) *Error {
	e := t.authority.refuse(ErrNoExpiry)
	switch {
	case errors.Is(err, clockskew.ErrExpired):
		e.Reason = ErrExpired
		if trusted {
			e.Detail = fmt.Sprintf("%v ago, clock skew %v", now.Sub(t.times.Expiry).Round(time.Millisecond), t.authority.profile.skew)
		}
	case errors.Is(err, clockskew.ErrNotYetValid), errors.Is(err, clockskew.ErrIssuedInFuture):
		e.Reason = ErrNotYetValid
	case errors.Is(err, clockskew.ErrTooOld), errors.Is(err, clockskew.ErrNoIssuedAt):
		e.Reason = ErrTooOld
		e.Detail = fmt.Sprintf("maximum age: %v", p.maxAge)
	}
	return e
}

// shownKeyID is the key id of a token that nobody vouches for, in a form that
// can do no harm in a log.
func shownKeyID(kid string) string {
	const most = 64
	if kid == "" {
		return "no kid"
	}
	if len(kid) > most {
		return fmt.Sprintf("kid %+q…", kid[:most])
	}
	return fmt.Sprintf("kid %+q", kid)
}

// A hint explains a refusal that comes from the set-up of the authority, and
// not from a bad token. It is a constant: whether it applies was seen in a
// token that nobody vouches for.
type hint uint8

const (
	noHint hint = iota
	hintEncrypted
	hintKeycloak
	numHints
)

var hintTexts = [numHints]string{
	hintEncrypted: "a token is encrypted (JWE): the authority must issue signed access tokens for this API; OpenIddict encrypts unless DisableAccessTokenEncryption is called",
	hintKeycloak:  `a token's only audience is "account", Keycloak's default: add an audience mapper for this API to the client or to a client scope`,
}

// hints keeps hints from filling the log: callers decide how many tokens they
// send.
type hints struct {
	last [numHints]atomic.Int64 // Unix seconds
}

const hintSpacing = 10 * time.Minute

// due reports whether the hint may be logged now.
func (h *hints) due(which hint, now time.Time) bool {
	last := h.last[which].Load()
	return now.Unix()-last >= int64(hintSpacing/time.Second) && h.last[which].CompareAndSwap(last, now.Unix())
}
