package jwks_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/bearerguard/bearerguard/jwks"
)

// FuzzKeySet holds what must be true of every key set, however it was made: no
// panic; every key in use is within the bounds and found under its own id, and
// nothing else is; and a set made anew of the keys in use has the same keys.
func FuzzKeySet(f *testing.F) {
	f.Add([]byte(document(ecJWK("a"), jwkOf("b", rsaKey()), jwkOf("c", newEd()), ecJWK(""))))
	f.Add([]byte(document(jwkOf("b", rsaKey()).with("alg", "RS256"), jwkOf("b", rsaKey()).with("alg", "PS256"))))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"AKP"},{"kty":"EC","crv":"P-256","x":"","y":""},null,1,[]]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB"}]}`))
	f.Add(pemOf(newEd()))
	f.Add([]byte(`{"keys":`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := jwks.NewStatic(testIssuer, data, &jwks.StaticOptions{Logger: discard})
		if err != nil {
			if s != nil {
				t.Fatal("an error and a set")
			}
			return
		}
		defer s.Close()
		var again []jwk
		for _, key := range s.Keys() {
			found := 0
			for _, alg := range everyAlg {
				keys, err := s.Find(context.Background(), key.ID(), alg)
				if err != nil {
					continue
				}
				for _, k := range keys {
					if k.ID() != key.ID() && key.ID() != "" {
						t.Errorf("Find(%q, %s) returned the key %q", key.ID(), alg, k.ID())
					}
					if k == key {
						found++
					}
				}
				if key.ID() != "" && len(keys) != 1 {
					t.Errorf("Find(%q, %s) returned %d keys", key.ID(), alg, len(keys))
				}
			}
			if found == 0 && key.ID() != "" {
				t.Errorf("the key %q is in use and not found", key.ID())
			}
			switch public := key.Public().(type) {
			case *rsa.PublicKey:
				if n := public.N.BitLen(); n < 2048 || n > 8192 || public.E < 65537 || public.E&1 == 0 || public.N.Bit(0) == 0 {
					t.Errorf("an RSA key of %d bits with exponent %d is in use", n, public.E)
				}
			case *ecdsa.PublicKey:
				if _, err := public.ECDH(); err != nil {
					t.Errorf("an EC key is in use: %v", err)
				}
			case ed25519.PublicKey:
				if len(public) != ed25519.PublicKeySize {
					t.Errorf("an Ed25519 key of %d bytes is in use", len(public))
				}
			default:
				t.Errorf("a %T is in use", public)
			}
			k := jwkOf(key.ID(), key.Public())
			if key.Algorithm() != "" {
				k["alg"] = key.Algorithm()
			}
			again = append(again, k)
		}
		second, err := jwks.NewStatic(testIssuer, []byte(document(again...)), &jwks.StaticOptions{Logger: discard})
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		a, b := s.Keys(), second.Keys()
		if len(a) != len(b) {
			t.Fatalf("%d keys became %d", len(a), len(b))
		}
		for i := range a {
			if a[i].ID() != b[i].ID() || a[i].Algorithm() != b[i].Algorithm() || !a[i].Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(b[i].Public()) {
				t.Errorf("key %d changed", i)
			}
		}
	})
}

func pemOf(key crypto.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Headers: map[string]string{"kid": "p"}, Bytes: der})
}
