package jwtbearer

import (
	"slices"
	"sync"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
)

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

// mayBeObject reports whether the payload begins like the encoding of an object.
// What else is wrong with it shows later.
func (s *signature) mayBeObject() bool {
	begin, err := jose.AppendSegment(s.text[:0], s.payload[:4])
	return err == nil && begin[0] == '{'
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
	case *Error: // of what the authority itself has signed; whose issuer it is may have changed
		if found.Reason != ErrIssuer {
			own := *found
			return nil, &own
		}
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
