// Package jwtbearertest is a fake OAuth 2.0 authorization server and OpenID
// Provider, for tests of protected APIs and of their clients, and for
// demonstrations.
//
// In a unit test it is one line, a verifier of its tokens another, and every token
// one more:
//
//	package orders
//
//	import (
//		"fmt"
//		"net/http"
//		"net/http/httptest"
//		"testing"
//
//		"github.com/bearerguard/bearerguard/jwtbearer"
//		"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
//	)
//
//	func listOrders(w http.ResponseWriter, r *http.Request) {
//		fmt.Fprintf(w, "the orders of %s\n", jwtbearer.TokenFrom(r.Context()).Subject())
//	}
//
//	func TestListOrders(t *testing.T) {
//		issuer := jwtbearertest.NewIssuer(t)
//		api := issuer.Verifier(t, nil).Require("api1")(http.HandlerFunc(listOrders))
//		request := httptest.NewRequest("GET", "/orders", nil)
//		request.Header.Set("Authorization", "Bearer "+issuer.Token("api1", jwtbearertest.Subject("alice")))
//		response := httptest.NewRecorder()
//		if api.ServeHTTP(response, request); response.Body.String() != "the orders of alice\n" {
//			t.Errorf("got %d %q, want the orders of alice", response.Code, response.Body)
//		}
//	}
//
// # What it does
//
// An issuer of [NewIssuer] lives in the test's process, at https://issuer.test, and
// is reached through [Issuer.Client] without sockets; it works inside a
// testing/synctest bubble, whose time is then its time. One of [Start] listens on
// loopback, for programs. Both are the same otherwise:
//
//   - [Issuer.Token] mints access tokens with any header and claim, also such as no
//     issuer may mint: see [TokenOption]. [Issuer.IDToken], [Issuer.LogoutToken]
//     and [Issuer.OpaqueToken] mint the other kinds.
//   - Keys rotate as real ones do, and as they should not: [Issuer.Rotate],
//     [Issuer.RotateHard], [Issuer.RotateKeepingIDs], [Issuer.AddKeys] and others.
//   - [Issuer.SetFault] makes an endpoint fail, hang or answer nonsense;
//     [Issuer.SetHeader], [Issuer.SetMetadata] and [Issuer.SetClockOffset] change
//     what it says; [Issuer.Requests] counts.
//   - It is an OAuth 2.0 server in miniature: authorization code with PKCE, client
//     credentials, refresh tokens with rotation and reuse detection, token exchange,
//     the legacy password grant and your own (Options.Grants); revocation,
//     introspection, UserInfo, sign-out with back-channel logout. [Issuer.SignIn],
//     [Issuer.Refresh] and [Issuer.EndSession] do without HTTP what the endpoints
//     do with it.
//
// An access token lives 60 seconds unless [Lifetimes] say otherwise. The default
// client is [DefaultClientID] with [DefaultClientSecret], the default user alice,
// the default API api1.
//
// # What it is not
//
// It is a fake. Everything is in memory, nothing is kept, it signs in whoever asks
// without a password, and its keys may be used again by a later issuer of the same
// process. While it runs it forgets no refresh token, no opaque token and no session
// that nobody ended, so that it grows under load. [Start] refuses to listen where
// other machines could reach it. Nothing of it belongs into a production program, and
// no package that does imports it.
package jwtbearertest
