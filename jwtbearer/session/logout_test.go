package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// post sends a logout request with a form.
func post(h http.Handler, form url.Values) *http.Response {
	r := httptest.NewRequest(http.MethodPost, logoutURI, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return send(h, r)
}

func send(h http.Handler, r *http.Request) *http.Response {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder.Result()
}

func logoutForm(token string) url.Values { return url.Values{"logout_token": {token}} }

func wantLogout(t *testing.T, what string, res *http.Response, status int) {
	t.Helper()
	if res.StatusCode != status || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: got %d, Cache-Control %q, want %d, no-store", what, res.StatusCode, res.Header.Get("Cache-Control"), status)
	}
	if status == http.StatusOK {
		if body, _ := io.ReadAll(res.Body); len(body) != 0 {
			t.Errorf("%s: got body %q, want none", what, body)
		}
		return
	}
	if res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: got Content-Type %q, want application/json", what, res.Header.Get("Content-Type"))
	}
	if code, description := decodeError(t, res); code == "" || description == "" {
		t.Errorf("%s: got error %q, description %q, want both", what, code, description)
	}
}

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

func TestLogoutTokens(t *testing.T) {
	claim, without := jwtbearertest.Claim, jwtbearertest.WithoutClaim
	events := func(v any) jwtbearertest.TokenOption { return claim("events", v) }
	for name, test := range map[string]struct {
		options  []jwtbearertest.TokenOption
		status   int
		ends     string // "session", "subject" or nothing
		strict   bool   // RequireType
		audience string // "": web
	}{
		"session":                      {status: 200, ends: "session"},
		"subject":                      {[]jwtbearertest.TokenOption{without("sid")}, 200, "subject", false, ""},
		"session without subject":      {[]jwtbearertest.TokenOption{without("sub")}, 200, "session", false, ""},
		"neither":                      {[]jwtbearertest.TokenOption{without("sid"), without("sub")}, 400, "", false, ""},
		"type, strict":                 {nil, 200, "session", true, ""},
		"type in the long form":        {[]jwtbearertest.TokenOption{jwtbearertest.Header("typ", "application/logout+JWT")}, 200, "session", true, ""},
		"type JWT":                     {[]jwtbearertest.TokenOption{jwtbearertest.Header("typ", "JWT")}, 200, "session", false, ""},
		"type JWT, strict":             {[]jwtbearertest.TokenOption{jwtbearertest.Header("typ", "JWT")}, 400, "", true, ""},
		"no type":                      {[]jwtbearertest.TokenOption{jwtbearertest.WithoutHeader("typ")}, 200, "session", false, ""},
		"no type, strict":              {[]jwtbearertest.TokenOption{jwtbearertest.WithoutHeader("typ")}, 400, "", true, ""},
		"type of an access token":      {[]jwtbearertest.TokenOption{jwtbearertest.Header("typ", "at+jwt")}, 400, "", false, ""},
		"audience":                     {nil, 400, "", false, "other"},
		"audience of the API":          {nil, 400, "", false, "api1"},
		"issuer":                       {[]jwtbearertest.TokenOption{claim("iss", "https://evil.test")}, 400, "", false, ""},
		"forged":                       {[]jwtbearertest.TokenOption{jwtbearertest.ForgedSignature()}, 400, "", false, ""},
		"alg none":                     {[]jwtbearertest.TokenOption{jwtbearertest.AlgNone()}, 400, "", false, ""},
		"expired":                      {[]jwtbearertest.TokenOption{jwtbearertest.ExpiresIn(-2 * time.Minute)}, 400, "", false, ""},
		"no exp":                       {[]jwtbearertest.TokenOption{without("exp")}, 400, "", false, ""},
		"no iat":                       {[]jwtbearertest.TokenOption{without("iat")}, 400, "", false, ""},
		"too old":                      {[]jwtbearertest.TokenOption{jwtbearertest.IssuedAt(time.Now().Add(-time.Hour)), jwtbearertest.ExpiresAt(time.Now().Add(time.Hour))}, 400, "", false, ""},
		"nonce":                        {[]jwtbearertest.TokenOption{claim("nonce", "n")}, 400, "", false, ""},
		"null nonce":                   {[]jwtbearertest.TokenOption{claim("nonce", nil)}, 400, "", false, ""},
		"no jti":                       {[]jwtbearertest.TokenOption{without("jti")}, 400, "", false, ""},
		"empty jti":                    {[]jwtbearertest.TokenOption{claim("jti", "")}, 400, "", false, ""},
		"long jti":                     {[]jwtbearertest.TokenOption{claim("jti", strings.Repeat("j", 1025))}, 400, "", false, ""},
		"jti as long as can be":        {[]jwtbearertest.TokenOption{claim("jti", strings.Repeat("j", 1024))}, 200, "session", false, ""},
		"no events":                    {[]jwtbearertest.TokenOption{without("events")}, 400, "", false, ""},
		"null events":                  {[]jwtbearertest.TokenOption{events(nil)}, 400, "", false, ""},
		"events is an array":           {[]jwtbearertest.TokenOption{events([]string{logoutEvent})}, 400, "", false, ""},
		"another event":                {[]jwtbearertest.TokenOption{events(map[string]any{"http://schemas.openid.net/event/other": map[string]any{}})}, 400, "", false, ""},
		"event in another case":        {[]jwtbearertest.TokenOption{events(map[string]any{strings.ToUpper(logoutEvent): map[string]any{}})}, 400, "", false, ""},
		"event is null":                {[]jwtbearertest.TokenOption{events(map[string]any{logoutEvent: nil})}, 400, "", false, ""},
		"event is a string":            {[]jwtbearertest.TokenOption{events(map[string]any{logoutEvent: "x"})}, 400, "", false, ""},
		"event with members, and more": {[]jwtbearertest.TokenOption{events(map[string]any{logoutEvent: map[string]any{"x": 1}, "y": 1})}, 200, "session", false, ""},
		"sid is a number":              {[]jwtbearertest.TokenOption{claim("sid", 7)}, 400, "", false, ""},
		"sid is empty":                 {[]jwtbearertest.TokenOption{claim("sid", "")}, 400, "", false, ""},
		"sub is a number":              {[]jwtbearertest.TokenOption{claim("sub", 7)}, 400, "", false, ""},
		"SID is another claim":         {[]jwtbearertest.TokenOption{without("sid"), without("sub"), claim("SID", "s1")}, 400, "", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t)
			m := session.NewMemory(nil)
			var told []session.LogoutEvent
			h, err := session.NewLogoutHandler(issuer.Verifier(t, nil), "web", &session.LogoutOptions{
				Sessions: m, RequireType: test.strict, Logger: quiet,
				Ended: func(_ context.Context, e session.LogoutEvent) { told = append(told, e) },
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range [][2]string{{"s1", "u1"}, {"s2", "u1"}, {"s3", "u2"}} {
				if err := m.Put(t.Context(), session.Session{Issuer: issuer.URL(), ID: s[0], Subject: s[1]}); err != nil {
					t.Fatal(err)
				}
			}
			audience := test.audience
			if audience == "" {
				audience = "web"
			}
			options := append([]jwtbearertest.TokenOption{jwtbearertest.Subject("u1"), claim("sid", "s1")}, test.options...)
			wantLogout(t, name, post(h, logoutForm(issuer.LogoutToken(audience, options...))), test.status)
			alive := map[string]bool{
				"s1": test.ends == "",
				"s2": test.ends != "subject",
				"s3": true,
			}
			for id, want := range alive {
				state, err := m.Check(t.Context(), session.Access{Key: session.Key{Issuer: issuer.URL(), ID: id}, At: time.Now(), KeepAccess: time.Minute})
				if err != nil || state.Alive != want {
					t.Errorf("session %s: got alive %v, error %v, want %v", id, state.Alive, err, want)
				}
			}
			if (len(told) == 1) != (test.status == 200) {
				t.Errorf("Ended was told %v", told)
			}
		})
	}
}

