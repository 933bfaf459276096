package jwtbearer_test

import (
	"log"
	"net/http"
	"os"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/introspection"
)

// Tokens that are no JWT are shown to the authority.
func ExampleIntrospector() {
	client, err := introspection.New("https://id.example.com/introspect", &introspection.Options{
		ClientID:     "api1",
		ClientSecret: os.Getenv("INTROSPECTION_SECRET"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	verifier, err := jwtbearer.New("https://id.example.com", &jwtbearer.Options{Introspector: client})
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close()

	http.Handle("GET /orders", verifier.Require("api1")(http.HandlerFunc(listOrders)))
}
