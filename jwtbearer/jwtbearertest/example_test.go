package jwtbearertest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// listOrders is the handler under test.
func listOrders(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "the orders of %s\n", jwtbearer.TokenFrom(r.Context()).Subject())
}

// A whole unit test of a protected handler; t is the *testing.T.
func ExampleNewIssuer() {
	issuer := jwtbearertest.NewIssuer(t)
	api := issuer.Verifier(t, nil).Require("api1")(http.HandlerFunc(listOrders))

	request := httptest.NewRequest("GET", "/orders", nil)
	request.Header.Set("Authorization", "Bearer "+issuer.Token("api1", jwtbearertest.Subject("alice")))
	response := httptest.NewRecorder()
	api.ServeHTTP(response, request)
	fmt.Print(response.Code, " ", response.Body)
	// Output: 200 the orders of alice
}

// Every refusal is one option away from a good token.
func ExampleIssuer_Token() {
	issuer := jwtbearertest.NewIssuer(t)
	policy, _ := issuer.Verifier(t, nil).Policy("api1")
	check := func(token string) {
		_, err := policy.Verify(context.Background(), token)
		fmt.Println(err == nil)
	}
	check(issuer.Token("api1"))
	check(issuer.Token("api2"))
	check(issuer.Token("api1", jwtbearertest.ExpiresIn(-2*time.Minute)))
	check(issuer.Token("api1", jwtbearertest.WithoutClaim("exp")))
	check(issuer.Token("api1", jwtbearertest.ForgedSignature()))
	check(issuer.Token("api1", jwtbearertest.AlgNone()))
	check(issuer.Token("api1", jwtbearertest.HMACWithPublicKey()))
	// Output:
	// true
	// false
	// false
	// false
	// false
	// false
	// false
}

// A rotation of the keys costs no failed request.
func ExampleIssuer_Rotate() {
	issuer := jwtbearertest.NewIssuer(t)
	policy, _ := issuer.Verifier(t, nil).Policy("api1")

	old := issuer.Token("api1")
	_, err := policy.Verify(context.Background(), old)
	fmt.Println(err, issuer.Requests(jwtbearertest.EndpointKeys))

	issuer.Rotate()
	_, err = policy.Verify(context.Background(), issuer.Token("api1"))
	fmt.Println(err, issuer.Requests(jwtbearertest.EndpointKeys))
	_, err = policy.Verify(context.Background(), old)
	fmt.Println(err, issuer.Requests(jwtbearertest.EndpointKeys))
	// Output:
	// <nil> 1
	// <nil> 2
	// <nil> 2
}

// While the issuer is away, a warm verifier goes on, and a cold one answers 503.
func ExampleIssuer_SetFault() {
	issuer := jwtbearertest.NewIssuer(t)
	warm := issuer.Verifier(t, nil)
	if err := warm.WaitReady(context.Background()); err != nil {
		fmt.Println(err)
	}

	issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down())
	for _, verifier := range []*jwtbearer.Verifier{warm, issuer.Verifier(t, nil)} {
		request := httptest.NewRequest("GET", "/orders", nil)
		request.Header.Set("Authorization", "Bearer "+issuer.Token("api1"))
		response := httptest.NewRecorder()
		verifier.Require("api1")(http.HandlerFunc(listOrders)).ServeHTTP(response, request)
		fmt.Println(response.Code)
	}
	// Output:
	// 200
	// 503
}

// The life of a sign-in, without a browser: tokens, a refresh, the old refresh
// token again after its leeway.
func ExampleIssuer_SignIn() {
	issuer := jwtbearertest.NewIssuer(t)
	first := issuer.SignIn(nil)
	second, err := issuer.Refresh(first.RefreshToken)
	fmt.Println(first.ExpiresIn, second.SessionID == first.SessionID, err)

	issuer.SetClockOffset(31 * time.Second)
	_, err = issuer.Refresh(first.RefreshToken)
	fmt.Println(err)
	_, err = issuer.Refresh(second.RefreshToken)
	fmt.Println(err)
	// Output:
	// 1m0s true <nil>
	// jwtbearertest: invalid_grant: The refresh token was used before.
	// jwtbearertest: invalid_grant: The refresh token was revoked.
}

// An issuer for a program.
func ExampleStart() {
	issuer, err := jwtbearertest.Start(&jwtbearertest.Options{
		Lifetimes: jwtbearertest.Lifetimes{AccessToken: time.Minute},
		Clients: []*jwtbearertest.Client{{
			ID:           "web",
			Secret:       "web-secret",
			RedirectURIs: []string{"http://127.0.0.1:8080/callback"},
			Scopes:       []string{"openid", "profile", "api1", "offline_access"},
		}},
		APIs:       []jwtbearertest.API{{Audience: "api1", Scopes: []string{"api1"}}},
		SignInPage: true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer issuer.Close()
	response, err := issuer.Client().Get(issuer.URL() + "/.well-known/openid-configuration")
	if err != nil {
		fmt.Println(err)
		return
	}
	response.Body.Close()
	fmt.Println(response.Status)
	// Output: 200 OK
}
