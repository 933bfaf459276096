package main

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"strings"
	"testing"
)

func TestFloorTakesItsTokens(t *testing.T) {
	for _, alg := range compared {
		s, err := newSigner("a", alg)
		if err != nil {
			t.Fatal(err)
		}
		token, err := good(s, "https://issuer.test")
		if err != nil {
			t.Fatal(err)
		}
		other, err := good(s, "https://issuer.test")
		if err != nil {
			t.Fatal(err)
		}
		forged := token[:strings.LastIndexByte(token, '.')] + other[strings.LastIndexByte(other, '.'):]
		fl, err := newFloor(s, []string{token, forged})
		if err != nil {
			t.Fatal(err)
		}
		if err := fl.verify(0); err != nil {
			t.Errorf("%s: a good token: %v", alg, err)
		}
		if err := fl.verify(1); err == nil {
			t.Errorf("%s: the signature of another token passed", alg)
		}
	}
}

// TestFloorOfES256 is no more than the standard library's check: what it is given
// is made beforehand.
func TestFloorOfES256(t *testing.T) {
	s, err := newSigner("a", "ES256")
	if err != nil {
		t.Fatal(err)
	}
	token, err := good(s, "https://issuer.test")
	if err != nil {
		t.Fatal(err)
	}
	fl, err := newFloor(s, []string{token})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(fl.inputs[0])
	der, err := ecdsa.SignASN1(nil, s.key.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	want := testing.AllocsPerRun(100, func() { ecdsa.VerifyASN1(fl.key.(*ecdsa.PublicKey), sum[:], der) })
	if got := testing.AllocsPerRun(100, func() { fl.verify(0) }); got != want {
		t.Errorf("got %v allocations, want the %v of ecdsa.VerifyASN1", got, want)
	}
}
