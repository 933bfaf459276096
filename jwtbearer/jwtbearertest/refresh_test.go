package jwtbearertest_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

const (
	day    = 24 * time.Hour
	moment = time.Nanosecond
)

// withClient is an issuer whose only client is as change makes it.
func withClient(change func(*jwtbearertest.Client)) *jwtbearertest.Options {
	client := &jwtbearertest.Client{ID: "client", Secret: "secret", InsecureAnyRedirectURI: true}
	change(client)
	return &jwtbearertest.Options{Clients: []*jwtbearertest.Client{client}}
}

// refreshed uses a refresh token and wants success.
func refreshed(t *testing.T, issuer *jwtbearertest.Issuer, value string) *jwtbearertest.Tokens {
	t.Helper()
	tokens, err := issuer.Refresh(value)
	if err != nil {
		t.Fatalf("refreshing: %v", err)
	}
	return tokens
}

// refused uses a refresh token and wants invalid_grant.
func refused(t *testing.T, issuer *jwtbearertest.Issuer, what, value string) {
	t.Helper()
	_, err := issuer.Refresh(value)
	var e *jwtbearertest.Error
	if !errors.As(err, &e) || e.Code != "invalid_grant" {
		t.Errorf("%s: got error %v, want invalid_grant", what, err)
	}
}

func TestFI05RefreshRotates(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		first := token(t, issuer, codeGrant(codeFor(t, issuer)))
		time.Sleep(time.Hour)
		a := token(t, issuer, form("grant_type", "refresh_token", "refresh_token", first.text("refresh_token")))
		if a.text("refresh_token") == "" || a.text("refresh_token") == first.text("refresh_token") {
			t.Error("no new refresh token")
		}
		before, after := claims(t, first.text("access_token")), claims(t, a.text("access_token"))
		if after["exp"] != before["exp"].(float64)+3600 || after["jti"] == before["jti"] || after["sid"] != before["sid"] || after["auth_time"] != before["auth_time"] || after["scope"] != before["scope"] || after["aud"] != before["aud"] {
			t.Errorf("got %v after %v", after, before)
		}
		id := claims(t, a.text("id_token"))
		if id["nonce"] != nil || id["sub"] != "alice" || id["sid"] != before["sid"] || id["iat"] != float64(time.Now().Unix()) {
			t.Errorf("got ID token %v", id)
		}
	})
}

func TestFI05RefreshReuseWithinLeeway(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		first := issuer.SignIn(nil)
		second := refreshed(t, issuer, first.RefreshToken)
		time.Sleep(30 * time.Second)
		third := refreshed(t, issuer, first.RefreshToken)
		if third.RefreshToken == second.RefreshToken || third.RefreshToken == first.RefreshToken {
			t.Error("each use within the leeway must give a refresh token of its own")
		}
		refreshed(t, issuer, second.RefreshToken)
		refreshed(t, issuer, third.RefreshToken)
	})
}

func TestFI05RefreshReuseAfterLeewayKillsChain(t *testing.T) {
	for _, leeway := range []time.Duration{0, time.Minute, jwtbearertest.NoReuseLeeway} {
		inBubble(t, leeway.String(), func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t, withClient(func(c *jwtbearertest.Client) { c.ReuseLeeway = leeway }))
			first := issuer.SignIn(nil)
			other := issuer.SignIn(nil)
			second := refreshed(t, issuer, first.RefreshToken)
			switch leeway {
			case 0:
				time.Sleep(30*time.Second + moment)
			case time.Minute:
				time.Sleep(time.Minute)
				refreshed(t, issuer, first.RefreshToken)
				time.Sleep(moment)
			}
			if _, active := issuer.Introspect(second.AccessToken); leeway < 0 && !active {
				t.Error("the chain is dead too early")
			}
			refused(t, issuer, "the old token", first.RefreshToken)
			refused(t, issuer, "the new token of the dead chain", second.RefreshToken)
			if _, active := issuer.Introspect(second.AccessToken); active {
				t.Error("an access token of the dead chain is active")
			}
			refreshed(t, issuer, other.RefreshToken)
		})
	}
}

