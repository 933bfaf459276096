package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"sync/atomic"
)

// Key is a public key of a [Set], safe for concurrent use. Its address is its
// identity: the set hands out the same *Key for as long as the authority
// publishes the same key id, algorithm and public key.
type Key struct {
	set *Set
	identity
	public  crypto.PublicKey
	retired atomic.Bool // the set holds it no longer
}

// ID returns the key id (kid), or "" if the authority gave the key none.
func (k *Key) ID() string { return k.id }

// Algorithm returns the JWS algorithm that the authority bound the key to
// (RFC 7517, Section 4.4), as it wrote it, or "" if it named none. A key that
// names none serves every algorithm that its type and curve fit.
func (k *Key) Algorithm() string { return k.alg }

// Public returns the key itself: an [*rsa.PublicKey], an [*ecdsa.PublicKey] or
// an [ed25519.PublicKey]. It is shared and must not be modified.
func (k *Key) Public() crypto.PublicKey { return k.public }

// An algorithm is one of the JWS algorithms that a key can be used for. There
// is no value for none and for HMAC, so that no key is ever indexed under them.
type algorithm uint8

const (
	unsupported algorithm = iota
	rs256
	rs384
	rs512
	ps256
	ps384
	ps512
	es256
	es384
	es512
	edDSA // with Ed25519 only
)

// algorithmOf returns the algorithm of a name, which is case-sensitive
// (RFC 7515, Section 4.1.1). With an Ed25519 key, the names EdDSA (RFC 8037)
// and Ed25519 (RFC 9864) mean the same.
func algorithmOf(name string) algorithm {
	switch name {
	case "RS256":
		return rs256
	case "RS384":
		return rs384
	case "RS512":
		return rs512
	case "PS256":
		return ps256
	case "PS384":
		return ps384
	case "PS512":
		return ps512
	case "ES256":
		return es256
	case "ES384":
		return es384
	case "ES512":
		return es512
	case "EdDSA", "Ed25519":
		return edDSA
	}
	return unsupported
}

var (
	rsaAlgorithms     = []algorithm{rs256, rs384, rs512, ps256, ps384, ps512}
	p256Algorithms    = []algorithm{es256}
	p384Algorithms    = []algorithm{es384}
	p521Algorithms    = []algorithm{es512}
	ed25519Algorithms = []algorithm{edDSA}
)

// fitting returns the algorithms that the type and curve of a key fit: the
// curve is tied to the algorithm (RFC 7518, Section 3.4).
func fitting(public crypto.PublicKey) []algorithm {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return rsaAlgorithms
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return p256Algorithms
		case elliptic.P384():
			return p384Algorithms
		case elliptic.P521():
			return p521Algorithms
		}
	case ed25519.PublicKey:
		return ed25519Algorithms
	}
	return nil
}
