package jwtbearer

import (
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/tokencache"
)

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
	return &Token{raw: raw, header: h}, nil
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
