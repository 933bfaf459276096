package interop_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

const (
	audience    = "api1"
	redirectURI = "http://127.0.0.1:9/callback" // never called: nothing listens there
)

// start starts an issuer on loopback that signs by alg, "" for its default.
func start(t *testing.T, alg string) *jwtbearertest.Issuer {
	t.Helper()
	options := &jwtbearertest.Options{}
	if alg != "" {
		options.Algorithms = []string{alg}
	}
	issuer, err := jwtbearertest.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(issuer.Close)
	return issuer
}

// visit opens a page as a browser would, and returns the address that the last
// redirect leads to, at the client.
func visit(t *testing.T, address string) *url.URL {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{
		Jar:     jar,
		Timeout: 10 * time.Second,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), redirectURI) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	response, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	location, err := response.Location()
	if err != nil {
		t.Fatalf("got %s without a redirect to the client", response.Status)
	}
	return location
}

// checkAccepted holds that an API protected by this library takes the token.
func checkAccepted(t *testing.T, issuer *jwtbearertest.Issuer, token string) *jwtbearer.Token {
	t.Helper()
	verifier, err := jwtbearer.New(issuer.URL(), &jwtbearer.Options{InsecureAllowHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	policy, err := verifier.Policy(audience)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	checked, err := policy.Verify(ctx, token)
	if err != nil {
		t.Fatalf("the access token is refused: %v", err)
	}
	return checked
}
