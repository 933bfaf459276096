package web_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/examples/webclient/web"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func TestWC8OnlyTokensChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(_ *jwtbearertest.Options, cfg *web.Config) { cfg.SessionLifetime = 10 * time.Minute })
		b := w.tab()
		b.signIn()
		began := time.Now()
		id := b.cookie("webclient_session")

		for time.Since(began) < 9*time.Minute {
			time.Sleep(time.Minute)
			b.wantCall("renewed on the way")
			for _, c := range b.set {
				t.Errorf("a renewal set the cookie %s", c.Name)
			}
			if got := b.cookie("webclient_session"); got != id {
				t.Fatalf("the session id changed from %q to %q", id, got)
			}
			b.wantSignedIn("Alice")
		}
		// However often it was renewed, the session ends when it was to end.
		time.Sleep(time.Until(began.Add(10*time.Minute - time.Second)))
		b.wantSignedIn("Alice")
		time.Sleep(time.Second)
		b.wantNobody()
		if status, a := b.press("/call", nil); status != 401 || a.SignIn != "/sign-in" {
			t.Errorf("got %d %+v, want the sign-in", status, a)
		}
	})
}

func TestWC8AnotherPersonsTokensAreRefused(t *testing.T) {
	for _, test := range []struct {
		name, subject string
		opts          []jwtbearertest.TokenOption
		ends          bool
	}{
		{"the same person", "alice", nil, false},
		{"another person", "bob", nil, true},
		// Not verified, hence not believed, and the old one stays.
		{"another person, forged", "bob", []jwtbearertest.TokenOption{jwtbearertest.ForgedSignature()}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				b := w.tab()
				b.signIn()
				sid := w.issuer.Sessions("")[0].ID
				body, _ := json.Marshal(map[string]any{
					"access_token":  w.issuer.Token("api1", jwtbearertest.Claim("sid", sid)),
					"token_type":    "Bearer",
					"expires_in":    60,
					"refresh_token": "next",
					"id_token":      w.issuer.IDToken("shop", append(test.opts, jwtbearertest.Subject(test.subject))...),
				})
				w.issuer.SetFault(jwtbearertest.EndpointToken, jwtbearertest.Respond(200, "application/json", string(body)))
				time.Sleep(time.Minute)
				status, a := b.press("/call", nil)
				if !test.ends {
					if status != 200 || !strings.Contains(a.Text, "renewed") {
						t.Errorf("got %d %q, want a renewal", status, a.Text)
					}
					b.wantSignedIn("Alice")
					return
				}
				if status != 401 || a.SignIn != "/sign-in" {
					t.Errorf("got %d %+v, want the sign-in", status, a)
				}
				b.wantNobody()
			})
		})
	}
}

func TestSessionIDIsRenewedAtSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := w.tab()
		u, _ := url.Parse(base)
		b.jar.SetCookies(u, []*http.Cookie{{Name: "webclient_session", Value: "planted", Path: "/"}})
		b.signIn()
		first := b.cookie("webclient_session")
		if first == "planted" || len(first) < 40 {
			t.Errorf("the session id after the sign-in is %q", first)
		}
		b.signIn()
		if b.cookie("webclient_session") == first {
			t.Error("a second sign-in kept the session id")
		}
		thief := w.tab()
		thief.jar.SetCookies(u, []*http.Cookie{{Name: "webclient_session", Value: first, Path: "/"}})
		thief.wantNobody()
	})
}

