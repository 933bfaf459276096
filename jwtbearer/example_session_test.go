package jwtbearer_test

import (
	"log"
	"net/http"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// A checker ends the tokens of a login that has ended.
func ExampleChecker() {
	sessions := session.NewMemory(nil)
	checker, err := session.New(sessions, &session.Options{AdoptUnknown: true})
	if err != nil {
		log.Fatal(err)
	}
	defer checker.Close()
	verifier, err := jwtbearer.New("https://id.example.com", &jwtbearer.Options{
		Checkers: []jwtbearer.Checker{checker},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close()

	// The authority posts here when a user signs out: the tokens of that login
	// are refused from then on.
	logout, err := session.NewLogoutHandler(verifier, "web-client", &session.LogoutOptions{Sessions: sessions})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("POST /backchannel-logout", logout)
	http.Handle("GET /orders", verifier.Require("api1")(http.HandlerFunc(listOrders)))
}
