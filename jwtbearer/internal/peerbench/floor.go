package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
)

var errFloor = errors.New("the floor refused a good token")

// A floor is the least that a token can cost: the standard library's check of
// its signature, with the token cut and decoded beforehand.
type floor struct {
	key    crypto.PublicKey
	inputs [][]byte
	sigs   [][]byte
}

func newFloor(s *signer, tokens []string) (*floor, error) {
	f := &floor{key: s.key.Public()}
	for _, token := range tokens {
		dot := strings.LastIndexByte(token, '.')
		sig, err := b64.DecodeString(token[dot+1:])
		if err != nil {
			return nil, err
		}
		if _, ok := f.key.(*ecdsa.PublicKey); ok {
			// JWS has the two numbers side by side (RFC 7518, Section 3.4), the standard
			// library checks their ASN.1 form.
			half := len(sig) / 2
			sig, err = asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])})
			if err != nil {
				return nil, err
			}
		}
		f.inputs = append(f.inputs, []byte(token[:dot]))
		f.sigs = append(f.sigs, sig)
	}
	return f, nil
}

// verify checks the i-th signature.
func (f *floor) verify(i int) error {
	input, sig := f.inputs[i], f.sigs[i]
	ok := false
	switch key := f.key.(type) {
	case *rsa.PublicKey:
		sum := sha256.Sum256(input)
		ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(input)
		ok = ecdsa.VerifyASN1(key, sum[:], sig)
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, input, sig)
	}
	if !ok {
		return errFloor
	}
	return nil
}
