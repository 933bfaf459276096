package introspection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/introspection"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

const endpoint = "https://issuer.test/introspect"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func newClient(t *testing.T, opts introspection.Options) *introspection.Client {
	t.Helper()
	if opts.ClientID == "" && opts.Authorize == nil {
		opts.ClientID, opts.ClientSecret = jwtbearertest.DefaultClientID, jwtbearertest.DefaultClientSecret
	}
	if opts.Logger == nil {
		opts.Logger = quiet
	}
	c, err := introspection.New(endpoint, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func isUnknown(err error) bool {
	return err != nil && !errors.Is(err, jwtbearer.ErrInvalidToken) && !errors.Is(err, jwtbearer.ErrInvalidRequest) &&
		!errors.Is(err, jwtbearer.ErrInsufficientScope) && !errors.Is(err, jwtbearer.ErrNoToken)
}

// call sends a token to an API.
func call(api http.Handler, token string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "https://api.test/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	recorder := httptest.NewRecorder()
	api.ServeHTTP(recorder, r)
	return recorder.Result()
}

func wantStatus(t *testing.T, what string, res *http.Response, status int) {
	t.Helper()
	if res.StatusCode != status {
		t.Errorf("%s: got %d, %q, want %d", what, res.StatusCode, res.Header.Get("WWW-Authenticate"), status)
	}
}

var ok = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

func TestOpaqueTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		c := newClient(t, introspection.Options{HTTPClient: issuer.Client()})
		verifier := issuer.Verifier(t, &jwtbearer.Options{Introspector: c})
		api := verifier.Require("api1", jwtbearer.Scope("orders.read"))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, jwtbearer.TokenFrom(r.Context()).Subject())
		}))
		token := issuer.OpaqueToken("api1", jwtbearertest.Subject("alice"), jwtbearertest.Scopes("orders.read"))
		for range 3 {
			res := call(api, token)
			wantStatus(t, "active", res, 200)
			if body, _ := io.ReadAll(res.Body); string(body) != "alice" {
				t.Errorf("got subject %q, want alice", body)
			}
		}
		if n := issuer.Requests(jwtbearertest.EndpointIntrospect); n != 1 {
			t.Errorf("three requests asked the authority %d times, want once", n)
		}
		wantStatus(t, "another audience", call(api, issuer.OpaqueToken("api2", jwtbearertest.Scopes("orders.read"))), 401)
		wantStatus(t, "without the scope", call(api, issuer.OpaqueToken("api1", jwtbearertest.Scopes("x"))), 403)
		wantStatus(t, "unknown", call(api, "unknown-token"), 401)
		// The token lives 60 s; the answer is believed ten, and never past its end.
		time.Sleep(61 * time.Second)
		wantStatus(t, "expired", call(api, token), 401)
		issuer.SetFault(jwtbearertest.EndpointIntrospect, jwtbearertest.Down())
		wantStatus(t, "authority away", call(api, issuer.OpaqueToken("api1", jwtbearertest.Scopes("orders.read"))), 503)
	})
}

func TestRevocationOfJWT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		c := newClient(t, introspection.Options{HTTPClient: issuer.Client()})
		api := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{c}}).Require("api1")(ok)
		tokens, other := issuer.SignIn(nil), issuer.SignIn(nil)
		wantStatus(t, "before", call(api, tokens.AccessToken), 200)
		if !issuer.RevokeToken(tokens.AccessToken) {
			t.Fatal("not revoked")
		}
		time.Sleep(introspection.DefaultMaxCacheLife)
		res := call(api, tokens.AccessToken)
		wantStatus(t, "revoked", res, 401)
		if got := res.Header.Get("WWW-Authenticate"); !strings.Contains(got, `error="invalid_token", error_description="the token is not active"`) {
			t.Errorf("revoked: got challenge %q", got)
		}
		wantStatus(t, "another token", call(api, other.AccessToken), 200)
		issuer.SetFault(jwtbearertest.EndpointIntrospect, jwtbearertest.Status(500))
		wantStatus(t, "another token, cached", call(api, other.AccessToken), 200)
		time.Sleep(introspection.DefaultMaxCacheLife)
		wantStatus(t, "authority broken", call(api, other.AccessToken), 503)
		issuer.SetFault(jwtbearertest.EndpointIntrospect, jwtbearertest.Fault{})
		wantStatus(t, "mended", call(api, other.AccessToken), 200)
	})
}

