package jwtbearer

import (
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/strictjson"
)

// read reads the claims of t.
func (t *Token) read(sig *signature) *Error {
	text, err := sig.decode()
	if err != nil {
		return refuse(ErrMalformed)
	}
	// The copy is the Token's own: the buffer goes back to its pool.
	if t.claims, err = strictjson.Parse(string(text)); err != nil {
		return refuse(ErrMalformed)
	}
	if wrong := t.readClaims(); wrong != "" {
		return &Error{Reason: ErrClaim, Detail: wrong}
	}
	return nil
}

// fits checks the claims that depend on the authority of t.
func (t *Token) fits() *Error {
	a := t.authority
	if wrong := a.profile.checkClaimTypes(t); wrong != "" {
		return &Error{Reason: ErrClaim, Detail: wrong, authority: a}
	}
	if !a.tenant.claimedBy(t) {
		return a.refuse(ErrIssuer)
	}
	return nil
}

// readClaims reads the claims that every check needs, in one pass. It returns
// the name of a claim of the wrong type, "" if there is none. Such a claim
// refuses the token: reading it as absent would skip the check that it is for.
func (t *Token) readClaims() (wrong string) {
	var subject, client, issuedAt, id bool
	for name, value := range t.claims.All {
		ok := true
		switch name {
		case "iss":
			t.issuer, ok = value.Str()
		case "sub":
			t.subject, ok = value.Str()
			subject = t.subject != ""
		case "exp":
			ok = readTime(value, &t.times.Expiry)
		case "nbf":
			ok = readTime(value, &t.times.NotBefore)
		case "iat":
			ok = readTime(value, &t.times.IssuedAt)
			issuedAt = true
		case "jti":
			ok = value.Kind() == strictjson.String
			id = value.Raw() != `""`
		case "client_id":
			ok = value.Kind() == strictjson.String
			client = value.Raw() != `""`
		case "azp", "appid":
			ok = value.Kind() == strictjson.String
		case "scope", "scp":
			ok = value.Kind() == strictjson.String || value.HoldsStrings()
		case "at_hash", "c_hash", "events":
			t.marks.otherKind = true
		case "cnf":
			t.marks.bound = true
		}
		if !ok {
			return name
		}
	}
	t.marks.profiled = subject && client && issuedAt && id
	return ""
}

func readTime(v strictjson.Value, into *time.Time) bool {
	if v.Kind() != strictjson.Number {
		return false
	}
	at, err := clockskew.ParseNumericDate(v.Raw())
	*into = at
	return err == nil
}

// checkClaimTypes reads the claims whose names depend on the authority, as
// readClaims does the others.
func (p *profile) checkClaimTypes(t *Token) (wrong string) {
	if v, ok := t.claims.Get(p.sessionClaim); ok && v.Kind() != strictjson.String {
		return p.sessionClaim
	}
	if p.rfc9068 && p.audienceClaim != "aud" {
		aud, _ := t.claims.Get("aud") // which the profile demands all the same
		if aud.Kind() != strictjson.String && !aud.HoldsStrings() {
			return "aud"
		}
	}
	aud, present := t.claims.Get(p.audienceClaim)
	if s, ok := aud.Str(); ok {
		t.audience = []string{s}
	} else if t.audience, ok = aud.Strings(); !ok && present {
		return p.audienceClaim
	}
	return ""
}

// marks are what the presence of some claims says about a token. They are read
// once, and judged by each policy on every request.
type marks struct {
	// Claims that only other kinds of JWT have: at_hash or c_hash, an ID token
	// (OpenID Connect Core 1.0, Sections 3.1.3.6 and 3.3.2.11), or events, a
	// logout token or another security event (RFC 8417, Section 2.2).
	otherKind bool
	profiled  bool // all that RFC 9068, Section 2.2 demands beyond what always is
	bound     bool // a key or a certificate goes with it (RFC 7800)
}