func TestLogoutRequests(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	h, err := session.NewLogoutHandler(issuer.Verifier(t, nil), "web", &session.LogoutOptions{Sessions: session.NewMemory(nil), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	token := func() string { return issuer.LogoutToken("web", jwtbearertest.Subject("u1")) }
	form := func(v url.Values) io.Reader { return strings.NewReader(v.Encode()) }
	for name, test := range map[string]struct {
		method, target, contentType string
		body                        io.Reader
		status                      int
	}{
		"good":               {"POST", "/", "application/x-www-form-urlencoded", form(logoutForm(token())), 200},
		"with a charset":     {"POST", "/", "application/x-www-form-urlencoded; charset=UTF-8", form(logoutForm(token())), 200},
		"other parameters":   {"POST", "/", "application/x-www-form-urlencoded", form(url.Values{"logout_token": {token()}, "x": {"y"}}), 200},
		"GET":                {"GET", "/?" + logoutForm(token()).Encode(), "", nil, 405},
		"PUT":                {"PUT", "/", "application/x-www-form-urlencoded", form(logoutForm(token())), 405},
		"token in the query": {"POST", "/?" + logoutForm(token()).Encode(), "application/x-www-form-urlencoded", form(url.Values{}), 400},
		"JSON":               {"POST", "/", "application/json", strings.NewReader(`{"logout_token":"` + token() + `"}`), 400},
		"no content type":    {"POST", "/", "", form(logoutForm(token())), 400},
		"multipart":          {"POST", "/", "multipart/form-data; boundary=x", strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"logout_token\"\r\n\r\n" + token() + "\r\n--x--\r\n"), 400},
		"two tokens":         {"POST", "/", "application/x-www-form-urlencoded", form(url.Values{"logout_token": {token(), token()}}), 400},
		"no token":           {"POST", "/", "application/x-www-form-urlencoded", form(url.Values{"token": {token()}}), 400},
		"empty token":        {"POST", "/", "application/x-www-form-urlencoded", form(logoutForm("")), 400},
		"a bad escape":       {"POST", "/", "application/x-www-form-urlencoded", strings.NewReader("logout_token=%zz"), 400},
		"a bad escape too":   {"POST", "/", "application/x-www-form-urlencoded", strings.NewReader(logoutForm(token()).Encode() + "&x=%zz"), 400},
		"too large":          {"POST", "/", "application/x-www-form-urlencoded", strings.NewReader("x=" + strings.Repeat("y", 128<<10) + "&" + logoutForm(token()).Encode()), 400},
		"an access token":    {"POST", "/", "application/x-www-form-urlencoded", form(logoutForm(issuer.Token("web"))), 400},
		"an ID token":        {"POST", "/", "application/x-www-form-urlencoded", form(logoutForm(issuer.IDToken("web"))), 400},
		"junk":               {"POST", "/", "application/x-www-form-urlencoded", form(logoutForm("junk")), 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, "https://api.test"+test.target, test.body)
			if test.contentType != "" {
				r.Header.Set("Content-Type", test.contentType)
			}
			res := send(h, r)
			wantLogout(t, name, res, test.status)
			if allow := res.Header.Get("Allow"); (test.status == 405) != (allow == "POST") {
				t.Errorf("got Allow %q", allow)
			}
		})
	}
}