// authority answers introspection requests by a function.
func authority(answer func(w http.ResponseWriter, r *http.Request)) *http.Client {
	return jwtbearertest.HandlerClient(http.HandlerFunc(answer))
}

func says(body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
}

func TestAnswers(t *testing.T) {
	const active, inactive, unknown = "active", "inactive", "unknown"
	status := func(code int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		want   string
	}{
		"active":                 {says(`{"active":true,"sub":"u"}`), active},
		"active, a line feed":    {says("{\"active\":true}\n"), active},
		"inactive":               {says(`{"active":false}`), inactive},
		"no active":              {says(`{}`), unknown},
		"active in another case": {says(`{"Active":true}`), unknown},
		"active is a string":     {says(`{"active":"true"}`), unknown},
		"active is 1":            {says(`{"active":1}`), unknown},
		"active is null":         {says(`{"active":null}`), unknown},
		"active twice":           {says(`{"active":false,"active":true}`), unknown},
		"exp is a string":        {says(`{"active":true,"exp":"4102444800"}`), unknown},
		"not JSON":               {says(`<html>`), unknown},
		"empty":                  {says(``), unknown},
		"cut":                    {says(`{"active":true`), unknown},
		"an array":               {says(`[{"active":true}]`), unknown},
		"two objects":            {says(`{"active":true}{"active":true}`), unknown},
		"too large":              {says(`{"active":true,"x":"` + strings.Repeat("x", 64<<10) + `"}`), unknown},
		"a JWT": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/token-introspection+jwt")
			_, _ = io.WriteString(w, `{"active":true}`)
		}, unknown},
		"201": {status(201, `{"active":true}`), unknown},
		"400": {status(400, `{"active":true}`), unknown},
		// These are about this API's credentials, not about the token.
		"401": {status(401, `{"active":false}`), unknown},
		"403": {status(403, `{"active":false}`), unknown},
		"404": {status(404, ``), unknown},
		"500": {status(500, `{"active":false}`), unknown},
		"503": {status(503, ``), unknown},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/introspect" {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
				return
			}
			says(`{"active":true}`)(w, r)
		}, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int64
				c := newClient(t, introspection.Options{HTTPClient: authority(func(w http.ResponseWriter, r *http.Request) {
					asked.Add(1)
					test.answer(w, r)
				})})
				for range 2 {
					body, err := c.Introspect(t.Context(), "the-token")
					got := unknown
					switch {
					case err == nil:
						got = active
					case errors.Is(err, jwtbearer.ErrInactive):
						got = inactive
					}
					if got != test.want || (err == nil) != (body != nil) || test.want == unknown && !isUnknown(err) {
						t.Errorf("got %s, body %q, error %v, want %s", got, body, err, test.want)
					}
					if err != nil && strings.Contains(err.Error(), "the-token") {
						t.Errorf("the error holds the token: %v", err)
					}
				}
				// What is unknown is not remembered.
				want := int64(1)
				if test.want == unknown {
					want = 2
				}
				if asked.Load() != want {
					t.Errorf("the authority was asked %d times, want %d", asked.Load(), want)
				}
			})
		})
	}
}

