//go:build integration && unix

package session_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/integration"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// TestBackChannelLogoutOfOIDCProvider: a user signs in at a real authorization
// server and out again, and the server tells the API.
func TestBackChannelLogoutOfOIDCProvider(t *testing.T) {
	for name, perSession := range map[string]bool{"session": true, "subject": false} {
		t.Run(name, func(t *testing.T) {
			const resource, back = "https://api.example.com/", "https://web.example.com/back"
			mux := http.NewServeMux()
			server := httptest.NewServer(mux)
			defer server.Close()
			provider := integration.Start(t, integration.Config{
				Clients: []integration.Client{{
					"client_id": "web", "client_secret": "a-secret-of-the-web-client", "grant_types": []string{"authorization_code", "refresh_token"},
					"redirect_uris": []string{back}, "response_types": []string{"code"},
					"backchannel_logout_uri": server.URL + "/backchannel-logout", "backchannel_logout_session_required": perSession,
				}},
				Resources:       map[string]integration.Resource{resource: {Audience: "api1", Scope: "orders.read", AccessTokenTTL: 600}},
				DefaultResource: resource,
			})

			store := session.NewMemory(nil)
			checker := newChecker(t, store, &session.Options{AdoptUnknown: true, Missing: session.SkipMissing})
			revocations := newRevocations(t, session.NewMemoryRevocations(0), nil)
			verifier, err := jwtbearer.New(provider.Issuer, &jwtbearer.Options{
				InsecureAllowHTTP: true, Checkers: []jwtbearer.Checker{checker, revocations}, Logger: quiet,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer verifier.Close()
			told := make(chan session.LogoutEvent, 4)
			logout, err := session.NewLogoutHandler(verifier, "web", &session.LogoutOptions{
				Sessions: store, Revocations: revocations, RequireType: true,
				Ended: func(_ context.Context, e session.LogoutEvent) { told <- e },
			})
			if err != nil {
				t.Fatal(err)
			}
			mux.Handle("/backchannel-logout", logout)
			mux.Handle("/orders", verifier.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))

			alice, bob := signIn(t, provider, back, "alice"), signIn(t, provider, back, "bob")
			ask := func(b *browser, want int) {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/orders", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+b.accessToken)
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode != want {
					t.Errorf("%s: got %d, %q, want %d", b.user, res.StatusCode, res.Header.Get("WWW-Authenticate"), want)
				}
			}
			ask(alice, http.StatusOK)
			ask(bob, http.StatusOK)
			alice.signOut(t)
			select {
			case e := <-told:
				if e.Subject != "alice" || (e.SessionID != "") != perSession {
					t.Errorf("got %+v", e)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the server sent no logout token that was taken")
			}
			ask(alice, http.StatusUnauthorized)
			ask(bob, http.StatusOK)
		})
	}
}

// browser is a user's browser with the cookies of the authorization server, and
// the tokens that the client got.
type browser struct {
	user, issuer         string
	client               *http.Client
	accessToken, idToken string
}

// signIn runs the authorization code flow with PKCE.
func signIn(t *testing.T, provider *integration.Provider, back, user string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{user: user, issuer: provider.Issuer, client: &http.Client{
		Jar: jar, Timeout: 10 * time.Second,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), back) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}}
	proof := rand.Text() + rand.Text()
	digest := sha256.Sum256([]byte(proof))
	res := b.get(t, provider.Issuer+"/auth?"+url.Values{
		"client_id": {"web"}, "response_type": {"code"}, "redirect_uri": {back}, "scope": {"openid orders.read"}, "login_hint": {user},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"},
	}.Encode())
	location, err := res.Location()
	if err != nil || location.Query().Get("code") == "" {
		t.Fatalf("the sign-in ended at %s %v, error %v", res.Status, location, err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, provider.Issuer+"/token", strings.NewReader(url.Values{
		"grant_type": {"authorization_code"}, "code": {location.Query().Get("code")}, "redirect_uri": {back}, "code_verifier": {proof},
	}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("web", "a-secret-of-the-web-client")
	answer, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var tokens struct {
		AccessToken string `json:"access_token"`
		IDToken     string `json:"id_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil || tokens.AccessToken == "" || tokens.IDToken == "" {
		t.Fatalf("the token endpoint answered %s, error %v", answer.Status, err)
	}
	b.accessToken, b.idToken = tokens.AccessToken, tokens.IDToken
	return b
}

// get returns the answer to a GET, its body read into nothing.
func (b *browser) get(t *testing.T, address string) *http.Response {
	t.Helper()
	res, err := b.client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res
}

var (
	formAction = regexp.MustCompile(`action="([^"]+)"`)
	formSecret = regexp.MustCompile(`name="xsrf" value="([^"]+)"`)
)

// signOut presses the button of the page that asks.
func (b *browser) signOut(t *testing.T) {
	t.Helper()
	res, err := b.client.Get(b.issuer + "/session/end?" + url.Values{"id_token_hint": {b.idToken}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	res.Body.Close()
	action, secret := formAction.FindSubmatch(page), formSecret.FindSubmatch(page)
	if err != nil || action == nil || secret == nil {
		t.Fatalf("the page that asks cannot be read: %s, error %v\n%s", res.Status, err, page)
	}
	res, err = b.client.PostForm(string(action[1]), url.Values{"xsrf": {string(secret[1])}, "logout": {"yes"}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("signing out: got %s", res.Status)
	}
}
