package jwtbearer_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func TestListOrders(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t) // an authority, in-process
	api := issuer.Verifier(t, nil).Require("api1")(http.HandlerFunc(listOrders))
	request := httptest.NewRequest("GET", "/orders", nil)
	request.Header.Set("Authorization", "Bearer "+issuer.Token("api1", jwtbearertest.Subject("alice")))
	response := httptest.NewRecorder()
	if api.ServeHTTP(response, request); response.Body.String() != "the orders of alice\n" {
		t.Errorf("got %d %q, want the orders of alice", response.Code, response.Body)
	}
}
