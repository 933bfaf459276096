package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
)

// The families of signature algorithms.
type family uint8

const (
	pkcs1 family = iota + 1
	pss
	ecdsaFamily
	eddsa
)

// algorithm binds a JWS algorithm to everything that its name fixes. There is
// no entry for "none" and none for an HMAC, so neither can be asked for.
type algorithm struct {
	family family
	hash   crypto.Hash
	curve  func() elliptic.Curve
	size   int // of an ECDSA coordinate, in bytes
}

var algorithms = map[string]algorithm{
	"RS256":   {family: pkcs1, hash: crypto.SHA256},
	"RS384":   {family: pkcs1, hash: crypto.SHA384},
	"RS512":   {family: pkcs1, hash: crypto.SHA512},
	"PS256":   {family: pss, hash: crypto.SHA256},
	"PS384":   {family: pss, hash: crypto.SHA384},
	"PS512":   {family: pss, hash: crypto.SHA512},
	"ES256":   {family: ecdsaFamily, hash: crypto.SHA256, curve: elliptic.P256, size: 32},
	"ES384":   {family: ecdsaFamily, hash: crypto.SHA384, curve: elliptic.P384, size: 48},
	"ES512":   {family: ecdsaFamily, hash: crypto.SHA512, curve: elliptic.P521, size: 66},
	"EdDSA":   {family: eddsa},
	"Ed25519": {family: eddsa},
}

// Algorithms are the names of the supported signature algorithms (RFC 7518,
// Section 3.1; RFC 8037, Section 3.1; RFC 9864, Section 2.2), in the order of
// their registration.
var Algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
}

// Supported reports whether alg is one of [Algorithms], spelled exactly so.
func Supported(alg string) bool {
	_, ok := algorithms[alg]
	return ok
}

// Verify reports whether signature is alg's signature of input by key. It is
// false, not an error, for an unknown algorithm, a key of another type or
// curve, and a signature of another length.
func Verify(alg string, key crypto.PublicKey, input, signature []byte) bool {
	return NewMessage(alg, input).SignedBy(key, signature)
}

// Message is what a signature covers, for one algorithm. It is hashed once, however
// many keys are tried (but for EdDSA, which hashes it with each key): a long one
// costs more to hash than to check.
type Message struct {
	algorithm algorithm
	input     []byte
	digest    []byte // by the algorithm's hash, if it has one
}

// NewMessage returns the message input, which it refers to. Nobody has signed it
// if there is no such algorithm.
func NewMessage(alg string, input []byte) Message {
	a := algorithms[alg]
	return Message{a, input, a.digest(input)}
}

// SignedBy reports whether signature is key's signature of the message, as
// [Verify] does.
func (m Message) SignedBy(key crypto.PublicKey, signature []byte) bool {
	a, digest := m.algorithm, m.digest
	switch a.family {
	case pkcs1:
		k, ok := key.(*rsa.PublicKey)
		return ok && rsa.VerifyPKCS1v15(k, a.hash, digest, signature) == nil
	case pss:
		k, ok := key.(*rsa.PublicKey)
		// The salt is as long as the hash (RFC 7518, Section 3.5); by default
		// crypto/rsa would take any length.
		return ok && rsa.VerifyPSS(k, a.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	case ecdsaFamily:
		k, ok := key.(*ecdsa.PublicKey)
		if !ok || k.Curve != a.curve() || len(signature) != 2*a.size {
			return false
		}
		var der [2*(66+1+2) + 3]byte
		return ecdsa.VerifyASN1(k, digest, appendDER(der[:0], signature[:a.size], signature[a.size:]))
	case eddsa:
		k, ok := key.(ed25519.PublicKey)
		return ok && len(k) == ed25519.PublicKeySize && ed25519.Verify(k, m.input, signature)
	}
	return false // an algorithm that is none
}

func (a algorithm) digest(input []byte) []byte {
	switch a.hash {
	case crypto.SHA256:
		sum := sha256.Sum256(input)
		return sum[:]
	case crypto.SHA384:
		sum := sha512.Sum384(input)
		return sum[:]
	case crypto.SHA512:
		sum := sha512.Sum512(input)
		return sum[:]
	}
	return nil
}

// appendDER appends the ASN.1 form of an ECDSA signature, which is what
// crypto/ecdsa takes without the detour over two big.Int.
func appendDER(dst, r, s []byte) []byte {
	r, s = trim(r), trim(s)
	n := integerLen(r) + integerLen(s)
	dst = append(dst, 0x30)
	if n > 127 {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(n))
	return appendInteger(appendInteger(dst, r), s)
}

// trim cuts leading zeros, down to one byte.
func trim(b []byte) []byte {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

func integerLen(b []byte) int {
	return 2 + len(b) + int(b[0]>>7)
}

func appendInteger(dst, b []byte) []byte {
	dst = append(dst, 0x02, byte(integerLen(b)-2))
	if b[0]&0x80 != 0 {
		dst = append(dst, 0) // or the number would be negative
	}
	return append(dst, b...)
}
