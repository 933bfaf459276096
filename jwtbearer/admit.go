package jwtbearer

import (
	"slices"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
)

// admit judges what is judged on every request, also of a token whose signature
// is known to hold: type, audience, time. Only if it is trusted may what it
// says appear in the detail of the error.
func (p *Policy) admit(t *Token, now time.Time, trusted bool) *Error {
	a := t.authority
	if reason := p.checkType(t); reason != nil {
		return a.refuse(reason)
	}
	if !p.meantFor(t) {
		return p.wrongAudience(t)
	}
	return p.checkTime(t, now, trusted)
}

// admitted returns t, whose signature holds, if it is good for p.
func (p *Policy) admitted(t *Token, now time.Time) (*Token, *Error) {
	if refused := p.admit(t, now, true); refused != nil {
		return nil, refused
	}
	t.authority.used(now)
	return t, nil
}

// checkTime refuses a token that is not alive at now.
func (p *Policy) checkTime(t *Token, now time.Time, trusted bool) *Error {
	skew := t.authority.profile.skew
	err := clockskew.Check(t.times, now, skew)
	if err == nil && p.maxAge > 0 {
		err = clockskew.CheckAge(t.times.IssuedAt, now, p.maxAge, skew)
	}
	if err != nil {
		return p.wrongTime(t, err, now, trusted)
	}
	return nil
}

// checkType refuses other kinds of JWT (RFC 8725, Section 3.11 and 3.12): by
// typ, and by the claims that only they have.
func (p *Policy) checkType(t *Token) *Reason {
	profile := t.authority.profile
	opaque := t.header == nil
	switch {
	case p.types != nil:
		if opaque || !slices.Contains(p.types, t.header.MediaType) {
			return ErrTokenType
		}
		return nil
	case opaque: // its authority said what it is: an access token
	case !slices.Contains(profile.types, t.header.MediaType),
		t.marks.otherKind && t.header.MediaType != "at+jwt":
		return ErrTokenType
	case profile.rfc9068 && !t.marks.profiled:
		return ErrClaim
	}
	if t.marks.bound && !profile.acceptBound {
		return ErrBound
	}
	return nil
}

// meantFor reports whether the token's audience has one that p accepts (RFC
// 7519, Section 4.1.3), compared byte for byte.
func (p *Policy) meantFor(t *Token) bool {
	if p.types != nil {
		// Whichever claim an authority names the audience of its access tokens in,
		// a token of another kind is for whom its aud says.
		aud, _ := t.claims.Get("aud")
		return slices.ContainsFunc(p.audiences, func(want string) bool { return hasString(aud, want) })
	}
	for _, want := range p.accepted(t.authority.profile) {
		if slices.Contains(t.audience, want) {
			return true
		}
	}
	return false
}