// Whatever else is wrong with a request that uses a token again, the chain is dead.
func TestFI05ReplayKillsChainWhateverElseIsWrong(t *testing.T) {
	for _, test := range []struct {
		name  string
		later time.Duration // from the first use to the replay
		pairs []string
	}{
		{"nothing else", time.Minute, nil},
		{"expired since", 11 * time.Minute, nil},
		{"a scope that was not granted", time.Minute, []string{"scope", "orders"}},
		{"an unknown scope", time.Minute, []string{"scope", "x"}},
		{"an unknown resource", time.Minute, []string{"resource", "x"}},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			options := withClient(func(c *jwtbearertest.Client) { c.Lifetimes.RefreshToken = time.Hour })
			options.APIs = []jwtbearertest.API{{Audience: "orders", Scopes: []string{"orders"}}}
			issuer := jwtbearertest.NewIssuer(t, options)
			first := issuer.SignIn(nil)
			time.Sleep(50 * time.Minute)
			second := refreshed(t, issuer, first.RefreshToken)
			time.Sleep(test.later)
			a := post(t, issuer, "/token", form(append(test.pairs, "grant_type", "refresh_token", "refresh_token", first.RefreshToken)...))
			if a.failure() != "Bad Request invalid_grant" || a.text("error_description") != "The refresh token was used before." {
				t.Errorf("the replay: got %d %v", a.status, a.body)
			}
			refused(t, issuer, "the new token of the dead chain", second.RefreshToken)
		})
	}
}

func TestFI05ConcurrentRefreshes(t *testing.T) {
	for name, want := range map[string]int{"leeway": 20, "no leeway": 1} {
		inBubble(t, name, func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t, withClient(func(c *jwtbearertest.Client) {
				if name == "no leeway" {
					c.ReuseLeeway = jwtbearertest.NoReuseLeeway
				}
			}))
			value := issuer.SignIn(nil).RefreshToken
			var mu sync.Mutex
			var wg sync.WaitGroup
			good := 0
			for range 20 {
				wg.Go(func() {
					a := post(t, issuer, "/token", form("grant_type", "refresh_token", "refresh_token", value))
					mu.Lock()
					defer mu.Unlock()
					if a.status == 200 {
						good++
					}
				})
			}
			wg.Wait()
			if good != want {
				t.Errorf("got %d successes of 20, want %d", good, want)
			}
		})
	}
}

func TestFI06ReusableRefreshToken(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t, withClient(func(c *jwtbearertest.Client) { c.RefreshUsage = jwtbearertest.ReusableRefresh }))
		first := issuer.SignIn(nil)
		for range 3 {
			time.Sleep(time.Hour)
			if again := refreshed(t, issuer, first.RefreshToken); again.RefreshToken != first.RefreshToken {
				t.Error("the refresh token changed")
			}
		}
	})
}

func TestFI06SlidingExpiryUpToTheAbsoluteCap(t *testing.T) {
	for _, usage := range []jwtbearertest.RefreshUsage{jwtbearertest.OneTimeRefresh, jwtbearertest.ReusableRefresh} {
		inBubble(t, map[jwtbearertest.RefreshUsage]string{0: "one time", 1: "reusable"}[usage], func(t *testing.T) {
			options := withClient(func(c *jwtbearertest.Client) { c.RefreshUsage = usage })
			issuer := jwtbearertest.NewIssuer(t, options)
			idle := issuer.SignIn(nil).RefreshToken
			lastMoment := issuer.SignIn(nil).RefreshToken
			value := issuer.SignIn(nil).RefreshToken
			time.Sleep(10 * day)
			value = refreshed(t, issuer, value).RefreshToken
			time.Sleep(4*day - moment)
			refreshed(t, issuer, lastMoment)
			time.Sleep(moment)
			refused(t, issuer, "14 days unused", idle)
			value = refreshed(t, issuer, value).RefreshToken
			time.Sleep(14*day - moment)
			value = refreshed(t, issuer, value).RefreshToken
			time.Sleep(2 * day)
			value = refreshed(t, issuer, value).RefreshToken // 30 days less a moment
			time.Sleep(moment)
			refused(t, issuer, "30 days after the sign-in", value)
		})
	}
}

func TestFI06AbsoluteExpiryIgnoresUse(t *testing.T) {
	for _, usage := range []jwtbearertest.RefreshUsage{jwtbearertest.OneTimeRefresh, jwtbearertest.ReusableRefresh} {
		inBubble(t, map[jwtbearertest.RefreshUsage]string{0: "one time", 1: "reusable"}[usage], func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t, withClient(func(c *jwtbearertest.Client) {
				c.RefreshUsage, c.RefreshExpiry = usage, jwtbearertest.AbsoluteExpiry
			}))
			idle := issuer.SignIn(nil).RefreshToken
			used := issuer.SignIn(nil).RefreshToken
			for range 3 {
				time.Sleep(9 * day)
				used = refreshed(t, issuer, used).RefreshToken
			}
			time.Sleep(3*day - moment)
			refreshed(t, issuer, idle)
			used = refreshed(t, issuer, used).RefreshToken
			time.Sleep(moment)
			refused(t, issuer, "30 days after the sign-in", used)
		})
	}
}

