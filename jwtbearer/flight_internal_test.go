package jwtbearer

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
)

// TestFlightsOfOtherKeys: two requests with one token share the check of its
// signature, unless the keys were replaced between their beginnings. Nothing
// outside the package can hold a check in the middle, hence the inner view.
func TestFlightsOfOtherKeys(t *testing.T) {
	input := []byte("header.payload")
	withdrawn, withdrawnKeys := someKey(t)
	current, currentKeys := someKey(t)
	for _, tt := range []struct {
		name   string
		signer ed25519.PrivateKey
		keys   []*jwks.Key // of the second request
		good   bool
	}{
		{"the same keys", withdrawn, withdrawnKeys, true},
		{"the key was withdrawn", withdrawn, currentKeys, false},
		{"both keys verify it", current, currentKeys, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, err := newVerifier(&Options{Cache: CacheOptions{Disabled: true}})
				if err != nil {
					t.Fatal(err)
				}
				finish := make(chan struct{})
				go v.flight.Do("raw", func() (any, error) {
					<-finish
					return &Token{raw: "raw", key: withdrawnKeys[0]}, nil
				})
				synctest.Wait()
				var found *Token
				go func() {
					token := &Token{raw: "raw", header: &jose.Header{Algorithm: "EdDSA"}}
					found, _ = v.checkSignature(nil, token, &signature{input: input, value: ed25519.Sign(tt.signer, input)}, tt.keys, time.Now())
				}()
				synctest.Wait()
				close(finish)
				synctest.Wait()
				if (found != nil) != tt.good {
					t.Errorf("accepted: %v, want %v", found != nil, tt.good)
				}
				if found != nil && found.key != tt.keys[0] {
					t.Error("the token belongs to a key that the request does not have")
				}
			})
		})
	}
}

// TestLateFlights: who gets to the check of a signature after another request has
// made it, and looked for the token before that, does not make it again.
func TestLateFlights(t *testing.T) {
	_, keys := someKey(t)
	v, err := newVerifier(&Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	known := &Token{raw: "raw", key: keys[0]}
	v.cache.Put("raw", &verified{token: known, until: now.Add(time.Hour)}, 100, now)
	for _, tt := range []struct {
		name string
		keys []*jwks.Key
		now  time.Time
		want *Token
	}{
		{"the same key", keys, now, known},
		{"another key", func() []*jwks.Key { _, other := someKey(t); return other }(), now, nil},
		{"too long ago", keys, now.Add(time.Hour), nil},
	} {
		// A signature that does not hold: only what is remembered can pass.
		token := &Token{raw: "raw", header: &jose.Header{Algorithm: "EdDSA"}}
		if got, _ := v.checkSignature(nil, token, &signature{value: make([]byte, 64)}, tt.keys, tt.now); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got != nil, tt.want != nil)
		}
	}
}

func someKey(t *testing.T) (ed25519.PrivateKey, []*jwks.Key) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwks.NewStatic("https://issuer.test", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = set.Close() })
	return private, set.Keys()
}
