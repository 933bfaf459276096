package jwks

//lint:file-ignore SA1019 no other way makes a key that is not on its curve

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"math/big"
	"strings"
	"testing"
)

// The bounds hold whatever parser made the key: those that jwkset and
// crypto/x509 let nobody reach today are tried here.
func TestCheck(t *testing.T) {
	for want, key := range map[string]any{
		"not on its curve":    &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)},
		"unsupported curve":   &ecdsa.PublicKey{Curve: elliptic.P224(), X: big.NewInt(1), Y: big.NewInt(1)},
		"31 bytes":            make(ed25519.PublicKey, 31),
		"an unsupported kind": &ecdh.PublicKey{},
	} {
		if _, why := check(key); why == nil || !strings.Contains(why.reason, want) {
			t.Errorf("%T: got %v, want it skipped because of %q", key, why, want)
		}
	}
}