func TestFI07NoRefreshTokenWithoutOfflineAccess(t *testing.T) {
	tests := []struct {
		name   string
		client func(*jwtbearertest.Client)
		scope  string
		want   bool
	}{
		{"asked and allowed", func(*jwtbearertest.Client) {}, "openid offline_access", true},
		{"not asked", func(*jwtbearertest.Client) {}, "openid", false},
		{"listed", func(c *jwtbearertest.Client) { c.Scopes = []string{"openid", "offline_access"} }, "openid offline_access", true},
		{"not listed", func(c *jwtbearertest.Client) { c.Scopes = []string{"openid"} }, "openid offline_access", false},
		{"no refresh grant", func(c *jwtbearertest.Client) { c.Grants = []string{"authorization_code"} }, "openid offline_access", false},
	}
	for _, test := range tests {
		issuer := jwtbearertest.NewIssuer(t, withClient(test.client))
		a := token(t, issuer, codeGrant(codeFor(t, issuer, "scope", test.scope)))
		if _, got := a.body["refresh_token"]; got != test.want {
			t.Errorf("%s: got a refresh token: %v, want %v", test.name, got, test.want)
		}
		granted := claims(t, a.text("access_token"))["scope"]
		if want := map[bool]string{true: "openid offline_access", false: "openid"}[test.want]; granted != want {
			t.Errorf("%s: got scope %q, want %q", test.name, granted, want)
		}
	}
}

