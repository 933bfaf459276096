package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// An API that asks, on every request, whether the user has signed out.
func Example() {
	issuer, err := jwtbearertest.Start(nil) // a real API has a real authority
	if err != nil {
		panic(err)
	}
	defer issuer.Close()

	sessions := session.NewMemory(nil)
	checker, err := session.New(sessions, &session.Options{AdoptUnknown: true, Logger: quiet})
	if err != nil {
		panic(err)
	}
	defer checker.Close()
	verifier, err := jwtbearer.New(issuer.URL(), &jwtbearer.Options{
		InsecureAllowHTTP: true,
		Checkers:          []jwtbearer.Checker{checker},
		Logger:            quiet,
	})
	if err != nil {
		panic(err)
	}
	defer verifier.Close()
	api := verifier.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))

	tokens := issuer.SignIn(&jwtbearertest.SignIn{Subject: "alice", Audience: "api1"})
	call := func() {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		fmt.Printf("%d %q\n", w.Code, w.Header().Get("WWW-Authenticate"))
	}
	call()
	if err := sessions.Revoke(context.Background(), session.Key{Issuer: issuer.URL(), ID: tokens.SessionID}); err != nil {
		panic(err)
	}
	call()
	// Output:
	// 200 ""
	// 401 "Bearer error=\"invalid_token\", error_description=\"the session has ended\""
}
