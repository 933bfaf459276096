package jwtbearer_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer"
)

// Keys from a file, for a host that cannot reach its authority. The file is
// read again when it changes.
func ExampleOptions_keysFromFile() {
	keys, err := jwks.NewFile("https://id.example.com", "/etc/orders/keys.json", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()
	verifier, err := jwtbearer.New("https://id.example.com", &jwtbearer.Options{Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close()

	http.Handle("GET /orders", verifier.Require("api1")(http.HandlerFunc(listOrders)))
}

// An authority with an issuer for each of its tenants, of which two may call.
func ExampleNewTenants() {
	verifier, err := jwtbearer.NewTenants("https://login.example.com/{tenant}/v2.0", &jwtbearer.TenantOptions{
		Tenants:     []string{"contoso", "fabrikam"},
		TenantClaim: "tid",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close()

	http.Handle("GET /orders", verifier.Require("api1")(http.HandlerFunc(listOrders)))
}

// One verifier for the whole program: routes can be declared before it exists.
// Until it is set, requests are answered by 503.
func ExampleSetDefault() {
	http.Handle("GET /orders", jwtbearer.Require("api1")(http.HandlerFunc(listOrders)))

	verifier, err := jwtbearer.New("https://id.example.com", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close()
	jwtbearer.SetDefault(verifier)
}

// Behind Optional a caller may be anonymous; one with a bad token is refused
// all the same.
func ExampleVerifier_Optional() {
	verifier, err := jwtbearer.New("https://id.example.com", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close()

	http.Handle("GET /menu", verifier.Optional("api1")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := jwtbearer.TokenFrom(r.Context()) // nil for an anonymous caller; its methods are safe
		if token.HasScope("menu.prices") {
			fmt.Fprintln(w, "tea 2.50")
			return
		}
		fmt.Fprintln(w, "tea")
	})))
}

// A rule of one's own decides on the claims. Its error is for the log; the
// caller gets a 403.
func ExampleValidate() {
	verifier, err := jwtbearer.New("https://id.example.com", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close()

	adult := jwtbearer.Validate(func(_ context.Context, token *jwtbearer.Token) error {
		var claims struct {
			Age int `json:"age"`
		}
		if err := token.Decode(&claims); err != nil {
			return err
		}
		if claims.Age < 18 {
			return errors.New("under age")
		}
		return nil
	})
	http.Handle("POST /wine", verifier.Require("api1", adult)(http.HandlerFunc(createOrder)))
}
