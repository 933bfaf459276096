package jwtbearertest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// receiver is a client that takes logout tokens.
type receiver struct {
	mu     sync.Mutex
	tokens []string
	status int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if req.Method == "POST" && req.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		r.tokens = append(r.tokens, req.PostFormValue("logout_token"))
	}
	if r.status != 0 {
		w.WriteHeader(r.status)
	}
}

// ended returns the session ids that the receiver was told of.
func (r *receiver) ended(t *testing.T) []string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for _, token := range r.tokens {
		ids = append(ids, claims(t, token)["sid"].(string))
	}
	r.tokens = nil
	return ids
}

// withReceiver is an issuer whose first client is told of logouts.
func withReceiver(change func(*jwtbearertest.Options)) (*jwtbearertest.Options, *receiver) {
	r := new(receiver)
	options := &jwtbearertest.Options{
		HTTPClient: jwtbearertest.HandlerClient(r),
		Clients: []*jwtbearertest.Client{
			{ID: "client", Secret: "secret", RedirectURIs: []string{callback}, BackChannelLogoutURI: "https://app.test/logout", PostLogoutRedirectURIs: []string{"https://app.test/bye"}, Grants: []string{"authorization_code", "refresh_token", "password", "client_credentials"}},
			{ID: "silent", Secret: "secret", RedirectURIs: []string{callback}},
		},
	}
	if change != nil {
		change(options)
	}
	return options, r
}

func TestFI09SessionInTokens(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{SessionClaim: "session_id"})
	tokens := issuer.SignIn(nil)
	if got := claims(t, tokens.AccessToken)["session_id"]; got != tokens.SessionID {
		t.Errorf("got session_id %v in the access token, want %q", got, tokens.SessionID)
	}
	if got := claims(t, tokens.IDToken)["sid"]; got != tokens.SessionID {
		t.Errorf("got sid %v in the ID token, want %q", got, tokens.SessionID)
	}
	issuer.EndSession(tokens.SessionID)
	if _, active := issuer.Introspect(tokens.AccessToken); active {
		t.Error("active after the end of its session")
	}
}

func TestFI09ListAndEndSessions(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		first := issuer.SignIn(nil)
		time.Sleep(time.Minute)
		second := issuer.SignIn(&jwtbearertest.SignIn{Device: "mobile"})
		bob := issuer.SignIn(&jwtbearertest.SignIn{Subject: "bob"})
		list := issuer.Sessions("alice")
		if len(list) != 2 || list[0].ID != first.SessionID || list[1].ID != second.SessionID || list[1].Device != "mobile" ||
			!list[1].SignedInAt.Equal(time.Now()) || list[1].Subject != "alice" || !slices.Equal(list[0].Clients, []string{"client"}) {
			t.Errorf("got %+v", list)
		}
		if got := len(issuer.Sessions("")); got != 3 {
			t.Errorf("got %d sessions in all, want 3", got)
		}
		if err := issuer.EndSession(first.SessionID); err != nil {
			t.Error(err)
		}
		if err := issuer.EndSession(first.SessionID); err == nil {
			t.Error("ended twice: want an error")
		}
		refused(t, issuer, "a refresh token of the ended session", first.RefreshToken)
		refreshed(t, issuer, second.RefreshToken)
		refreshed(t, issuer, bob.RefreshToken)
		if issuer.HasSession(first.SessionID) || !issuer.HasSession(second.SessionID) {
			t.Error("HasSession is wrong")
		}
	})
}

func TestFI09BackChannelLogout(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		options, receiver := withReceiver(nil)
		issuer := jwtbearertest.NewIssuer(t, options)
		tokens := issuer.SignIn(nil)
		if err := issuer.EndSession(tokens.SessionID); err != nil {
			t.Fatal(err)
		}
		if len(receiver.tokens) != 1 {
			t.Fatalf("got %d logout tokens, want 1", len(receiver.tokens))
		}
		token := receiver.tokens[0]
		h, c := header(t, token), claims(t, token)
		events, _ := c["events"].(map[string]any)
		if h["typ"] != "logout+jwt" || c["iss"] != issuer.URL() || c["aud"] != "client" || c["sid"] != tokens.SessionID || c["sub"] != "alice" || c["jti"] == nil ||
			c["iat"] != float64(time.Now().Unix()) || c["exp"] != float64(time.Now().Unix()+120) || c["nonce"] != nil || events["http://schemas.openid.net/event/backchannel-logout"] == nil {
			t.Errorf("got %v %v", h, c)
		}
		if !verifies(t, issuer, token) {
			t.Error("the signature is not good")
		}
		if _, active := issuer.Introspect(token); active {
			t.Error("a logout token is active as an access token")
		}

		issuer.EndSession(issuer.SignIn(&jwtbearertest.SignIn{ClientID: "silent"}).SessionID)
		if got := receiver.ended(t); len(got) != 1 {
			t.Errorf("a client without tokens of the session was told: %v", got)
		}
	})
}