func TestLogoutTokenIsNoAccessToken(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	w := &world{api: issuer.Verifier(t, nil).Require("web")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
	for _, options := range [][]jwtbearertest.TokenOption{nil, {jwtbearertest.Header("typ", "JWT")}, {jwtbearertest.WithoutHeader("typ")}} {
		token := issuer.LogoutToken("web", append(options, jwtbearertest.Subject("u"))...)
		wantStatus(t, "logout token at the API", w.call(token), http.StatusUnauthorized, missing)
	}
}

func TestLogoutReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		m := session.NewMemory(nil)
		h, err := session.NewLogoutHandler(issuer.Verifier(t, nil), "web", &session.LogoutOptions{Sessions: m, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		token := issuer.LogoutToken("web", jwtbearertest.Subject("u1"))
		wantLogout(t, "first", post(h, logoutForm(token)), 200)
		if err := m.Put(t.Context(), session.Session{Issuer: issuer.URL(), ID: "new", Subject: "u1"}); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(30 * time.Second)
			wantLogout(t, "again", post(h, logoutForm(token)), 400)
		}
		state, err := m.Check(t.Context(), session.Access{Key: session.Key{Issuer: issuer.URL(), ID: "new"}, At: time.Now(), KeepAccess: time.Minute})
		if err != nil || !state.Alive {
			t.Errorf("the session of a later sign-in: got alive %v, error %v, want alive", state.Alive, err)
		}
		wantLogout(t, "another token", post(h, logoutForm(issuer.LogoutToken("web", jwtbearertest.Subject("u1")))), 200)
	})
}

