package jwks

import (
	"crypto/ed25519"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestEdwardsFault(t *testing.T) {
	const (
		onCurve    = ""
		offCurve   = "a point that is not on its curve"
		small      = "a point of small order, with which anybody could sign"
		uncommonly = "an Ed25519 key that is not encoded canonically"
	)
	for _, tt := range []struct{ name, key, want string }{
		{"the key of RFC 8037, Appendix A.2", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", onCurve},
		{"the base point", "5866666666666666666666666666666666666666666666666666666666666666", onCurve},
		{"y = 2", "02" + strings.Repeat("00", 31), offCurve},
		{"the identity", "01" + strings.Repeat("00", 31), small},
		{"the identity with a sign", "01" + strings.Repeat("00", 30) + "80", small},
		{"zeros: y = 0, of order 4", strings.Repeat("00", 32), small},
		{"y = 0 with a sign", strings.Repeat("00", 31) + "80", small},
		{"y = p - 1, of order 2", "ec" + strings.Repeat("ff", 30) + "7f", small},
		{"of order 8", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", small},
		{"of order 8, the other", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", small},
		{"y = p", "ed" + strings.Repeat("ff", 30) + "7f", uncommonly},
		{"y = p + 1, the identity", "ee" + strings.Repeat("ff", 30) + "7f", uncommonly},
		{"all bits", strings.Repeat("ff", 32), uncommonly},
	} {
		key, err := hex.DecodeString(tt.key)
		if err != nil {
			t.Fatal(err)
		}
		if got := edwardsFault(key); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Every key that is made as keys are is good. Of those with a bit changed, about
// half are no points, since half of all numbers are no squares.
func TestEdwardsFaultOfManyKeys(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	off := 0
	for range 500 {
		seed := make([]byte, ed25519.SeedSize)
		for i := range seed {
			seed[i] = byte(random.Uint32())
		}
		key := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		if fault := edwardsFault(key); fault != "" {
			t.Fatalf("the key %x: %s", key, fault)
		}
		changed := slices.Clone(key)
		changed[random.IntN(31)] ^= 1 << random.IntN(8)
		if edwardsFault(changed) != "" {
			off++
		}
	}
	if off < 200 || off > 300 {
		t.Errorf("%d of 500 changed keys are refused, want about half", off)
	}
}