func TestFI09BackChannelLogoutThatFails(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		options, receiver := withReceiver(nil)
		receiver.status = http.StatusBadRequest
		var log strings.Builder
		options.Logger = testLogger(&log)
		issuer := jwtbearertest.NewIssuer(t, options)
		tokens := issuer.SignIn(nil)
		if err := issuer.EndSession(tokens.SessionID); err == nil || !strings.Contains(err.Error(), "400") {
			t.Errorf("got error %v, want one that names the status", err)
		}
		if issuer.HasSession(tokens.SessionID) {
			t.Error("the session has not ended")
		}
		if !strings.Contains(log.String(), "level=WARN") || strings.Contains(log.String(), receiver.tokens[0]) {
			t.Errorf("got log %q, want a warning without the token", log.String())
		}

		options.HTTPClient = jwtbearertest.HandlerClient(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		issuer = jwtbearertest.NewIssuer(t, options)
		start := time.Now()
		if err := issuer.EndSession(issuer.SignIn(nil).SessionID); err == nil || time.Since(start) != 5*time.Second {
			t.Errorf("a client that hangs: got error %v after %v, want one after 5s", err, time.Since(start))
		}
	})
}

// A client that does not answer holds up neither Close nor what waits for it.
func TestFI09CloseEndsBackChannelLogout(t *testing.T) {
	visit := func(issuer *jwtbearertest.Issuer, path string) {
		if res, err := issuer.Client().Get(issuer.URL() + path); err == nil {
			res.Body.Close()
		}
	}
	for name, signOut := range map[string]func(t *testing.T, issuer *jwtbearertest.Issuer, tokens *jwtbearertest.Tokens){
		"method": func(t *testing.T, issuer *jwtbearertest.Issuer, tokens *jwtbearertest.Tokens) {
			if err := issuer.EndSession(tokens.SessionID); !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v, want context.Canceled", err)
			}
		},
		"endpoint": func(_ *testing.T, issuer *jwtbearertest.Issuer, tokens *jwtbearertest.Tokens) {
			visit(issuer, "/logout?id_token_hint="+tokens.IDToken)
		},
		"another sign-in": func(_ *testing.T, issuer *jwtbearertest.Issuer, _ *jwtbearertest.Tokens) {
			visit(issuer, "/authorize?"+authorizationRequest().Encode())
		},
	} {
		inBubble(t, name, func(t *testing.T) {
			options, _ := withReceiver(func(o *jwtbearertest.Options) { o.SignInPolicy = jwtbearertest.OneSignIn })
			told := false
			options.HTTPClient = jwtbearertest.HandlerClient(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				told = true
				<-r.Context().Done()
			}))
			issuer := jwtbearertest.NewIssuer(t, options)
			tokens := issuer.SignIn(nil)
			start := time.Now()
			over := make(chan struct{})
			go func() {
				defer close(over)
				signOut(t, issuer, tokens)
			}()
			synctest.Wait()
			issuer.Close()
			<-over
			if took := time.Since(start); took != 0 || !told {
				t.Errorf("got an end after %v, the client was told: %v; want one at once", took, told)
			}
		})
	}
}