// TestLogoutReplayMemoryIsBounded: more tokens than are remembered.
func TestLogoutReplayMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replays := session.NewMemoryReplays()
		used := func(id string, want bool) {
			t.Helper()
			got, err := replays.Used(t.Context(), issuer, id)
			if err != nil || got != want {
				t.Errorf("Used(%s): got %v, error %v, want %v", id, got, err, want)
			}
		}
		mark := func(id string) {
			t.Helper()
			if err := replays.MarkUsed(t.Context(), issuer, id, time.Now().Add(10*time.Minute)); err != nil {
				t.Errorf("MarkUsed(%s): %v", id, err)
			}
		}
		for i := range session.MaxReplays + 1000 {
			used(fmt.Sprint(i), false)
			mark(fmt.Sprint(i))
		}
		if n := session.ReplaysLen(replays); n > session.MaxReplays {
			t.Errorf("got %d tokens, want at most %d", n, session.MaxReplays)
		}
		used(fmt.Sprint(session.MaxReplays), true)
		time.Sleep(10 * time.Minute)
		used(fmt.Sprint(session.MaxReplays), false)
		mark("next")
		if n := session.ReplaysLen(replays); n != 1 {
			t.Errorf("after their time: got %d tokens, want 1", n)
		}
		time.Sleep(5 * time.Minute)
		mark("next")
		if n := session.ReplaysLen(replays); n != 1 {
			t.Errorf("marked twice: got %d tokens, want 1", n)
		}
		time.Sleep(10*time.Minute - time.Nanosecond)
		used("next", true)
		time.Sleep(time.Nanosecond)
		used("next", false)
	})
}

// failing is a store that cannot revoke, at first.
type failing struct {
	session.Store
	err error
}

func (f *failing) Revoke(ctx context.Context, keys ...session.Key) error {
	if f.err != nil {
		return f.err
	}
	return f.Store.Revoke(ctx, keys...)
}

func TestLogoutOutageCanBeRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		store := &failing{session.NewMemory(nil), errors.New("connection refused")}
		h, err := session.NewLogoutHandler(issuer.Verifier(t, nil), "web", &session.LogoutOptions{Sessions: store, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		token := issuer.LogoutToken("web", jwtbearertest.Subject("u1"), jwtbearertest.Claim("sid", "s1"))
		res := post(h, logoutForm(token))
		wantLogout(t, "store away", res, 503)
		if res.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		store.err = nil
		wantLogout(t, "again", post(h, logoutForm(token)), 200)
		wantLogout(t, "replayed", post(h, logoutForm(token)), 400)

		// The keys of the authority cannot be had.
		away := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{URL: "https://away.test"})
		token = away.LogoutToken("web", jwtbearertest.Subject("u1"))
		away.Close()
		h, err = session.NewLogoutHandler(away.Verifier(t, nil), "web", &session.LogoutOptions{Sessions: store, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		wantLogout(t, "authority away", post(h, logoutForm(token)), 503)
	})
}

// breaking is a store of sessions and of used logout tokens whose call number
// fail fails, after it was done or instead.
type breaking struct {
	session.Store
	session.Replays
	calls, fail int
	done        bool
}