// A visit that somebody planted is worthless to them once a person signs in.
func TestVisitIsMovedAtSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		planter, b := w.tab(), w.tab()
		planter.get("/")
		planted := planter.cookie("webclient_visit")
		req, _ := http.NewRequestWithContext(t.Context(), "GET", base+"/events", nil)
		resp, err := planter.client.Do(req)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("got %v %v", resp, err)
		}
		defer resp.Body.Close()
		seen := lines(resp.Body)

		u, _ := url.Parse(base)
		b.jar.SetCookies(u, []*http.Cookie{{Name: "webclient_visit", Value: planted, Path: "/"}})
		page := b.signIn()
		if got := b.cookie("webclient_visit"); got == planted || len(got) < 26 {
			t.Errorf("the visit after the sign-in is %q", got)
		}
		for _, want := range []string{"Sign-in begins", "Signed in as Alice"} {
			if !strings.Contains(page, want) {
				t.Errorf("the timeline lacks %q", want)
			}
		}
		b.wantCall("The API answered 200.")
		synctest.Wait()
		if got := seen(); strings.Contains(got, "Alice") || strings.Contains(got, "GET /orders") || !strings.HasSuffix(got, "closed") {
			t.Errorf("the planter's stream shows %q", got)
		}
		_, page = planter.get("/")
		for _, secret := range []string{"Alice", "Sign-in begins", "GET /orders"} {
			if strings.Contains(page, secret) {
				t.Errorf("the planter's page shows %q", secret)
			}
		}
	})
}

func TestWC4TheEndLeadsToTheSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := w.tab()
		b.signIn()
		b.wantCall("The API answered 200.")
		if _, a := b.press("/revoke", nil); !strings.Contains(a.Text, "is revoked") {
			t.Fatalf("got %q", a.Text)
		}
		b.wantSignedIn("Alice") // nobody has told this application
		status, a := b.press("/call", nil)
		if status != 401 || a.SignIn != "/sign-in" || !strings.Contains(a.Text, "invalid_grant") {
			t.Errorf("got %d %+v", status, a)
		}
		b.wantNobody()
		if _, page := b.get("/"); !strings.Contains(page, "The session has ended") {
			t.Error("the page does not say that the session has ended")
		}
	})
	t.Run("without a script", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			b := w.tab()
			b.signIn()
			w.issuer.EndSessions("alice")
			b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			req, _ := http.NewRequest("POST", base+"/call", nil)
			resp, _ := b.do(req)
			if resp.StatusCode != 303 || resp.Header.Get("Location") != "/sign-in" {
				t.Errorf("got %d to %q, want 303 to the sign-in", resp.StatusCode, resp.Header.Get("Location"))
			}
		})
	})
	t.Run("an outage keeps the session", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			b := w.tab()
			b.signIn()
			w.issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down())
			time.Sleep(3 * time.Minute)
			b.wantCall("You are still signed in")
			b.wantSignedIn("Alice")
		})
	})
}

func TestTenCallsShareOneRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := w.tab()
		b.signIn()
		b.press("/mode", url.Values{"renew": {"on-401"}})
		time.Sleep(2*time.Minute + time.Second)
		before := w.issuer.Requests(jwtbearertest.EndpointToken)
		if _, a := b.press("/call-ten", nil); a.Text != "Ten calls at once: 10 × 200. They shared one refresh." {
			t.Errorf("got %q", a.Text)
		}
		if got := w.issuer.Requests(jwtbearertest.EndpointToken) - before; got != 1 {
			t.Errorf("got %d grants, want 1", got)
		}
	})
}

func TestWaitPastExpiry(t *testing.T) {
	for _, test := range []struct {
		mode string
		want time.Duration
	}{{"early", time.Minute + time.Second}, {"on-401", 2*time.Minute + time.Second}} {
		t.Run(test.mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				b := w.tab()
				b.signIn()
				b.press("/mode", url.Values{"renew": {test.mode}})
				start := time.Now()
				if _, a := b.press("/wait", nil); !strings.Contains(a.Text, "renewed on the way") {
					t.Errorf("got %q", a.Text)
				}
				if got := time.Since(start); got != test.want {
					t.Errorf("waited for %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestReplayKillsTheChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := w.tab()
		b.signIn()
		if _, a := b.press("/replay", nil); !strings.Contains(a.Text, "R1 was refused with invalid_grant") {
			t.Errorf("got %q", a.Text)
		}
		time.Sleep(time.Minute)
		if status, _ := b.press("/call", nil); status != 401 {
			t.Errorf("got %d, want the end of the session", status)
		}
	})
}

func TestSignOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := w.tab()
		b.signIn()
		id := b.cookie("webclient_session")
		req, _ := http.NewRequest("POST", base+"/sign-out", nil)
		resp, _ := b.do(req)
		if resp.Request.URL.String() != base+"/" {
			t.Errorf("the sign-out ended at %s", resp.Request.URL)
		}
		b.wantNobody()
		if n := len(w.issuer.Sessions("")); n != 0 {
			t.Errorf("the authority has %d sessions", n)
		}
		if w.issuer.Requests(jwtbearertest.EndpointRevoke) != 1 {
			t.Error("the refresh token was not revoked")
		}
		u, _ := url.Parse(base)
		b.jar.SetCookies(u, []*http.Cookie{{Name: "webclient_session", Value: id, Path: "/"}})
		b.wantNobody()
	})
	t.Run("while the authority is away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			b := w.tab()
			b.signIn()
			w.issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Hang())
			b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			req, _ := http.NewRequest("POST", base+"/sign-out", nil)
			start := time.Now()
			b.do(req)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("the sign-out took %v", took)
			}
			b.client.CheckRedirect = nil
			b.wantNobody()
		})
	})
}