func TestFI09EndSessionEndpoint(t *testing.T) {
	tests := []struct {
		name   string
		pairs  func(tokens *jwtbearertest.Tokens) []string
		cookie bool
		status int
		to     string
		ends   bool
	}{
		{"ID token", func(s *jwtbearertest.Tokens) []string { return []string{"id_token_hint", s.IDToken} }, false, 200, "", true},
		{"back to the client", func(s *jwtbearertest.Tokens) []string {
			return []string{"id_token_hint", s.IDToken, "post_logout_redirect_uri", "https://app.test/bye", "state", "x y"}
		}, false, 303, "https://app.test/bye?state=x+y", true},
		{"by the client's id", func(*jwtbearertest.Tokens) []string {
			return []string{"client_id", "client", "post_logout_redirect_uri", "https://app.test/bye"}
		}, true, 303, "https://app.test/bye", true},
		{"cookie", func(*jwtbearertest.Tokens) []string { return nil }, true, 200, "", true},
		{"neither", func(*jwtbearertest.Tokens) []string { return nil }, false, 200, "", false},
		{"no client", func(*jwtbearertest.Tokens) []string {
			return []string{"post_logout_redirect_uri", "https://app.test/bye"}
		}, true, 400, "", false},
		{"unregistered", func(s *jwtbearertest.Tokens) []string {
			return []string{"id_token_hint", s.IDToken, "post_logout_redirect_uri", "https://app.test/"}
		}, false, 400, "", false},
		{"of another client", func(s *jwtbearertest.Tokens) []string {
			return []string{"id_token_hint", s.IDToken, "client_id", "silent"}
		}, false, 400, "", false},
		{"forged", func(s *jwtbearertest.Tokens) []string {
			return []string{"id_token_hint", s.IDToken[:len(s.IDToken)-8] + "AAAAAAAA"}
		}, false, 400, "", false},
	}
	for _, test := range tests {
		inBubble(t, test.name, func(t *testing.T) {
			options, receiver := withReceiver(nil)
			issuer := jwtbearertest.NewIssuer(t, options)
			client := browser(t, issuer)
			_, location := authorize(t, issuer, client, authorizationRequest())
			a := token(t, issuer, codeGrant(location.Query().Get("code")))
			tokens := &jwtbearertest.Tokens{IDToken: a.text("id_token"), RefreshToken: a.text("refresh_token"), SessionID: claims(t, a.text("id_token"))["sid"].(string)}
			if !test.cookie {
				client.Jar = nil
			}
			// An ID token is good here after it has expired as well.
			time.Sleep(time.Hour)
			res, err := client.Get(issuer.URL() + "/logout?" + form(test.pairs(tokens)...).Encode())
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode != test.status || res.Header.Get("Location") != test.to {
				t.Errorf("got %d to %q, want %d to %q", res.StatusCode, res.Header.Get("Location"), test.status, test.to)
			}
			if got := !issuer.HasSession(tokens.SessionID); got != test.ends {
				t.Errorf("the session has ended: %v, want %v", got, test.ends)
			}
			if got := len(receiver.ended(t)); got == 1 != test.ends {
				t.Errorf("got %d logout tokens", got)
			}
		})
	}
}

// The ID token of another session signs that one out, and nobody else.
func TestFI09EndSessionOfAnotherBrowser(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	client := browser(t, issuer)
	authorize(t, issuer, client, authorizationRequest())
	other := issuer.SignIn(&jwtbearertest.SignIn{Subject: "bob"})
	res, err := client.Get(issuer.URL() + "/logout?id_token_hint=" + other.IDToken)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if issuer.HasSession(other.SessionID) {
		t.Error("the session of the ID token is alive")
	}
	if _, location := authorize(t, issuer, client, authorizationRequest("prompt", "none")); location.Query().Get("code") == "" {
		t.Errorf("the session of the browser: got %v, want it alive with its cookie", location)
	}
	if res, err = client.Get(issuer.URL() + "/logout"); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if cookies := client.Jar.Cookies(res.Request.URL); len(cookies) != 0 || len(issuer.Sessions("")) != 0 {
		t.Errorf("after signing out: got cookies %v, sessions %v", cookies, issuer.Sessions(""))
	}
}

func TestSH11WhatEndsSessions(t *testing.T) {
	tests := []struct {
		name string
		end  func(t *testing.T, issuer *jwtbearertest.Issuer, tokens *jwtbearertest.Tokens)
	}{
		{"sign-out", func(t *testing.T, issuer *jwtbearertest.Issuer, tokens *jwtbearertest.Tokens) {
			get(t, issuer, issuer.URL()+"/logout?id_token_hint="+tokens.IDToken)
		}},
		{"revocation of the refresh token", func(t *testing.T, issuer *jwtbearertest.Issuer, tokens *jwtbearertest.Tokens) {
			post(t, issuer, "/revoke", form("token", tokens.RefreshToken))
		}},
		{"revocation of the access token", func(t *testing.T, issuer *jwtbearertest.Issuer, tokens *jwtbearertest.Tokens) {
			post(t, issuer, "/revoke", form("token", tokens.AccessToken))
		}},
		{"user deletion", func(t *testing.T, issuer *jwtbearertest.Issuer, tokens *jwtbearertest.Tokens) {
			issuer.DeleteUser("alice")
		}},
		{"all sessions of the user", func(t *testing.T, issuer *jwtbearertest.Issuer, tokens *jwtbearertest.Tokens) {
			issuer.EndSessions("alice")
		}},
		{"another sign-in", func(t *testing.T, issuer *jwtbearertest.Issuer, tokens *jwtbearertest.Tokens) {
			issuer.SignIn(nil)
		}},
		{"another sign-in by password", func(t *testing.T, issuer *jwtbearertest.Issuer, tokens *jwtbearertest.Tokens) {
			token(t, issuer, form("grant_type", "password", "username", "alice", "password", ""))
		}},
	}
	for _, test := range tests {
		inBubble(t, test.name, func(t *testing.T) {
			options, receiver := withReceiver(func(o *jwtbearertest.Options) {
				o.RevocationEndsSession = true
				o.SignInPolicy = jwtbearertest.OneSignIn
			})
			issuer := jwtbearertest.NewIssuer(t, options)
			tokens, bob := issuer.SignIn(nil), issuer.SignIn(&jwtbearertest.SignIn{Subject: "bob"})
			test.end(t, issuer, tokens)
			if issuer.HasSession(tokens.SessionID) {
				t.Error("the session is still alive")
			}
			if got := receiver.ended(t); !slices.Equal(got, []string{tokens.SessionID}) {
				t.Errorf("the client was told of %q, want %q", got, tokens.SessionID)
			}
			if _, active := issuer.Introspect(tokens.AccessToken); active {
				t.Error("the access token is still active")
			}
			refused(t, issuer, "the refresh token", tokens.RefreshToken)
			if _, active := issuer.Introspect(bob.AccessToken); !active {
				t.Error("the other user has noticed")
			}
			refreshed(t, issuer, bob.RefreshToken)
		})
	}
}