func (b *breaking) do(call func() error) error {
	b.calls++
	if b.calls != b.fail {
		return call()
	}
	if b.done {
		if err := call(); err != nil {
			return err
		}
	}
	return errors.New("the connection broke")
}

func (b *breaking) Revoke(ctx context.Context, keys ...session.Key) error {
	return b.do(func() error { return b.Store.Revoke(ctx, keys...) })
}

func (b *breaking) RevokeSubject(ctx context.Context, issuer, subject string, until time.Time, except ...string) (n int, err error) {
	err = b.do(func() (err error) {
		n, err = b.Store.RevokeSubject(ctx, issuer, subject, until, except...)
		return err
	})
	return n, err
}

func (b *breaking) Used(ctx context.Context, issuer, id string) (used bool, err error) {
	err = b.do(func() (err error) {
		used, err = b.Replays.Used(ctx, issuer, id)
		return err
	})
	return used, err
}

func (b *breaking) MarkUsed(ctx context.Context, issuer, id string, until time.Time) error {
	return b.do(func() error { return b.Replays.MarkUsed(ctx, issuer, id, until) })
}

// TestLogoutIsNotLost: wherever the store fails, and whether or not it has done
// what it was asked, the session is over when the token was sent again. From then
// on the token ends nothing.
func TestLogoutIsNotLost(t *testing.T) {
	for name, options := range map[string][]jwtbearertest.TokenOption{
		"session": {jwtbearertest.Subject("u1"), jwtbearertest.Claim("sid", "s1")},
		"subject": {jwtbearertest.Subject("u1"), jwtbearertest.WithoutClaim("sid")},
	} {
		for fail := range 3 {
			for _, done := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, call %d, done %v", name, fail+1, done), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						issuer := jwtbearertest.NewIssuer(t)
						store := &breaking{Store: session.NewMemory(nil), Replays: session.NewMemoryReplays(), fail: fail + 1, done: done}
						h, err := session.NewLogoutHandler(issuer.Verifier(t, nil), "web", &session.LogoutOptions{Sessions: store, Logger: quiet})
						if err != nil {
							t.Fatal(err)
						}
						signIn := func(id string) {
							t.Helper()
							if err := store.Put(t.Context(), session.Session{Issuer: issuer.URL(), ID: id, Subject: "u1"}); err != nil {
								t.Fatal(err)
							}
						}
						wantAlive := func(id string, alive bool) {
							t.Helper()
							state, err := store.Check(t.Context(), session.Access{Key: session.Key{Issuer: issuer.URL(), ID: id}, At: time.Now(), KeepAccess: time.Minute})
							if err != nil || state.Alive != alive {
								t.Errorf("session %s: got alive %v, error %v, want %v", id, state.Alive, err, alive)
							}
						}
						signIn("s1")
						token := issuer.LogoutToken("web", options...)
						wantLogout(t, "store breaks", post(h, logoutForm(token)), 503)
						again := 200
						if fail == 2 && done { // all was done but the answer
							again = 400
						}
						wantLogout(t, "again", post(h, logoutForm(token)), again)
						wantAlive("s1", false)
						signIn("s2")
						wantLogout(t, "replayed", post(h, logoutForm(token)), 400)
						wantAlive("s2", true)
					})
				})
			}
		}
	}
}

func TestLogoutEndsTokensWithoutSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		revocations := newRevocations(t, session.NewMemoryRevocations(0), nil)
		verifier := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{revocations}})
		h, err := session.NewLogoutHandler(verifier, "web", &session.LogoutOptions{Revocations: revocations, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{api: verifier.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
		token := issuer.Token("api1", jwtbearertest.Subject("u1"))
		other := issuer.Token("api1", jwtbearertest.Subject("u2"))
		time.Sleep(2 * time.Second)
		wantStatus(t, "before", w.call(token), http.StatusOK, "")
		wantLogout(t, "session only", post(h, logoutForm(issuer.LogoutToken("web", jwtbearertest.Claim("sid", "s1"), jwtbearertest.WithoutClaim("sub")))), 400)
		wantLogout(t, "subject", post(h, logoutForm(issuer.LogoutToken("web", jwtbearertest.Subject("u1"), jwtbearertest.Claim("sid", "s1")))), 200)
		wantStatus(t, "after", w.call(token), http.StatusUnauthorized, missing)
		wantStatus(t, "another subject", w.call(other), http.StatusOK, "")
		time.Sleep(time.Second)
		wantStatus(t, "a later token", w.call(issuer.Token("api1", jwtbearertest.Subject("u1"))), http.StatusOK, "")
	})
}