func TestRefreshRefusals(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{Clients: []*jwtbearertest.Client{
		{ID: "client", Secret: "secret"}, {ID: "other", Secret: "secret"},
	}})
	tokens := issuer.SignIn(&jwtbearertest.SignIn{Scopes: []string{"openid", "a", "b", "offline_access"}})
	grant := func(pairs ...string) string {
		return post(t, issuer, "/token", form(append(pairs, "grant_type", "refresh_token")...)).failure()
	}
	for _, test := range []struct {
		name, want string
		pairs      []string
	}{
		{"none", "Bad Request invalid_request", nil},
		{"unknown", "Bad Request invalid_grant", []string{"refresh_token", "x"}},
		{"unknown with scope", "Bad Request invalid_grant", []string{"refresh_token", "x", "scope", "a"}},
		{"another client with scope", "Bad Request invalid_grant", []string{"refresh_token", tokens.RefreshToken, "scope", "c", "client_id", "other", "client_secret", "secret"}},
		{"an access token", "Bad Request invalid_grant", []string{"refresh_token", tokens.AccessToken}},
		{"another client", "Bad Request invalid_grant", []string{"refresh_token", tokens.RefreshToken, "client_id", "other", "client_secret", "secret"}},
		{"more scopes", "Bad Request invalid_scope", []string{"refresh_token", tokens.RefreshToken, "scope", "a c"}},
		{"fewer scopes", "OK ", []string{"refresh_token", tokens.RefreshToken, "scope", "a"}},
	} {
		if got := grant(test.pairs...); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestFewerScopesAreForOneAccessToken(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	first := issuer.SignIn(&jwtbearertest.SignIn{Scopes: []string{"a", "b", "offline_access"}})
	narrow := token(t, issuer, form("grant_type", "refresh_token", "refresh_token", first.RefreshToken, "scope", "a"))
	if got := claims(t, narrow.text("access_token"))["scope"]; got != "a" {
		t.Errorf("got scope %q", got)
	}
	wide := refreshed(t, issuer, narrow.text("refresh_token"))
	if got := claims(t, wide.AccessToken)["scope"]; got != "a b offline_access" {
		t.Errorf("the next refresh: got scope %q, want all that was granted at the sign-in", got)
	}
}

func TestFI08Revocation(t *testing.T) {
	revoke := func(t *testing.T, issuer *jwtbearertest.Issuer, pairs ...string) string {
		t.Helper()
		a := post(t, issuer, "/revoke", form(pairs...))
		if a.status == 200 && a.body != nil {
			t.Errorf("got body %v, want none", a.body)
		}
		return a.failure()
	}
	t.Run("endpoint", func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{Clients: []*jwtbearertest.Client{
			{ID: "client", Secret: "secret"}, {ID: "other", Secret: "secret"}, {ID: "public", RedirectURIs: []string{callback}},
		}})
		tokens := issuer.SignIn(nil)
		for _, test := range []struct {
			name, want string
			pairs      []string
		}{
			{"unknown", "OK ", []string{"token", "x"}},
			{"unknown with hint", "OK ", []string{"token", "x", "token_type_hint", "y"}},
			{"none", "Bad Request invalid_request", nil},
			{"no client", "Unauthorized invalid_client", []string{"token", "x", "client_id", "nobody"}},
			{"public client", "OK ", []string{"token", "x", "client_id", "public"}},
			{"of another client", "Bad Request invalid_grant", []string{"token", tokens.RefreshToken, "client_id", "other", "client_secret", "secret"}},
			{"access token of another client", "Bad Request invalid_grant", []string{"token", tokens.AccessToken, "client_id", "public"}},
		} {
			if got := revoke(t, issuer, test.pairs...); got != test.want {
				t.Errorf("%s: got %q, want %q", test.name, got, test.want)
			}
		}
		if _, active := issuer.Introspect(tokens.AccessToken); !active {
			t.Error("another client has revoked the access token")
		}
		tokens = refreshed(t, issuer, tokens.RefreshToken)
		revoke(t, issuer, "token", tokens.RefreshToken)
		refused(t, issuer, "revoked", tokens.RefreshToken)
	})
	for name, single := range map[string]bool{"chain": false, "one token": true} {
		t.Run(name, func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t, withClient(func(c *jwtbearertest.Client) { c.RevokeOneToken = single }))
			first, other := issuer.SignIn(nil), issuer.SignIn(nil)
			second := refreshed(t, issuer, first.RefreshToken)
			third := refreshed(t, issuer, first.RefreshToken)
			revoke(t, issuer, "token", second.RefreshToken)
			refused(t, issuer, "the revoked token", second.RefreshToken)
			_, active := issuer.Introspect(second.AccessToken)
			if active != single {
				t.Errorf("the access token beside it: active is %v, want %v", active, single)
			}
			if single {
				refreshed(t, issuer, third.RefreshToken)
			} else {
				refused(t, issuer, "another token of the chain", third.RefreshToken)
			}
			refreshed(t, issuer, other.RefreshToken)
			if !issuer.HasSession(first.SessionID) {
				t.Error("the session has ended with the token")
			}
		})
	}
	t.Run("access token", func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t, withClient(func(c *jwtbearertest.Client) { c.RevokeOneToken = true }))
		tokens, minted := issuer.SignIn(nil), issuer.Token("api1")
		for _, access := range []string{tokens.AccessToken, minted} {
			if _, active := issuer.Introspect(access); !active {
				t.Error("not active before")
			}
			revoke(t, issuer, "token", access)
			if _, active := issuer.Introspect(access); active {
				t.Error("active after it was revoked")
			}
		}
		refreshed(t, issuer, tokens.RefreshToken)

		anonymous, other := issuer.Token("api1", jwtbearertest.WithoutClaim("jti")), issuer.Token("api1", jwtbearertest.WithoutClaim("jti"), jwtbearertest.Subject("bob"))
		revoke(t, issuer, "token", anonymous)
		if _, active := issuer.Introspect(anonymous); active {
			t.Error("a token without jti is active after it was revoked")
		}
		if _, active := issuer.Introspect(other); !active {
			t.Error("another token without jti was revoked with it")
		}
	})
	t.Run("methods", func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		tokens := issuer.SignIn(nil)
		if issuer.RevokeToken("x") || !issuer.RevokeToken(tokens.AccessToken) {
			t.Error("RevokeToken must tell its own tokens from others")
		}
		tokens = refreshed(t, issuer, tokens.RefreshToken)
		if !issuer.RevokeChain(tokens.AccessToken) {
			t.Error("RevokeChain does not know its own token")
		}
		refused(t, issuer, "a token of the revoked chain", tokens.RefreshToken)
	})
}

func TestFI04AccessTokenLifetime(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		tokens := issuer.SignIn(nil)
		for _, access := range []string{issuer.Token("api1"), tokens.AccessToken} {
			c := claims(t, access)
			if life := c["exp"].(float64) - c["iat"].(float64); life != 60 {
				t.Errorf("got a life of %v s, want 60", life)
			}
		}
		time.Sleep(time.Minute - moment)
		if _, active := issuer.Introspect(tokens.AccessToken); !active {
			t.Error("not active in the last moment of its life")
		}
		time.Sleep(moment)
		if _, active := issuer.Introspect(tokens.AccessToken); active {
			t.Error("active after its life")
		}
	})
}
