package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/MicahParks/jwkset"
)

// Bounds on RSA keys. 2048 bits are the least that RFC 7518, Section 3.3
// allows; above 8192 a check costs so much that the key itself is an attack.
// The exponent is one that FIPS 186-5, Section 5.4 approves and crypto/rsa takes.
const (
	minRSABits     = 2048
	maxRSABits     = 8192
	minRSAExponent = 65537
)

// A publicKey is a key that went through check.
type publicKey struct{ public crypto.PublicKey }

// value returns what makes two keys the same key.
func (k publicKey) value() [sha256.Size]byte {
	switch key := k.public.(type) {
	case *rsa.PublicKey:
		return digest("RSA", key.N.Bytes(), big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		point, _ := key.Bytes() // cannot fail: the point is on its curve
		return digest(key.Curve.Params().Name, point)
	case ed25519.PublicKey:
		return digest("Ed25519", key)
	}
	panic("jwks: a key that was not checked")
}

// check bounds a key that some parser made.
func check(public crypto.PublicKey) (publicKey, *skip) {
	refuse := func(format string, args ...any) (publicKey, *skip) {
		return publicKey{}, &skip{reason: fmt.Sprintf(format, args...)}
	}
	switch key := public.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); {
		case bits < minRSABits:
			return refuse("an RSA modulus of %d bits, less than %d", bits, minRSABits)
		case bits > maxRSABits:
			return refuse("an RSA modulus of %d bits, more than %d", bits, maxRSABits)
		case key.N.Bit(0) == 0:
			return refuse("an even RSA modulus")
		case key.E < minRSAExponent:
			return refuse("an RSA exponent less than %d", minRSAExponent)
		case key.E%2 == 0:
			return refuse("an even RSA exponent")
		case madeByROCA(key.N):
			return refuse("an RSA modulus that can be factored (CVE-2017-15361)")
		}
	case *ecdsa.PublicKey:
		if fitting(key) == nil {
			return publicKey{}, &skip{reason: "an unsupported curve", normal: true}
		}
		if _, err := key.Bytes(); err != nil {
			return refuse("a point that is not on its curve")
		}
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return refuse("an Ed25519 key of %d bytes, not %d", len(key), ed25519.PublicKeySize)
		}
		if fault := edwardsFault(key); fault != "" {
			return refuse("%s", fault)
		}
	default:
		return publicKey{}, &skip{reason: fmt.Sprintf("an unsupported kind of key (%T)", public), normal: true}
	}
	return publicKey{public}, nil
}

// parsePublic turns the members of a JWK into a key. The shape of the members
// is judged here, jwkset builds the key, check bounds the result.
func parsePublic(kty string, jwk map[string]json.RawMessage) (publicKey, *skip) {
	// Only the members that make the key are handed on: a certificate or a
	// thumbprint beside it that does not fit must not cost a good key.
	m := jwkset.JWKMarshal{KTY: jwkset.KTY(kty)}
	var why *skip
	switch kty {
	case "RSA":
		why = rsaMembers(&m, jwk)
	case "EC":
		why = ecMembers(&m, jwk)
	case "OKP":
		why = okpMembers(&m, jwk)
	}
	if why != nil {
		return publicKey{}, why
	}
	key, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		// Its text may quote a member, and it is the authority's to fix.
		return publicKey{}, &skip{reason: "its members do not make a key"}
	}
	return check(key.Key())
}

func rsaMembers(m *jwkset.JWKMarshal, jwk map[string]json.RawMessage) *skip {
	var e []byte
	var why *skip
	// One zero octet in front of the modulus is tolerated: RFC 7518, Section
	// 6.3.1.1 knows that some libraries write it, and it changes no value.
	if m.N, _, why = octets(jwk, "n"); why != nil {
		return why
	}
	if m.E, e, why = octets(jwk, "e"); why != nil {
		return why
	}
	// jwkset cuts a long exponent down to 64 bits, so that 2^64+65537 would pass
	// for 65537.
	if len(e) > 5 || new(big.Int).SetBytes(e).BitLen() > 31 {
		return &skip{reason: "an RSA exponent of more than 31 bits"}
	}
	return nil
}

func ecMembers(m *jwkset.JWKMarshal, jwk map[string]json.RawMessage) *skip {
	crv, ok := text(jwk, "crv")
	if !ok {
		return &skip{reason: `"crv" is not a string`}
	}
	var curve elliptic.Curve
	switch crv {
	case "P-256":
		curve = elliptic.P256()
	case "P-384":
		curve = elliptic.P384()
	case "P-521":
		curve = elliptic.P521()
	case "":
		return &skip{reason: `"crv" is missing`}
	default:
		return &skip{reason: "unsupported curve " + quoted(crv), normal: true}
	}
	m.CRV = jwkset.CRV(crv)
	size := (curve.Params().BitSize + 7) / 8
	for _, c := range []struct {
		name string
		to   *string
	}{{"x", &m.X}, {"y", &m.Y}} {
		encoded, octets, why := octets(jwk, c.name)
		if why != nil {
			return why
		}
		if len(octets) != size { // RFC 7518, Section 6.2.1.2
			return &skip{reason: fmt.Sprintf("%q has %d octets, not the %d of the curve", c.name, len(octets), size)}
		}
		*c.to = encoded
	}
	return nil
}

func okpMembers(m *jwkset.JWKMarshal, jwk map[string]json.RawMessage) *skip {
	crv, ok := text(jwk, "crv")
	switch {
	case !ok:
		return &skip{reason: `"crv" is not a string`}
	case crv == "":
		return &skip{reason: `"crv" is missing`}
	case crv != "Ed25519": // X25519 agrees keys, Ed448 is in no Go library
		return &skip{reason: "unsupported curve " + quoted(crv), normal: true}
	}
	m.CRV = jwkset.CrvEd25519
	x, value, why := octets(jwk, "x")
	if why != nil {
		return why
	}
	if len(value) != ed25519.PublicKeySize {
		return &skip{reason: fmt.Sprintf(`"x" has %d octets, not %d`, len(value), ed25519.PublicKeySize)}
	}
	m.X = x
	return nil
}

// octets decodes a member that must be base64url without padding, written in
// the one way there is (RFC 7515, Section 2). Go's decoder skips line breaks
// and, unless strict, ignores stray bits; encoding again finds both.
func octets(jwk map[string]json.RawMessage, name string) (encoded string, value []byte, why *skip) {
	encoded, ok := text(jwk, name)
	switch {
	case !ok:
		return "", nil, &skip{reason: fmt.Sprintf("%q is not a string", name)}
	case encoded == "":
		return "", nil, &skip{reason: fmt.Sprintf("%q is missing", name)}
	}
	value, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || base64.RawURLEncoding.EncodeToString(value) != encoded {
		return "", nil, &skip{reason: fmt.Sprintf("%q is not canonical base64url without padding", name)}
	}
	return encoded, value, nil
}
