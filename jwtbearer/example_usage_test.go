package jwtbearer_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

// Several authorities as one: a token is checked by the authority that its iss
// names, with that authority's keys and no others.
func ExampleJoin() {
	staff, err := jwtbearer.New("https://staff.example.com", nil)
	if err != nil {
		log.Fatal(err)
	}
	partners, err := jwtbearer.New("https://login.example.net/tenant", &jwtbearer.Options{
		AudienceNames: map[string][]string{"api1": {"api://orders"}}, // its name for our api1
	})
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := jwtbearer.Join(staff, partners)
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close() // closes both

	http.Handle("GET /orders", verifier.Require("api1")(http.HandlerFunc(listOrders)))
}

// A request that outlives its token is checked again while it runs.
func ExampleRecheck() {
	verifier, err := jwtbearer.New("https://id.example.com", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close()
	http.Handle("GET /time", verifier.Require("api1", jwtbearer.Recheck(time.Minute))(http.HandlerFunc(streamTime)))
}

func streamTime(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		select {
		case <-time.After(time.Second):
			fmt.Fprintf(w, "data: %v\n\n", time.Now())
			http.NewResponseController(w).Flush()
		case <-r.Context().Done(): // context.Cause says why, such as jwtbearer.ErrExpired
			return
		}
	}
}

// The form for a route whose audience is configured, or that answers by itself.
func ExampleVerifier_Policy() {
	verifier, err := jwtbearer.New("https://id.example.com", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer verifier.Close()
	policy, err := verifier.Policy("api1", jwtbearer.AnyScope("orders.read", "orders.write"))
	if err != nil {
		log.Fatal(err)
	}

	http.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		token, err := policy.Check(r)
		if errors.Is(err, jwtbearer.ErrExpired) {
			log.Print("a client does not renew its token in time")
		}
		if err != nil {
			jwtbearer.WriteError(w, r, err)
			return
		}
		fmt.Fprintf(w, "the orders of %s\n", token.Subject())
	})
}