// TestLogoutByAnAuthorityWhoseClockIsAhead: what it issued before the logout is
// refused, although by the clock of this host it was issued after it.
func TestLogoutByAnAuthorityWhoseClockIsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		m := session.NewMemory(nil)
		checker := newChecker(t, m, &session.Options{AdoptUnknown: true})
		revocations := newRevocations(t, session.NewMemoryRevocations(0), nil)
		api := func(c jwtbearer.Checker) *world {
			v := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{c}})
			return &world{api: v.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
		}
		apis := map[string]*world{"Sessions": api(checker), "Revocations": api(revocations)}
		h, err := session.NewLogoutHandler(issuer.Verifier(t, nil), "web", &session.LogoutOptions{Sessions: m, Revocations: revocations, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		ahead := time.Now().Add(20 * time.Second)
		wantLogout(t, "logout", post(h, logoutForm(issuer.LogoutToken("web", jwtbearertest.Subject("u1"), jwtbearertest.IssuedAt(ahead)))), 200)
		for name, w := range apis {
			for after, status := range map[time.Duration]int{
				-5 * time.Second: http.StatusUnauthorized,
				0:                http.StatusUnauthorized, // in the second of the logout
				time.Second:      http.StatusOK,
			} {
				token := issuer.Token("api1", jwtbearertest.Subject("u1"), jwtbearertest.Claim("sid", fmt.Sprint(after)), jwtbearertest.IssuedAt(ahead.Add(after)))
				if got := w.call(token).StatusCode; got != status {
					t.Errorf("%s: a token issued %v after the logout: got %d, want %d", name, after, got, status)
				}
			}
		}
	})
}

// TestLogoutOfOneSessionAndTokensWithoutSession: what becomes of tokens that do
// not say of which session they are when one session is signed out.
func TestLogoutOfOneSessionAndTokensWithoutSession(t *testing.T) {
	for name, test := range map[string]struct {
		all                           bool
		subject                       string
		without, ofSession, ofAnother int
	}{
		"by default":           {false, "u1", 200, 401, 200},
		"with SubjectTokens":   {true, "u1", 401, 401, 401},
		"of an unnamed person": {true, "", 200, 401, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := jwtbearertest.NewIssuer(t)
				m := session.NewMemory(nil)
				checker := newChecker(t, m, &session.Options{AdoptUnknown: true, Missing: session.SkipMissing})
				revocations := newRevocations(t, session.NewMemoryRevocations(0), nil)
				verifier := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checker, revocations}})
				h, err := session.NewLogoutHandler(verifier, "web", &session.LogoutOptions{
					Sessions: m, Revocations: revocations, SubjectTokens: test.all, Logger: quiet,
				})
				if err != nil {
					t.Fatal(err)
				}
				w := &world{api: verifier.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
				token := func(subject, sid string) string {
					options := []jwtbearertest.TokenOption{jwtbearertest.Subject(subject)}
					if sid != "" {
						options = append(options, jwtbearertest.Claim("sid", sid))
					}
					return issuer.Token("api1", options...)
				}
				without, ofSession, ofAnother := token("u1", ""), token("u1", "s1"), token("u1", "s2")
				other := token("u2", "")
				for _, token := range []string{without, ofSession, ofAnother, other} {
					wantStatus(t, "before", w.call(token), http.StatusOK, "")
				}
				logout := []jwtbearertest.TokenOption{jwtbearertest.Claim("sid", "s1"), jwtbearertest.WithoutClaim("sub")}
				if test.subject != "" {
					logout = []jwtbearertest.TokenOption{jwtbearertest.Claim("sid", "s1"), jwtbearertest.Subject(test.subject)}
				}
				wantLogout(t, "logout", post(h, logoutForm(issuer.LogoutToken("web", logout...))), 200)
				for _, c := range []struct {
					what, token string
					status      int
				}{
					{"without a session", without, test.without},
					{"of the session", ofSession, test.ofSession},
					{"of another session", ofAnother, test.ofAnother},
					{"of another user", other, 200},
				} {
					if got := w.call(c.token).StatusCode; got != c.status {
						t.Errorf("a token %s: got %d, want %d", c.what, got, c.status)
					}
				}
				// The other session has not ended: a renewed token is good.
				time.Sleep(2 * time.Second)
				wantStatus(t, "renewed", w.call(token("u1", "s2")), http.StatusOK, "")
				wantStatus(t, "renewed, of the session", w.call(token("u1", "s1")), http.StatusUnauthorized, ended)
			})
		})
	}
}