func TestSH11SignInPolicies(t *testing.T) {
	for policy, want := range map[jwtbearertest.SignInPolicy]string{
		jwtbearertest.ConcurrentSignIns:  "mobile desktop mobile",
		jwtbearertest.OneSignInPerDevice: "desktop mobile",
		jwtbearertest.OneSignIn:          "mobile",
	} {
		issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{SignInPolicy: policy})
		issuer.SignIn(&jwtbearertest.SignIn{Subject: "bob", Device: "mobile"})
		for _, device := range []string{"mobile", "desktop", "mobile"} {
			issuer.SignIn(&jwtbearertest.SignIn{Device: device})
		}
		var devices []string
		for _, session := range issuer.Sessions("alice") {
			devices = append(devices, session.Device)
		}
		if got := strings.Join(devices, " "); got != want {
			t.Errorf("policy %d: got %q, want %q", policy, got, want)
		}
		if len(issuer.Sessions("bob")) != 1 {
			t.Errorf("policy %d: another user was signed out", policy)
		}
	}
}

func TestDeviceComesFromTheRequest(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	signIn := func(pairs []string, edit func(*http.Request)) string {
		t.Helper()
		a := post(t, issuer, "/token", form(append(pairs, "grant_type", "password", "username", "alice", "password", "")...), edit)
		for _, session := range issuer.Sessions("") {
			if session.ID == claims(t, a.text("access_token"))["sid"] {
				return session.Device
			}
		}
		return "none"
	}
	for _, test := range []struct {
		want  string
		pairs []string
		edit  func(*http.Request)
	}{
		{"desktop", nil, func(*http.Request) {}},
		{"watch", []string{"device", "watch"}, func(*http.Request) {}},
		{"mobile", nil, func(r *http.Request) { r.Header.Set("User-Agent", "X (Mobile)") }},
		{"mobile", nil, func(r *http.Request) { r.Header.Set("Sec-CH-UA-Mobile", "?1") }},
	} {
		if got := signIn(test.pairs, test.edit); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestSH12RefreshOfAnEndedSession(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	tokens := issuer.SignIn(nil)
	if err := issuer.EndSession(tokens.SessionID); err != nil {
		t.Fatal(err)
	}
	a := post(t, issuer, "/token", form("grant_type", "refresh_token", "refresh_token", tokens.RefreshToken))
	if a.failure() != "Bad Request invalid_grant" || a.text("error_description") != "The session has ended." {
		t.Errorf("got %d %v", a.status, a.body)
	}
}

func TestDeletedUserCannotReturn(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	code := codeFor(t, issuer)
	minted := issuer.Token("api1")
	if err := issuer.DeleteUser("alice"); err != nil {
		t.Fatal(err)
	}
	if got := post(t, issuer, "/token", codeGrant(code)).failure(); got != "Bad Request invalid_grant" {
		t.Errorf("a code from before: got %q", got)
	}
	if got := post(t, issuer, "/token", form("grant_type", "password", "username", "alice", "password", "")).failure(); got != "Bad Request invalid_grant" {
		t.Errorf("the password grant: got %q", got)
	}
	if _, active := issuer.Introspect(minted); active {
		t.Error("a token from before is active")
	}
	_, location := authorize(t, issuer, browser(t, issuer), authorizationRequest())
	if got := location.Query().Get("error"); got != "access_denied" {
		t.Errorf("signing in: got %q", got)
	}
}

func TestSignInPanicsOnMistakes(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	for _, who := range []*jwtbearertest.SignIn{{Subject: "eve"}, {ClientID: "nobody"}} {
		func() {
			defer func() {
				if p, _ := recover().(string); !strings.HasPrefix(p, "jwtbearertest: SignIn: there is no ") {
					t.Errorf("%+v: got panic %q", who, p)
				}
			}()
			issuer.SignIn(who)
		}()
	}
	if got := len(issuer.Sessions("")); got != 0 {
		t.Errorf("got %d sessions, want none", got)
	}
}
