package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
)

var b64 = base64.RawURLEncoding

// A signer makes the signatures of one algorithm with one key.
type signer struct {
	kid string
	alg string
	key crypto.Signer
}

func newSigner(kid, alg string) (*signer, error) {
	var key crypto.Signer
	var err error
	switch alg {
	case "RS256", "PS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("no key for algorithm %q", alg)
	}
	return &signer{kid: kid, alg: alg, key: key}, err
}

// sign returns the JWS signature of input as alg names it, which need not be
// the algorithm that the key is published for.
func (s *signer) sign(alg, input string) ([]byte, error) {
	sum := sha256.Sum256([]byte(input))
	switch key := s.key.(type) {
	case *rsa.PrivateKey:
		if alg == "PS256" {
			return rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		r, t, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			return nil, err
		}
		size := (key.Curve.Params().BitSize + 7) / 8
		sig := make([]byte, 2*size)
		r.FillBytes(sig[:size])
		t.FillBytes(sig[size:])
		return sig, nil
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(input)), nil
	}
	return nil, fmt.Errorf("no signature by %T", s.key)
}

// A publicKey is the public half of a key as RFC 7517 writes it.
type publicKey map[string]any

// public returns the key as an authority would publish it.
func (s *signer) public() publicKey {
	out := publicKey{"kid": s.kid, "use": "sig", "alg": s.alg}
	switch key := s.key.Public().(type) {
	case *rsa.PublicKey:
		out["kty"] = "RSA"
		out["n"] = b64.EncodeToString(key.N.Bytes())
		out["e"] = b64.EncodeToString(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			panic(err)
		}
		half := (len(point) - 1) / 2
		out["kty"], out["crv"] = "EC", key.Curve.Params().Name
		out["x"] = b64.EncodeToString(point[1 : 1+half])
		out["y"] = b64.EncodeToString(point[1+half:])
	case ed25519.PublicKey:
		out["kty"], out["crv"], out["x"] = "OKP", "Ed25519", b64.EncodeToString(key)
	}
	return out
}

func keySet(keys ...publicKey) []byte {
	data, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return data
}