func TestNewLogoutHandlerRefusesMistakes(t *testing.T) {
	verifier := jwtbearertest.NewIssuer(t).Verifier(t, nil)
	good := &session.LogoutOptions{Sessions: session.NewMemory(nil)}
	for name, test := range map[string]struct {
		verifier *jwtbearer.Verifier
		client   string
		opts     *session.LogoutOptions
		names    string
	}{
		"no verifier": {nil, "web", good, "verifier"},
		"no client":   {verifier, "", good, "audience"},
		"no options":  {verifier, "web", nil, "Sessions"},
		"no store":    {verifier, "web", &session.LogoutOptions{}, "Sessions"},
		"nobody told": {verifier, "web", &session.LogoutOptions{Sessions: session.NewMemory(nil), SubjectTokens: true}, "SubjectTokens"},
		// The sum with the clock skew would overflow, and no token count as used.
		"endless age":  {verifier, "web", &session.LogoutOptions{Sessions: session.NewMemory(nil), MaxAge: math.MaxInt64}, "MaxAge"},
		"negative age": {verifier, "web", &session.LogoutOptions{Sessions: session.NewMemory(nil), MaxAge: -1}, "MaxAge"},
	} {
		h, err := session.NewLogoutHandler(test.verifier, test.client, test.opts)
		if err == nil || h != nil || !strings.Contains(err.Error(), test.names) {
			t.Errorf("%s: got %v, error %v, want an error that names %s", name, h, err, test.names)
		}
	}
}

// TestLogoutAudienceIsAud: however the authority names the audience of its access
// tokens, that of a logout token is in aud (Section 2.4).
func TestLogoutAudienceIsAud(t *testing.T) {
	for name, options := range map[string]jwtbearer.Options{
		"by default":       {},
		"another claim":    {AudienceClaim: "client_id"},
		"mapped names":     {AudienceNames: map[string][]string{"web": {"urn:web"}}},
		"mapped and moved": {AudienceClaim: "client_id", AudienceNames: map[string][]string{"web": {"urn:web"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := jwtbearertest.NewIssuer(t)
				h, err := session.NewLogoutHandler(issuer.Verifier(t, &options), "web", &session.LogoutOptions{Sessions: session.NewMemory(nil), Logger: quiet})
				if err != nil {
					t.Fatal(err)
				}
				for _, test := range []struct {
					what     string
					audience any
					client   string
					status   int
				}{
					{"for this client", "web", "urn:x", 200},
					{"among others", []string{"other", "web"}, "urn:x", 200},
					{"for another client", "other", "web", 400},
					{"for another client, by its mapped name", "other", "urn:web", 400},
					{"for the mapped name", "urn:web", "urn:web", 400},
				} {
					token := issuer.LogoutToken("web", jwtbearertest.Subject("u1"),
						jwtbearertest.Claim("aud", test.audience), jwtbearertest.Claim("client_id", test.client))
					wantLogout(t, test.what, post(h, logoutForm(token)), test.status)
				}
			})
		})
	}
}
