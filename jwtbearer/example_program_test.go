package jwtbearer_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

func Example() {
	verifier, err := jwtbearer.New("https://id.example.com", nil) // whose tokens are accepted
	if err != nil {
		log.Fatal(err) // a mistake in the configuration, never the network
	}
	defer verifier.Close()

	mux := http.NewServeMux()
	mux.Handle("GET /orders", verifier.Require("api1")(http.HandlerFunc(listOrders)))
	mux.Handle("POST /orders", verifier.Require("api1", jwtbearer.Scope("orders.write"))(http.HandlerFunc(createOrder)))
	log.Print(http.ListenAndServe("127.0.0.1:8080", mux))
}

func listOrders(w http.ResponseWriter, r *http.Request) {
	token := jwtbearer.TokenFrom(r.Context()) // never nil behind Require
	fmt.Fprintf(w, "the orders of %s\n", token.Subject())
}

func createOrder(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusCreated)
}
