package jwtbearer

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/strictjson"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/tokencache"
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
	if t, err := v.recall(raw, now); t != nil || err != nil {
		if err == nil {
			err = p.admit(t, now, true)
		}
		if err != nil {
			return nil, err
		}
		return t, nil
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
	if err := p.admit(found, time.Now(), true); err != nil {
		return nil, err
	}
	found.authority.used(now)
	return found, nil
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
	case found.issuer != a.keys.TokenIssuer(): // of a token that is remembered, with long claims
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
		a.used(now)
		return e.token, nil
	case errors.Is(err, jwks.ErrKeyNotFound):
		return nil, nil
	default:
		return nil, a.keyError(err)
	}
}

// signature is what the check of a signature needs of a token. Its buffers are
// reused: nothing that outlives the check may point into them.
type signature struct {
	header  string // the encoded segment
	payload string // the encoded segment; "" if text is it, decoded
	issuer  string // what iss of claims that are not read yet is at a glimpse; "" if that was not taken
	input   []byte // what is signed
	value   []byte // the decoded signature
	text    []byte // for decoding the other segments
}

var signatures = sync.Pool{New: func() any { return new(signature) }}

func (s *signature) release() {
	s.header, s.payload, s.issuer = "", "", ""
	signatures.Put(s)
}

// signedFirst reports whether the signature is to be checked before the claims
// are read.
func (s *signature) signedFirst() bool { return len(s.input)-len(s.header)-1 > longPayload }

// parse reads the header of a JWT into a Token and its signature into sig. Nothing
// in it is to be believed yet.
func (v *Verifier) parse(raw string, sig *signature) (*Token, *Error) {
	c, err := jose.Split(raw)
	if err != nil {
		e := refuse(shapeReason(err))
		if e.Reason == ErrEncrypted {
			e.hint = hintEncrypted
		}
		return nil, e
	}
	h, err := v.headers.parse(c.Header, &sig.text)
	if err != nil {
		return nil, refuse(shapeReason(err))
	}
	if !jose.Supported(h.Algorithm) {
		return nil, refuse(ErrAlgorithm)
	}
	if sig.value, err = jose.AppendSegment(sig.value[:0], c.Signature); err != nil || c.Signature == "" {
		return nil, refuse(ErrMalformed)
	}
	sig.header, sig.payload = c.Header, c.Payload
	sig.input = append(sig.input[:0], c.SigningInput...)
	if sig.signedFirst() && !sig.mayBeObject() {
		return nil, refuse(ErrMalformed)
	}
	return &Token{raw: raw, header: h}, nil
}

// mayBeObject reports whether the payload is the encoding of what begins like an
// object: of what else is wrong with it, [Token.read] will tell.
func (s *signature) mayBeObject() bool {
	begin, err := jose.AppendSegment(s.text[:0], s.payload[:4])
	return err == nil && begin[0] == '{' && jose.CheckSegment(s.payload)
}

// decode returns the payload, in a buffer of sig.
func (s *signature) decode() (text []byte, err error) {
	if s.payload != "" {
		if s.text, err = jose.AppendSegment(s.text[:0], s.payload); err != nil {
			return nil, err
		}
		s.payload = ""
	}
	return s.text, nil
}

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