// TestCallbackRefusals: each row differs from a good sign-in in one thing.
func TestCallbackRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(w *world, b *tab, callback *url.URL, query url.Values)
		good   bool
	}{
		{"nothing", func(*world, *tab, *url.URL, url.Values) {}, true},
		{"another state", func(_ *world, _ *tab, _ *url.URL, q url.Values) { q.Set("state", "x") }, false},
		{"no state", func(_ *world, _ *tab, _ *url.URL, q url.Values) { q.Del("state") }, false},
		{"another browser", func(w *world, b *tab, _ *url.URL, _ url.Values) { *b = *w.tab(); b.client.Transport = b; b.begin() }, false},
		{"a browser without an attempt", func(w *world, b *tab, _ *url.URL, _ url.Values) { *b = *w.tab(); b.client.Transport = b; b.get("/") }, false},
		{"too late", func(*world, *tab, *url.URL, url.Values) { time.Sleep(10*time.Minute + 1) }, false},
		{"another code", func(_ *world, _ *tab, _ *url.URL, q url.Values) { q.Set("code", "x") }, false},
		{"another issuer", func(_ *world, _ *tab, _ *url.URL, q url.Values) { q.Set("iss", "https://other.test") }, false},
		{"no issuer, though the authority sends it", func(w *world, _ *tab, _ *url.URL, q url.Values) { q.Del("iss") }, false},
		{"a parameter twice", func(_ *world, _ *tab, _ *url.URL, q url.Values) { q.Add("code", "x") }, false},
		{"declined", func(_ *world, _ *tab, _ *url.URL, q url.Values) { q.Del("code"); q.Set("error", "access_denied") }, false},
		{"the code of another attempt", func(w *world, b *tab, callback *url.URL, q url.Values) {
			q.Set("state", b.begin().Query().Get("state"))
		}, false},
		{"an identity token for another client", func(w *world, _ *tab, _ *url.URL, _ url.Values) {
			w.answerCode(w.issuer.IDToken("other"))
		}, false},
		{"an identity token without the nonce", func(w *world, _ *tab, _ *url.URL, _ url.Values) {
			w.answerCode(w.issuer.IDToken("shop"))
		}, false},
		{"no identity token", func(w *world, _ *tab, _ *url.URL, _ url.Values) { w.answerCode("") }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				b := w.tab()
				b.get("/")
				callback := b.begin()
				query := callback.Query()
				test.change(w, b, callback, query)
				callback.RawQuery = query.Encode()
				resp, page := b.get(callback.String())
				if signedIn := strings.Contains(page, `id="who"`); signedIn != test.good {
					t.Errorf("signed in: %v, want %v", signedIn, test.good)
				}
				if !test.good && (resp.StatusCode != 400 || !strings.Contains(page, `role="alert"`)) {
					t.Errorf("got %d, want 400 and a page that says why", resp.StatusCode)
				}
				if test.good { // once
					if resp, _ := b.get(callback.String()); resp.StatusCode != 400 {
						t.Errorf("the second time got %d, want 400", resp.StatusCode)
					}
				}
			})
		})
	}
}

