package jwtbearertest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
)

// AlgNone makes an unsecured token: "alg": "none" and an empty signature
// (RFC 7519, Section 6). For other spellings add Header("alg", "NoNe") after it.
func AlgNone() TokenOption {
	return func(d *draft) {
		d.header.set("alg", "none")
		WithoutSignature()(d)
	}
}

// WithoutSignature leaves the third segment empty.
func WithoutSignature() TokenOption {
	return edit(func(s *segments) { s.signature = "" })
}

// HMACWithPublicKey signs by HS256 with the PEM text of the issuer's public key
// as the secret: the attack on verifiers that let a token choose between a
// public key and a shared secret (RFC 8725, Section 2.1).
func HMACWithPublicKey() TokenOption {
	return func(d *draft) {
		key := d.issuer.signingKey(d.alg)
		der, err := x509.MarshalPKIXPublicKey(key.private.Public())
		must(err)
		secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		d.signWith("HS256", key.id, secret)
	}
}

// ForgedSignature changes one bit in the middle of the signature.
func ForgedSignature() TokenOption {
	return edit(func(s *segments) {
		s.rawSignature[len(s.rawSignature)/2] ^= 1
		s.signature = encode(s.rawSignature)
	})
}

// SignedByStranger signs with a key that the issuer never published, under the
// "kid" of the one that it did publish.
func SignedByStranger() TokenOption {
	return func(d *draft) {
		stranger := newKeySet([]string{d.alg}, false, false)
		key := stranger.signing[d.alg]
		d.key = key.private
		// The key rests again once the token is signed.
		d.edits = append(d.edits, func(*segments) { stranger.release() })
	}
}

// EmbeddedKey signs with a stranger's key and carries that key in the "jwk"
// header parameter, for verifiers that believe it (RFC 8725, Section 3.10).
func EmbeddedKey() TokenOption {
	return func(d *draft) {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		must(err)
		d.signWith("EdDSA", "", private)
		d.header.set("jwk", map[string]string{"kty": "OKP", "crv": "Ed25519", "x": encode(public)})
	}
}

// TruncatedSignature cuts the last byte off the signature.
func TruncatedSignature() TokenOption {
	return edit(func(s *segments) { s.signature = encode(s.rawSignature[:len(s.rawSignature)-1]) })
}

// DERSignature writes an ECDSA signature as ASN.1 instead of the two numbers
// side by side that RFC 7518, Section 3.4, demands. It goes with ES256, ES384
// and ES512.
func DERSignature() TokenOption {
	return edit(func(s *segments) {
		half := len(s.rawSignature) / 2
		der, err := asn1.Marshal(struct{ R, S *big.Int }{
			new(big.Int).SetBytes(s.rawSignature[:half]),
			new(big.Int).SetBytes(s.rawSignature[half:]),
		})
		must(err)
		s.signature = encode(der)
	})
}

// Padded pads every segment with "=" (RFC 7515, Section 2, forbids it). The
// signature is over the unpadded text.
func Padded() TokenOption {
	return edit(func(s *segments) {
		for _, segment := range []*string{&s.header, &s.payload, &s.signature} {
			*segment += strings.Repeat("=", (4-len(*segment)%4)%4)
		}
	})
}

// NonCanonical changes the unused bits of the signature's last character, so
// that a second text decodes to the same bytes. It panics for ES512 and ES384,
// whose signatures leave no bits unused.
func NonCanonical() TokenOption {
	return edit(func(s *segments) {
		if len(s.signature)%4 == 0 {
			panic("jwtbearertest: NonCanonical: the signature leaves no bits unused: choose another algorithm")
		}
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := len(s.signature) - 1
		s.signature = s.signature[:last] + string(alphabet[strings.IndexByte(alphabet, s.signature[last])+1])
	})
}

// ExtraSegment appends a fourth segment.
func ExtraSegment() TokenOption {
	return edit(func(s *segments) { s.more = append(s.more, "e30") })
}

// Encrypted makes what looks like an encrypted token, five segments with an
// "enc" header parameter (RFC 7516, Section 3.1). Nobody can decrypt it.
func Encrypted() TokenOption {
	return edit(func(s *segments) {
		random := func(n int) string {
			b := make([]byte, n)
			rand.Read(b)
			return encode(b)
		}
		s.header = encode([]byte(`{"alg":"RSA-OAEP","enc":"A256CBC-HS512","typ":"at+jwt","cty":"JWT"}`))
		s.payload, s.signature = random(256), random(16)
		s.more = []string{random(320), random(32)}
	})
}

// Critical names header parameters in "crit", and adds those that are not there
// with the value true (RFC 7515, Section 4.1.11). Header("b64", false) with
// Critical("b64") is the unencoded payload of RFC 7797.
func Critical(names ...string) TokenOption {
	return func(d *draft) {
		for _, name := range names {
			if !d.header.has(name) {
				d.header.set(name, true)
			}
		}
		if names == nil {
			names = []string{}
		}
		d.header.set("crit", names)
	}
}

// DuplicateClaim adds a claim a second time, behind all others.
func DuplicateClaim(name string, value any) TokenOption {
	return func(d *draft) { d.claims.add(name, value) }
}

// DuplicateHeader adds a header parameter a second time, behind all others.
func DuplicateHeader(name string, value any) TokenOption {
	return func(d *draft) { d.header.add(name, value) }
}

// RawClaim sets a claim to a JSON text as it is, such as 1e400.
func RawClaim(name, text string) TokenOption {
	return func(d *draft) {
		d.claims.set(name, nil)
		for n := range d.claims {
			if d.claims[n].name == name {
				d.claims[n].value = json.RawMessage(text)
			}
		}
	}
}

func edit(change func(*segments)) TokenOption {
	return func(d *draft) { d.edits = append(d.edits, change) }
}