// routeUnread finds the authority of a token whose claims are not read yet.
func (v *Verifier) routeUnread(t *Token, sig *signature) *Error {
	only := v.only()
	if only != nil && only.keys.Held(t.header.KeyID, t.header.Algorithm) != nil {
		return v.assign(t, only.issuer) // who else has not signed it, and no key has to be asked for
	}
	text, err := sig.decode()
	if err != nil {
		return refuse(ErrMalformed)
	}
	sig.issuer = strictjson.Glimpse(text, "iss")
	if sig.issuer == "" && only != nil {
		return v.assign(t, only.issuer)
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

// shapeReasons are the reasons of package jose's errors.
func shapeReason(err error) *Reason {
	switch err {
	case jose.ErrEncrypted:
		return ErrEncrypted
	case jose.ErrSerialization:
		return ErrSerialization
	case jose.ErrDetached:
		return ErrDetached
	case jose.ErrUnencoded:
		return ErrUnencoded
	case jose.ErrCritical:
		return ErrCritical
	}
	return ErrMalformed
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

// checkSignature returns a token whose signature one of the keys has verified,
// nil if none did, and an error if what is signed is no good. Concurrent first
// uses of one token verify it once; what they get may be another request's Token
// for the same bytes.
func (v *Verifier) checkSignature(p *Policy, t *Token, sig *signature, keys []*jwks.Key, now time.Time) (*Token, *Error) {
	found, _, _ := v.flight.Do(t.raw, func() (any, error) {
		// Who looked before the last flight for this token landed, and got here after
		// it, finds what that has found.
		if known := v.remembered(t.raw, keys, now); known != nil {
			return known, nil
		}
		switch good, refused := v.verifies(p, t, sig, keys, now); {
		case refused != nil:
			return refused, nil
		case !good:
			return keys, nil
		}
		return t, nil
	})
	// What another request found out counts only if it had the same keys: during
	// a rotation, this one may have newer ones, and its key may be gone by now.
	switch found := found.(type) {
	case *Token:
		if slices.Contains(keys, found.key) {
			return found, nil
		}
	case *Error: // of what the authority itself has signed
		own := *found
		return nil, &own
	case []*jwks.Key:
		if slices.Equal(found, keys) {
			return nil, nil
		}
	}
	good, refused := v.verifies(p, t, sig, keys, now)
	if !good {
		return nil, refused
	}
	return t, nil
}

// remembered returns the token raw if one of the keys is known to have verified it.
func (v *Verifier) remembered(raw string, keys []*jwks.Key, now time.Time) *Token {
	if v.cache == nil {
		return nil
	}
	e, ok := v.cache.Peek(raw)
	if !ok || !now.Before(e.until) || !slices.Contains(keys, e.token.key) {
		return nil
	}
	return e.token
}

// verifies reports whether one of the keys verifies the signature of t, reads what
// is not read of t if so, and remembers t if it is good for p.
func (v *Verifier) verifies(p *Policy, t *Token, sig *signature, keys []*jwks.Key, now time.Time) (bool, *Error) {
	message := jose.NewMessage(t.header.Algorithm, sig.input)
	for _, k := range keys {
		if !message.SignedBy(k.Public(), sig.value) {
			continue
		}
		good := true
		if sig.signedFirst() {
			if refused := t.readSigned(sig); refused != nil {
				return false, refused
			}
			good = p.admit(t, now, true) == nil
		}
		t.key = k
		v.headers.remember(sig.header, t.header, now)
		if v.cache != nil && good {
			v.cache.Put(t.raw, &verified{token: t, until: now.Add(maxVerifiedAge)}, t.memory()+len(sig.header), now)
		}
		return true, nil
	}
	return false, nil
}

// readSigned reads the claims of a token whose signature was checked first. They
// must be of the authority whose key that was.
func (t *Token) readSigned(sig *signature) *Error {
	if refused := t.read(sig); refused != nil {
		return refused
	}
	if t.issuer != t.authority.keys.TokenIssuer() {
		return t.authority.refuse(ErrIssuer)
	}
	return t.fits()
}

// memory is about what a cached token takes, without its header: the texts, and
// what points to them.
func (t *Token) memory() int {
	n := len(t.raw) + t.claims.Memory() + 16*cap(t.audience) + 640
	if t.claims.Escaped() {
		for _, audience := range t.audience {
			n += len(audience) // may be no part of the claims' text
		}
	}
	return n
}

// headerCache remembers parsed headers by their text, since all tokens that an
// authority signs with one key have the same. Only headers of verified tokens
// are kept, so that junk cannot fill it.
type headerCache struct {
	cache *tokencache.Cache[*jose.Header]
}

func newHeaderCache() *headerCache {
	return &headerCache{tokencache.New(1024, 1<<20, func(*jose.Header, time.Time) bool { return false })}
}

func (c *headerCache) parse(segment string, buf *[]byte) (*jose.Header, error) {
	if h, ok := c.cache.Get(segment); ok {
		return h, nil
	}
	var err error
	if *buf, err = jose.AppendSegment((*buf)[:0], segment); err != nil {
		return nil, err
	}
	return jose.ParseHeader(string(*buf))
}

func (c *headerCache) remember(segment string, h *jose.Header, now time.Time) {
	if known, ok := c.cache.Get(segment); ok && known == h {
		return
	}
	// The segment is cut from a token, which it must not keep alive.
	c.cache.Put(string([]byte(segment)), h, len(segment)+256, now)
}