func TestTransportFaults(t *testing.T) {
	for name, fault := range map[string]jwtbearertest.Fault{
		"down": jwtbearertest.Down(), "hangs": jwtbearertest.Hang(), "hangs in the body": jwtbearertest.HangInBody(),
		"cut": jwtbearertest.CutBody(), "endless": jwtbearertest.Endless(), "HTML": jwtbearertest.HTML(), "redirect": jwtbearertest.RedirectTo("https://evil.test/"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := jwtbearertest.NewIssuer(t)
				c := newClient(t, introspection.Options{HTTPClient: issuer.Client()})
				token := issuer.Token("api1", jwtbearertest.Claim("client_id", "c"))
				issuer.SetFault(jwtbearertest.EndpointIntrospect, fault)
				start := time.Now()
				if _, err := c.Introspect(t.Context(), token); !isUnknown(err) {
					t.Errorf("got %v, want an error of no class", err)
				}
				if d := time.Since(start); d > 5*time.Second {
					t.Errorf("took %v, want at most 5s", d)
				}
				issuer.SetFault(jwtbearertest.EndpointIntrospect, jwtbearertest.Fault{})
				if _, err := c.Introspect(t.Context(), token); err != nil {
					t.Errorf("mended: got %v, want nil", err)
				}
				if s := c.Stats(); s.Requests != 2 || s.Failures != 1 {
					t.Errorf("Stats: got %+v, want two requests, one failure", s)
				}
			})
		})
	}
}

func TestCacheEndsWithTheToken(t *testing.T) {
	for name, test := range map[string]struct {
		life, expiresIn, want time.Duration
	}{
		"by default":             {0, time.Hour, 10 * time.Second},
		"no expiry":              {0, 0, 10 * time.Second},
		"longer":                 {time.Minute, time.Hour, time.Minute},
		"the token ends earlier": {time.Minute, 7 * time.Second, 7 * time.Second},
		"already past":           {time.Minute, -time.Second, 0},
		"none":                   {introspection.NoCache, time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked int
				body := `{"active":true}`
				if test.expiresIn != 0 {
					body = fmt.Sprintf(`{"active":true,"exp":%d}`, time.Now().Add(test.expiresIn).Unix())
				}
				c := newClient(t, introspection.Options{MaxCacheLife: test.life, HTTPClient: authority(func(w http.ResponseWriter, r *http.Request) {
					asked++
					says(body)(w, r)
				})})
				ask := func(want int) {
					t.Helper()
					if _, err := c.Introspect(t.Context(), "t"); err != nil || asked != want {
						t.Errorf("got error %v, asked %d times, want %d", err, asked, want)
					}
				}
				ask(1)
				if test.want > 0 {
					time.Sleep(test.want - time.Nanosecond)
					ask(1)
					time.Sleep(time.Nanosecond)
				}
				ask(2)
			})
		})
	}
}

func TestInactiveIsBelievedForTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := `{"active":false}`
		c := newClient(t, introspection.Options{HTTPClient: authority(func(w http.ResponseWriter, r *http.Request) { says(body)(w, r) })})
		ask := func(active bool) {
			t.Helper()
			if _, err := c.Introspect(t.Context(), "t"); (err == nil) != active {
				t.Errorf("got %v, want active %v", err, active)
			}
		}
		ask(false)
		body = `{"active":true}` // a replica of the authority has caught up
		time.Sleep(2*time.Second - time.Nanosecond)
		ask(false)
		time.Sleep(time.Nanosecond)
		ask(true)
	})
}

func TestOneFlightPerToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		c := newClient(t, introspection.Options{HTTPClient: authority(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			time.Sleep(time.Second)
			says(`{"active":true}`)(w, r)
		})})
		var group sync.WaitGroup
		// The first caller goes away; those who wait with it are not harmed.
		first, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		group.Go(func() {
			start := time.Now()
			if _, err := c.Introspect(first, "t"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the first caller: got %v, want its context's error", err)
			}
			if d := time.Since(start); d != 100*time.Millisecond {
				t.Errorf("the first caller waited %v", d)
			}
		})
		synctest.Wait()
		for range 50 {
			group.Go(func() {
				if _, err := c.Introspect(t.Context(), "t"); err != nil {
					t.Errorf("a waiting caller: got %v, want nil", err)
				}
			})
		}
		group.Go(func() {
			if _, err := c.Introspect(t.Context(), "u"); err != nil {
				t.Error(err)
			}
		})
		group.Wait()
		if asked.Load() != 2 {
			t.Errorf("two tokens, 52 callers: the authority was asked %d times, want 2", asked.Load())
		}
	})
}

func TestRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		c := newClient(t, introspection.Options{MaxConcurrent: 4, Timeout: time.Minute, HTTPClient: authority(func(w http.ResponseWriter, r *http.Request) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Second)
			says(`{"active":true}`)(w, r)
		})})
		start := time.Now()
		var group sync.WaitGroup
		for i := range 40 {
			group.Go(func() {
				if _, err := c.Introspect(t.Context(), fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if d := time.Since(start); most.Load() != 4 || d != 10*time.Second {
			t.Errorf("40 tokens: got %d requests at once and %v, want 4 and 10s", most.Load(), d)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, introspection.Options{MaxConcurrent: 4, HTTPClient: authority(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })})
		start := time.Now()
		var group sync.WaitGroup
		for i := range 40 {
			group.Go(func() {
				if _, err := c.Introspect(t.Context(), fmt.Sprint(i)); !isUnknown(err) {
					t.Errorf("got %v, want an error of no class", err)
				}
			})
		}
		group.Wait()
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("an authority that hangs held 40 callers for %v, want 5s", d)
		}
	})
}

func TestCredentials(t *testing.T) {
	for name, test := range map[string]struct {
		opts  introspection.Options
		check func(r *http.Request) bool
	}{
		"basic": {introspection.Options{ClientID: "a:b é", ClientSecret: "s+&%"}, func(r *http.Request) bool {
			id, secret, ok := r.BasicAuth()
			return ok && id == url.QueryEscape("a:b é") && secret == url.QueryEscape("s+&%") && !r.PostForm.Has("client_id") && !r.PostForm.Has("client_secret")
		}},
		"in the body": {introspection.Options{ClientID: "a:b é", ClientSecret: "s+&%", SecretInBody: true}, func(r *http.Request) bool {
			return r.Header.Get("Authorization") == "" && r.PostForm.Get("client_id") == "a:b é" && r.PostForm.Get("client_secret") == "s+&%"
		}},
		"bearer": {introspection.Options{Authorize: func(_ context.Context, header http.Header, form url.Values) error {
			header.Set("Authorization", "Bearer own")
			form.Set("resource", "x")
			return nil
		}}, func(r *http.Request) bool {
			return r.Header.Get("Authorization") == "Bearer own" && r.PostForm.Get("resource") == "x"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := test.opts
				opts.HTTPClient = authority(func(w http.ResponseWriter, r *http.Request) {
					if err := r.ParseForm(); err != nil {
						t.Error(err)
					}
					good := r.Method == http.MethodPost && r.URL.RawQuery == "" && r.PostForm.Get("token") == "t/+=" &&
						r.PostForm.Get("token_type_hint") == "access_token" && r.Header.Get("Accept") == "application/json"
					if !good || !test.check(r) {
						t.Errorf("got request %s %s, %v, form %v", r.Method, r.URL, r.Header, r.PostForm)
					}
					says(`{"active":true}`)(w, r)
				})
				if _, err := newClient(t, opts).Introspect(t.Context(), "t/+="); err != nil {
					t.Error(err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		for name, authorize := range map[string]func(context.Context, http.Header, url.Values) error{
			"error": func(context.Context, http.Header, url.Values) error { return jwtbearer.ErrInvalidToken },
			"panic": func(context.Context, http.Header, url.Values) error { panic("a mistake") },
			"hang": func(ctx context.Context, _ http.Header, _ url.Values) error {
				<-ctx.Done()
				return ctx.Err()
			},
		} {
			c := newClient(t, introspection.Options{Authorize: authorize, HTTPClient: authority(says(`{"active":true}`))})
			if _, err := c.Introspect(t.Context(), "t"); !isUnknown(err) {
				t.Errorf("Authorize: %s: got %v, want an error of no class", name, err)
			}
		}
	})
}

// TestPanicValueIsNotLogged: what a function or a transport of the caller panics
// with may hold the token.
func TestPanicValueIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		c := newClient(t, introspection.Options{
			Authorize:  func(_ context.Context, _ http.Header, form url.Values) error { panic(form) },
			HTTPClient: authority(says(`{"active":true}`)), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		_, err := c.Introspect(t.Context(), "the-token")
		if !isUnknown(err) || strings.Contains(err.Error(), "the-token") {
			t.Errorf("got %v, want an error of no class without the token", err)
		}
		if got := log.String(); strings.Contains(got, "the-token") || !strings.Contains(got, "url.Values") || !strings.Contains(got, "introspection_test.go") {
			t.Errorf("the log holds the token, or not what panicked, and where:\n%s", got)
		}
	})
}

func TestWrongCredentialsAre503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		var log strings.Builder
		c := newClient(t, introspection.Options{
			ClientID: jwtbearertest.DefaultClientID, ClientSecret: "wrong-secret", HTTPClient: issuer.Client(), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		api := issuer.Verifier(t, &jwtbearer.Options{Introspector: c}).Require("api1")(ok)
		token := issuer.OpaqueToken("api1")
		for range 20 {
			wantStatus(t, "wrong credentials", call(api, token), 503)
		}
		if n := strings.Count(log.String(), "own credentials"); n != 1 {
			t.Errorf("got %d log entries, want one:\n%s", n, &log)
		}
		if strings.Contains(log.String(), "wrong-secret") || strings.Contains(log.String(), token) {
			t.Errorf("the log holds a secret or a token:\n%s", &log)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, introspection.Options{Timeout: time.Hour, HTTPClient: authority(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })})
		failed := make(chan error)
		go func() {
			_, err := c.Introspect(t.Context(), "t")
			failed <- err
		}()
		synctest.Wait()
		start := time.Now()
		go c.Close()
		if err := <-failed; !isUnknown(err) {
			t.Errorf("cut off by Close: got %v, want an error of no class", err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("Close cut the request off after %v", d)
		}
		c.Close()
		if _, err := c.Introspect(t.Context(), "t"); !isUnknown(err) {
			t.Errorf("after Close: got %v, want an error of no class", err)
		}
	})
}

// TestAnswerAgesFromTheQuestion: what the authority knew when it was asked is
// not younger because its answer took a while.
func TestAnswerAgesFromTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		c := newClient(t, introspection.Options{HTTPClient: authority(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			time.Sleep(3 * time.Second)
			says(`{"active":true}`)(w, r)
		})})
		ask := func(want int64) {
			t.Helper()
			if _, err := c.Introspect(t.Context(), "t"); err != nil || asked.Load() != want {
				t.Errorf("got error %v, asked %d times, want %d", err, asked.Load(), want)
			}
		}
		ask(1)
		time.Sleep(7*time.Second - time.Nanosecond)
		ask(1)
		time.Sleep(time.Nanosecond)
		ask(2)
	})
}

