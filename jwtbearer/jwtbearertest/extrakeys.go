package jwtbearertest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
)

// ExtraKey is a member of a key set that no good token is signed with: one of
// the constants, or the JSON text of a JWK.
type ExtraKey string

// Keys that real issuers publish beside the good ones, and that a verifier has
// to skip.
const (
	// EncryptionKey is a sound RSA key with "use": "enc".
	EncryptionKey ExtraKey = "encryption"
	// UnknownTypeKey has a "kty" that nobody has registered.
	UnknownTypeKey ExtraKey = "unknown kty"
	// UnknownCurveKey is an EC key on a curve that nobody has registered.
	UnknownCurveKey ExtraKey = "unknown crv"
	// WeakKey is an RSA key of 1024 bits (RFC 7518, Section 3.3 asks for 2048).
	WeakKey ExtraKey = "weak"
	// SymmetricKey is an HMAC key, published for all to sign with.
	SymmetricKey ExtraKey = "symmetric"
	// MalformedKey is an RSA key whose modulus is no base64url.
	MalformedKey ExtraKey = "malformed"
	// OffCurveKey is a P-256 key whose point is not on the curve.
	OffCurveKey ExtraKey = "off curve"
	// PrivateKeyLeak is an Ed25519 key published with its private part.
	PrivateKeyLeak ExtraKey = "private"
)

func (k ExtraKey) document() json.RawMessage {
	number := func(bytes int) string {
		b := make([]byte, bytes)
		rand.Read(b)
		b[0] |= 0x80
		b[bytes-1] |= 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	exponent := base64.RawURLEncoding.EncodeToString(big.NewInt(65537).Bytes())
	var members map[string]any
	switch k {
	case EncryptionKey:
		members = map[string]any{"kty": "RSA", "use": "enc", "alg": "RSA-OAEP-256", "n": number(256), "e": exponent}
	case UnknownTypeKey:
		members = map[string]any{"kty": "XYZ", "use": "sig", "alg": "XYZ-44", "pub": number(64)}
	case UnknownCurveKey:
		members = map[string]any{"kty": "EC", "use": "sig", "crv": "P-999", "x": number(32), "y": number(32)}
	case WeakKey:
		members = map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "n": number(128), "e": exponent}
	case SymmetricKey:
		members = map[string]any{"kty": "oct", "use": "sig", "alg": "HS256", "k": number(32)}
	case MalformedKey:
		members = map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "n": "*not base64url*", "e": exponent}
	case OffCurveKey:
		one := base64.RawURLEncoding.EncodeToString(append(make([]byte, 31), 1))
		members = map[string]any{"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "x": one, "y": one}
	case PrivateKeyLeak:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		must(err)
		members = map[string]any{
			"kty": "OKP", "use": "sig", "alg": "EdDSA", "crv": "Ed25519",
			"x": base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey)),
			"d": base64.RawURLEncoding.EncodeToString(private.Seed()),
		}
	default:
		if !json.Valid([]byte(k)) {
			panic(fmt.Sprintf("jwtbearertest: AddKeys: %.40q is neither a named extra key nor JSON", string(k)))
		}
		return json.RawMessage(k)
	}
	members["kid"] = strings.ReplaceAll(string(k), " ", "-")
	data, err := json.Marshal(members)
	must(err)
	return data
}