// begin goes through a sign-in up to the way back, and returns that.
func (b *tab) begin() *url.URL {
	b.w.t.Helper()
	var back *url.URL
	stop := errors.New("stop")
	b.client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if req.URL.Path == "/callback" {
			back = req.URL
			return stop
		}
		return nil
	}
	defer func() { b.client.CheckRedirect = nil }()
	if _, err := b.client.Get(base + "/sign-in"); !errors.Is(err, stop) {
		b.w.t.Fatalf("the sign-in ended with %v", err)
	}
	return back
}

// answerCode makes the token endpoint answer with this identity token.
func (w *world) answerCode(idToken string) {
	body, _ := json.Marshal(map[string]any{
		"access_token": w.issuer.Token("api1"), "token_type": "Bearer", "expires_in": 60, "id_token": idToken,
	})
	w.issuer.SetFault(jwtbearertest.EndpointToken, jwtbearertest.Respond(200, "application/json", string(body)))
}

func TestAuthorizationRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(_ *jwtbearertest.Options, cfg *web.Config) { cfg.Resource = "urn:orders" })
		b := w.tab()
		b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, _ := b.get("/sign-in")
		u, _ := resp.Location()
		q := u.Query()
		for name, want := range map[string]string{
			"response_type": "code", "client_id": "shop", "redirect_uri": base + "/callback",
			"scope": "api1 openid profile offline_access", "code_challenge_method": "S256", "resource": "urn:orders", "prompt": "consent",
		} {
			if q.Get(name) != want {
				t.Errorf("got %s=%q, want %q", name, q.Get(name), want)
			}
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if len(q.Get(name)) < 26 {
				t.Errorf("got %s=%q", name, q.Get(name))
			}
		}
	})
}

func TestWhoMayAsk(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		want   int
	}{
		{"our own page", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }, 200},
		{"our own page in an old browser", func(r *http.Request) { r.Header.Set("Origin", base) }, 200},
		{"another site", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"another port, which shares our cookies", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		{"another site in an old browser", func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:9999") }, 403},
		{"a name that resolves to us", func(r *http.Request) { r.Host = "evil.test:8081" }, 421},
		{"another name of ours", func(r *http.Request) { r.Host = "localhost:8081" }, 421},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				b := w.tab()
				b.signIn()
				u, _ := url.Parse(base)
				r := httptest.NewRequest("POST", base+"/call", nil)
				r.Header.Set("Accept", "application/json")
				for _, c := range b.jar.Cookies(u) {
					r.AddCookie(c)
				}
				test.change(r)
				rec := httptest.NewRecorder()
				w.app.ServeHTTP(rec, r)
				if rec.Code != test.want {
					t.Errorf("got %d, want %d: %s", rec.Code, test.want, rec.Body)
				}
			})
		})
	}
}

// Browsers leave the default port out of the Host field.
func TestDefaultPort(t *testing.T) {
	for _, test := range []struct{ base, host, alias, origin string }{
		{"http://127.0.0.1:80", "127.0.0.1", "localhost", "http://127.0.0.1"},
		{"http://[::1]:80", "[::1]", "localhost", "http://[::1]"},
		{"http://127.0.0.1:8080", "127.0.0.1:8080", "localhost:8080", "http://127.0.0.1:8080"},
	} {
		t.Run(test.base, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(_ *jwtbearertest.Options, cfg *web.Config) { cfg.BaseURL = test.base })
				get := func(host, path string) *http.Response {
					rec := httptest.NewRecorder()
					r := httptest.NewRequest("GET", path, nil)
					r.Host = host
					w.app.ServeHTTP(rec, r)
					return rec.Result()
				}
				if resp := get(test.host, "/"); resp.StatusCode != 200 {
					t.Errorf("%s: got %d, want 200", test.host, resp.StatusCode)
				}
				if resp := get(test.alias, "/"); resp.StatusCode != 307 || resp.Header.Get("Location") != test.origin+"/" {
					t.Errorf("%s: got %d to %q, want 307 to %s/", test.alias, resp.StatusCode, resp.Header.Get("Location"), test.origin)
				}
				u, err := get(test.host, "/sign-in").Location()
				if err != nil {
					t.Fatal(err)
				}
				if got, want := u.Query().Get("redirect_uri"), test.origin+"/callback"; got != want {
					t.Errorf("got the redirect URI %q, want %q", got, want)
				}
			})
		})
	}
}

func TestPagesGiveNothingAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *jwtbearertest.Options, _ *web.Config) {
			o.Users = []*jwtbearertest.User{{Subject: "alice", Claims: map[string]any{"name": `<script>"Alice"</script>`}}}
		})
		b := w.tab()
		b.signIn()
		time.Sleep(time.Minute)
		b.press("/call", nil)
		b.press("/replay", nil)
		resp, page := b.get("/")
		if found := regexp.MustCompile(`eyJ[\w-]{10,}|[A-Z2-7]{30,}`).FindString(page); found != "" {
			t.Errorf("the page shows %q", found)
		}
		if strings.Contains(page, "<script>") || strings.Contains(page, "style=") || strings.Contains(page, "onclick") {
			t.Error("the page has a script or a style within")
		}
		policy := resp.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self' https://issuer.test"} {
			if !strings.Contains(policy, want) {
				t.Errorf("the policy %q lacks %q", policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("the policy is %q", policy)
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("got %s %q, want %q", name, got, want)
			}
		}
		for _, address := range regexp.MustCompile(`/static/[^"#]+`).FindAllString(page, -1) {
			resp, _ := b.get(address)
			if resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: got %d, Cache-Control %q", address, resp.StatusCode, resp.Header.Get("Cache-Control"))
			}
		}
		if resp, _ := b.get("/static/"); resp.StatusCode != 404 {
			t.Errorf("the list of files: got %d", resp.StatusCode)
		}
	})
}

// Some authorities have their endpoints on another host than their name.
func TestPolicyAllowsTheWayToTheAuthority(t *testing.T) {
	for _, test := range []struct{ authorize, endSession, want string }{
		{"https://issuer.test/authorize", "https://issuer.test/end", "form-action 'self' https://issuer.test;"},
		{"https://login.test/authorize", "https://login.test:8443/end?x=y", "form-action 'self' https://issuer.test https://login.test https://login.test:8443;"},
		{"https://login.test/authorize", "", "form-action 'self' https://issuer.test https://login.test;"},
		{"https://issuer.test/authorize", "https://a;script-src.test/end", "form-action 'self' https://issuer.test;"},
	} {
		t.Run(test.endSession, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				body, _ := json.Marshal(map[string]any{
					"issuer": w.issuer.URL(), "jwks_uri": w.issuer.URL() + "/jwks", "token_endpoint": w.issuer.URL() + "/token",
					"authorization_endpoint": test.authorize, "end_session_endpoint": test.endSession,
				})
				w.issuer.SetFault(jwtbearertest.EndpointDiscovery, jwtbearertest.Respond(200, "application/json", string(body)))
				b := w.tab()
				b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				b.get("/")
				b.get("/sign-in")
				resp, _ := b.get("/")
				if got := resp.Header.Get("Content-Security-Policy"); !strings.Contains(got, test.want) {
					t.Errorf("the policy %q lacks %q", got, test.want)
				}
			})
		})
	}
}

// Roles and names that WAI-ARIA 1.2 and HTML allow: a role takes the list away
// from its items, and an element without a role has no name.
func TestPageIsReadableWithoutEyes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := w.tab()
		b.signIn()
		time.Sleep(time.Minute)
		b.wantCall("renewed on the way")
		_, page := b.get("/")
		if found := regexp.MustCompile(`<[ou]l[^>]* role=[^>]*>`).FindString(page); found != "" {
			t.Errorf("not a list any more: %s", found)
		}
		for _, found := range regexp.MustCompile(`<(span|i|b|p|div)( [^>]*)? aria-label[^>]*>`).FindAllString(page, -1) {
			if !strings.Contains(found, " role=") {
				t.Errorf("a name for what cannot have one: %s", found)
			}
		}
		if !strings.Contains(page, `<span class="sr">became</span>`) {
			t.Error("nothing says that one token became another")
		}
	})
}

func TestCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := w.tab()
		b.get("/")
		all := b.set
		b.get("/sign-in")
		for _, c := range append(all, b.set...) {
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || len(c.Value) > 64 {
				t.Errorf("cookie %s: %s", c.Name, c.Raw)
			}
		}
	})
}

// lines reads a stream in the background, and returns a function that returns
// what came since it was called last, with "closed" after its end.
func lines(stream io.Reader) func() string {
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(stream); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return func() string {
		var text strings.Builder
		for {
			select {
			case line, ok := <-lines:
				if !ok {
					return text.String() + "closed"
				}
				text.WriteString(line + "\n")
			default:
				return text.String()
			}
		}
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := w.tab()
		b.signIn()
		req, _ := http.NewRequestWithContext(t.Context(), "GET", base+"/events?after=0", nil)
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		drain := lines(resp.Body)
		synctest.Wait()
		if got := drain(); !strings.Contains(got, "Signed in as Alice") || !strings.Contains(got, `"signed_in":true`) {
			t.Errorf("at first got %q", got)
		}
		b.press("/call", nil)
		synctest.Wait()
		if got := drain(); strings.Count(got, "GET /orders") != 1 || strings.Contains(got, "Signed in as") {
			t.Errorf("after a call got %q", got)
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if got := drain(); !strings.Contains(got, "event: state") {
			t.Errorf("after a while without news got %q", got)
		}
		w.app.Close()
		synctest.Wait()
		if got := drain(); !strings.HasSuffix(got, "closed") {
			t.Errorf("after Close got %q", got)
		}
	})
}

func TestNewRefusesMistakes(t *testing.T) {
	good := web.Config{BaseURL: base, Authority: "https://id.test", ClientID: "shop", API: apiURL}
	for _, test := range []struct {
		name   string
		change func(*web.Config)
		want   string
	}{
		{"nothing wrong", func(*web.Config) {}, ""},
		{"not loopback", func(c *web.Config) { c.BaseURL = "http://192.0.2.1:8081" }, "BaseURL"},
		{"every address", func(c *web.Config) { c.BaseURL = "http://0.0.0.0:8081" }, "BaseURL"},
		{"a name", func(c *web.Config) { c.BaseURL = "http://example.com:8081" }, "BaseURL"},
		{"no port", func(c *web.Config) { c.BaseURL = "http://127.0.0.1" }, "BaseURL"},
		{"no openid", func(c *web.Config) { c.Scopes = []string{"api1"} }, "Scopes"},
		{"no authority", func(c *web.Config) { c.Authority = "" }, "Issuer"},
		{"an authority without TLS", func(c *web.Config) { c.Authority = "http://id.test" }, "Authority"},
		{"an authority on loopback", func(c *web.Config) { c.Authority = "http://127.0.0.1:5000" }, ""},
		{"an API without TLS", func(c *web.Config) { c.API = "http://api.test" }, "API"},
		{"no API", func(c *web.Config) { c.API = "" }, "API"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := good
			test.change(&cfg)
			_, err := web.New(cfg)
			if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error about %q", err, test.want)
			}
		})
	}
}

// The visits are bounded, so that of a person who is signed in may be gone.
func TestActionWithoutAVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := w.tab()
		b.signIn()
		u, _ := url.Parse(base)
		b.jar.SetCookies(u, []*http.Cookie{{Name: "webclient_visit", Value: "forgotten", Path: "/"}})
		if status, a := b.press("/call", nil); status != 200 || !strings.Contains(a.Text, "Load it again") || a.SignIn != "" {
			t.Errorf("got %d %+v, want the advice to load the page", status, a)
		}
		b.wantSignedIn("Alice")
		b.wantCall("The API answered 200.")
	})
}

func TestManyVisits(t *testing.T) {
	w := newWorld(t)
	for n := range 300 {
		if resp, _ := w.tab().get("/"); resp.StatusCode != 200 {
			t.Fatal(fmt.Sprint("visit ", n, ": ", resp.StatusCode))
		}
	}
}
