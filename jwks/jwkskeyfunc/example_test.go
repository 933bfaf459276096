package jwkskeyfunc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwks/jwkskeyfunc"
)

// Code on golang-jwt takes its keys from the set that the program keeps anyway.
func Example() {
	// In a program: set, err := jwks.New("https://id.example.com", nil)
	signer, set := exampleSet()
	defer set.Close()

	keys := jwkskeyfunc.New(set)
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithAudience("api1"),
		jwt.WithExpirationRequired(),
	)

	raw, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{
		Issuer:    "https://id.example.com",
		Subject:   "alice",
		Audience:  jwt.ClaimStrings{"api1"},
		ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}).SignedString(signer)
	if err != nil {
		log.Fatal(err)
	}

	// The context is the request's: it ends the wait for a key that is not known yet.
	var claims jwt.RegisteredClaims
	if _, err := parser.ParseWithClaims(raw, &claims, keys.KeyfuncCtx(context.Background())); err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Subject)
	// Output: alice
}

func exampleSet() (*ecdsa.PrivateKey, *jwks.Set) {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		log.Fatal(err)
	}
	set, err := jwks.NewStatic("https://id.example.com", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil)
	if err != nil {
		log.Fatal(err)
	}
	return signer, set
}