// stubborn is a transport whose bodies end by Close alone.
type stubborn struct{}

func (stubborn) RoundTrip(*http.Request) (*http.Response, error) {
	r, w := io.Pipe()
	go func() { _, _ = io.WriteString(w, `{"active":`) }()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: r}, nil
}

func TestBodyEndsWithTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, introspection.Options{HTTPClient: &http.Client{Transport: stubborn{}}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if _, err := c.Introspect(ctx, "t"); !isUnknown(err) || ctx.Err() != nil {
			t.Errorf("got %v, want an error of no class, in time", err)
		}
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("took %v, want 5s", d)
		}
	})
}

func TestNoToken(t *testing.T) {
	c := newClient(t, introspection.Options{HTTPClient: authority(func(http.ResponseWriter, *http.Request) { t.Error("the authority was asked") })})
	if _, err := c.Introspect(t.Context(), ""); !errors.Is(err, jwtbearer.ErrInactive) {
		t.Errorf("an empty token: got %v, want ErrInactive", err)
	}
	if err := c.CheckToken(t.Context(), nil, nil); !isUnknown(err) {
		t.Errorf("no token: got %v, want an error of no class", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Introspect(ctx, "t"); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who is gone: got %v, want its context's error", err)
	}
}

func TestNewRefusesMistakes(t *testing.T) {
	id := introspection.Options{ClientID: "a", ClientSecret: "b"}
	with := func(change func(*introspection.Options)) introspection.Options {
		o := id
		change(&o)
		return o
	}
	authorize := func(context.Context, http.Header, url.Values) error { return nil }
	for name, test := range map[string]struct {
		endpoint string
		opts     introspection.Options
		names    string
	}{
		"http":               {"http://id.example.com/introspect", id, "InsecureAllowHTTP"},
		"relative":           {"/introspect", id, "https"},
		"another scheme":     {"ftp://id.example.com/", id, "https"},
		"no URL":             {"https://%zz/", id, "URL"},
		"credentials in URL": {"https://u:secret@id.example.com/", id, "credentials"},
		"fragment":           {"https://id.example.com/#x", id, "fragment"},
		"no credentials":     {endpoint, introspection.Options{}, "credentials"},
		"no secret":          {endpoint, introspection.Options{ClientID: "a"}, "ClientSecret"},
		"secret alone":       {endpoint, introspection.Options{ClientSecret: "b", Authorize: authorize}, "ClientID"},
		"both":               {endpoint, with(func(o *introspection.Options) { o.Authorize = authorize }), "Authorize"},
		"timeout":            {endpoint, with(func(o *introspection.Options) { o.Timeout = -1 }), "Timeout"},
		"concurrency":        {endpoint, with(func(o *introspection.Options) { o.MaxConcurrent = -1 }), "MaxConcurrent"},
		"cache size":         {endpoint, with(func(o *introspection.Options) { o.CacheSize = -1 }), "CacheSize"},
		"cache life":         {endpoint, with(func(o *introspection.Options) { o.MaxCacheLife = -2 }), "MaxCacheLife"},
		"long cache life":    {endpoint, with(func(o *introspection.Options) { o.MaxCacheLife = time.Hour }), "MaxCacheLife"},
	} {
		c, err := introspection.New(test.endpoint, &test.opts)
		if err == nil || c != nil || !strings.Contains(err.Error(), test.names) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: got %v, error %v, want an error that names %s", name, c, err, test.names)
		}
	}
	if c, err := introspection.New("http://127.0.0.1/introspect", &introspection.Options{ClientID: "a", ClientSecret: "b", InsecureAllowHTTP: true}); err != nil {
		t.Errorf("http, allowed: %v", err)
	} else {
		c.Close()
	}
	if _, err := introspection.New(endpoint, nil); err == nil {
		t.Error("nil options: got no error, want one")
	}
}

func BenchmarkCached(b *testing.B) {
	c, err := introspection.New(endpoint, &introspection.Options{ClientID: "a", ClientSecret: "b", MaxCacheLife: 5 * time.Minute, HTTPClient: authority(says(`{"active":true}`))})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	token := strings.Repeat("x", 1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Introspect(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func TestClientHidesItsSecret(t *testing.T) {
	client, err := introspection.New("https://id.test/introspect", &introspection.Options{ClientID: "api1", ClientSecret: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if text := fmt.Sprintf(verb, client); strings.Contains(text, "s3cret") || text == "" {
			t.Errorf("%s: %s", verb, text)
		}
	}
}
