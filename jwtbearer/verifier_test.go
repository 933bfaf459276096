package jwtbearer_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// hello is a handler behind the middleware: it says who is calling.
var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "hello "+jwtbearer.TokenFrom(r.Context()).Subject())
})

// get sends a GET request with the token to the handler. "" is no token.
func get(t *testing.T, h http.Handler, token string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRequire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		h := issuer.Verifier(t, nil).Require("api1")(hello)

		w := get(t, h, issuer.Token("api1", jwtbearertest.Subject("alice")))
		if w.Code != http.StatusOK || w.Body.String() != "hello alice" {
			t.Errorf("good token: got %d %q", w.Code, w.Body)
		}
		w = get(t, h, issuer.Token("api2"))
		if want := `Bearer error="invalid_token", error_description="the token is not meant for this API"`; w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != want {
			t.Errorf("other audience: got %d %q, want 401 %q", w.Code, w.Header().Get("WWW-Authenticate"), want)
		}
		if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("got Content-Type %q", got)
		}
		var problem map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem["status"] != 401.0 || problem["detail"] != "the token is not meant for this API" {
			t.Errorf("got body %s, error %v", w.Body, err)
		}
		w = get(t, h, "")
		if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("no token: got %d %q, want 401 with a bare challenge", w.Code, w.Header().Get("WWW-Authenticate"))
		}
	})
}

func TestOptional(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		h := issuer.Verifier(t, nil).Optional("api1", jwtbearer.Scope("read"))(hello)
		for _, tt := range []struct {
			name, token string
			status      int
			body        string
		}{
			{"anonymous", "", 200, "hello "},
			{"good", issuer.Token("api1", jwtbearertest.Scopes("read")), 200, "hello "},
			{"bad", issuer.Token("api2", jwtbearertest.Scopes("read")), 401, ""},
			{"lacks a scope", issuer.Token("api1", jwtbearertest.Scopes("write")), 403, ""},
		} {
			w := get(t, h, tt.token)
			if w.Code != tt.status || tt.status == 200 && !strings.HasPrefix(w.Body.String(), tt.body) {
				t.Errorf("%s: got %d %q, want %d %q", tt.name, w.Code, w.Body, tt.status, tt.body)
			}
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Basic dTpw")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Errorf("another scheme: got %d, want it to pass as anonymous", w.Code)
		}
		r.Header.Set("Authorization", "Bearer")
		w = httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 400 {
			t.Errorf("scheme alone: got %d, want 400", w.Code)
		}
		h = issuer.Verifier(t, nil).Optional("api1", jwtbearer.InsecureQuery("access_token"))(hello)
		for query, status := range map[string]int{"": 200, "page=%zz": 200, "access_token=%zz": 400, "a=1;access_token=x": 400} {
			w = httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/?"+query, nil))
			if w.Code != status {
				t.Errorf("query %q: got %d, want %d", query, w.Code, status)
			}
		}
	})
}

func TestNilTokenIsSafe(t *testing.T) {
	token := jwtbearer.TokenFrom(t.Context())
	if token != nil {
		t.Fatal("a token from nowhere")
	}
	if token.Subject() != "" || token.Issuer() != "" || token.Raw() != "" || token.ID() != "" || token.ClientID() != "" ||
		token.SessionID() != "" || token.Type() != "" || token.Algorithm() != "" || token.KeyID() != "" ||
		token.StringClaim("sub") != "" || token.Audience() != nil || token.Scopes() != nil ||
		token.HasScope("") || token.HasRole("") || token.HasClaim("sub") ||
		!token.Expiry().IsZero() || !token.NotBefore().IsZero() || !token.IssuedAt().IsZero() {
		t.Error("a method of the nil Token does not return its zero value")
	}
	if err := token.Decode(&struct{}{}); err == nil {
		t.Error("Decode of the nil Token returns no error")
	}
}

func TestDefault(t *testing.T) {
	protect := jwtbearer.Require("api1") // before SetDefault, as in a package variable
	synctest.Test(t, func(t *testing.T) {
		jwtbearer.SetDefault(nil)
		h := protect(hello)
		if w := get(t, h, "x"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("no default: got %d, want 503 with Retry-After", w.Code)
		}
		if w := get(t, jwtbearer.Optional("api1")(hello), ""); w.Code != 503 {
			t.Errorf("no default, anonymous: got %d, want 503", w.Code)
		}
		for range 2 { // the second verifier takes over
			issuer := jwtbearertest.NewIssuer(t)
			jwtbearer.SetDefault(issuer.Verifier(t, nil))
			if w := get(t, h, issuer.Token("api1")); w.Code != 200 {
				t.Errorf("got %d %s, want 200", w.Code, w.Body)
			}
			if w := get(t, h, issuer.Token("api2")); w.Code != 401 {
				t.Errorf("got %d, want 401", w.Code)
			}
		}
		jwtbearer.SetDefault(nil)
	})
}

// TestRulesAreTheCallersNoMore: what a caller does with its slices afterwards, or
// append with the place behind them, changes no route.
func TestRulesAreTheCallersNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		v := issuer.Verifier(t, nil)
		jwtbearer.SetDefault(v)
		defer jwtbearer.SetDefault(nil)
		for name, require := range map[string]func(string, ...jwtbearer.Rule) func(http.Handler) http.Handler{
			"method": v.Require, "default": jwtbearer.Require, "default, optional": jwtbearer.Optional,
		} {
			base := make([]jwtbearer.Rule, 0, 1)
			write := require("api1", append(base, jwtbearer.Scope("write"))...)
			read := require("api1", append(base, jwtbearer.Scope("read"))...)
			token := issuer.Token("api1", jwtbearertest.Scopes("read"))
			if w := get(t, write(hello), token); w.Code != 403 {
				t.Errorf("%s: scope read on the route of write: got %d, want 403", name, w.Code)
			}
			if w := get(t, read(hello), token); w.Code != 200 {
				t.Errorf("%s: scope read on its own route: got %d, want 200", name, w.Code)
			}
		}
	})
}

// TestNoClockSkewMeasuresTheClock: who allows no tolerance needs the warning most.
func TestNoClockSkewMeasuresTheClock(t *testing.T) {
	for _, tt := range []struct {
		name string
		skew time.Duration
		want bool
	}{
		{"30 s off, one minute allowed", 0, false},
		{"30 s off, none allowed", jwtbearer.NoClockSkew, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t)
			late := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				resp, err := issuer.Client().Transport.RoundTrip(r)
				if err == nil {
					resp.Header.Set("Date", time.Now().Add(-30*time.Second).UTC().Format(http.TimeFormat))
				}
				return resp, err
			})}
			v := issuer.Verifier(t, &jwtbearer.Options{ClockSkew: tt.skew, HTTPClient: late})
			for range 2 {
				if err := v.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := v.Status().Authorities[0].ClockWrong; got != tt.want {
				t.Errorf("%s: ClockWrong is %t, want %t", tt.name, got, tt.want)
			}
		})
	}
}

func TestProgrammingMistakesPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := jwtbearertest.NewIssuer(t).Verifier(t, nil)
		for name, f := range map[string]func(){
			"empty audience":         func() { v.Require("") },
			"nil rule":               func() { v.Require("api1", nil) },
			"empty default audience": func() { jwtbearer.Require("") },
			"nil default rule":       func() { jwtbearer.Require("api1", nil) },
			"no scope":               func() { v.Require("api1", jwtbearer.Scope()) },
			"two scopes in one":      func() { v.Require("api1", jwtbearer.Scope("a b")) },
			"scope with a quote":     func() { v.Require("api1", jwtbearer.AnyScope(`a"b`)) },
			"empty role":             func() { v.Require("api1", jwtbearer.Role("")) },
			"unnamed claim":          func() { v.Require("api1", jwtbearer.Claim("")) },
			"nil validator":          func() { v.Require("api1", jwtbearer.Validate(nil)) },
			"empty other audience":   func() { v.Require("api1", jwtbearer.AlsoAudience("")) },
			"negative age":           func() { v.Require("api1", jwtbearer.MaxAge(-1)) },
			"no type":                func() { v.Require("api1", jwtbearer.TokenType()) },
			"unnamed cookie":         func() { v.Require("api1", jwtbearer.Cookie("")) },
			"tiny recheck":           func() { v.Require("api1", jwtbearer.Recheck(time.Millisecond)) },
			"nil handler":            func() { v.Require("api1")(nil) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: no panic", name)
					}
				}()
				f()
			}()
		}
		if _, err := v.Policy(""); err == nil {
			t.Error("Policy with an empty audience: no error")
		}
	})
}

func TestConfigurationMistakes(t *testing.T) {
	static, err := jwks.NewStatic("https://id.example.com", []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer static.Close()
	for _, tt := range []struct {
		name         string
		opts         jwtbearer.Options
		field, value string
	}{
		{"negative skew", jwtbearer.Options{ClockSkew: -time.Second}, "ClockSkew", "-1s"},
		{"skew as an interval", jwtbearer.Options{ClockSkew: time.Hour}, "ClockSkew", "1h0m0s"},
		{"no algorithm", jwtbearer.Options{Algorithms: []string{}}, "Algorithms", "[]"},
		{"none", jwtbearer.Options{Algorithms: []string{"none"}}, "Algorithms", "none"},
		{"HMAC", jwtbearer.Options{Algorithms: []string{"RS256", "HS256"}}, "Algorithms", "HS256"},
		{"no type", jwtbearer.Options{TokenTypes: []string{}}, "TokenTypes", "[]"},
		{"types with the profile", jwtbearer.Options{RequireRFC9068: true, TokenTypes: []string{"JWT"}}, "TokenTypes", "[JWT]"},
		{"audience without names", jwtbearer.Options{AudienceNames: map[string][]string{"api1": nil}}, "AudienceNames", `"api1": []`},
		{"role path with a hole", jwtbearer.Options{RoleClaim: []string{"a", ""}}, "RoleClaim", `["a" ""]`},
		{"nil checker", jwtbearer.Options{Checkers: []jwtbearer.Checker{checkerFunc(nil), nil}}, "Checkers[1]", "nil"},
		{"realm with a quote", jwtbearer.Options{Realm: `a"b`}, "Realm", `"a\"b"`},
		{"negative cache", jwtbearer.Options{Cache: jwtbearer.CacheOptions{MaxEntries: -1}}, "MaxEntries", "-1"},
		{"negative cache bytes", jwtbearer.Options{Cache: jwtbearer.CacheOptions{MaxBytes: -1}}, "MaxBytes", "-1"},
		{"sized and disabled cache", jwtbearer.Options{Cache: jwtbearer.CacheOptions{MaxEntries: 1, Disabled: true}}, "Disabled", "true"},
		{"keys and an address", jwtbearer.Options{Keys: static, JWKSURL: "https://id.example.com/jwks"}, "JWKSURL", "(an address)"},
		{"keys and a bound", jwtbearer.Options{Keys: static, MaxStaleness: time.Hour}, "MaxStaleness", "1h0m0s"},
		{"keys that one failure makes too old", jwtbearer.Options{MaxStaleness: 90 * time.Minute}, "MaxStaleness", "1h30m0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := jwtbearer.New("https://id.example.com", &tt.opts)
			if err == nil {
				v.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.field) || !strings.Contains(err.Error(), tt.value) {
				t.Errorf("the error does not name %s and its value %s: %v", tt.field, tt.value, err)
			}
		})
	}
	if v, err := jwtbearer.New("https://other.example.com", &jwtbearer.Options{Keys: static}); err == nil {
		v.Close()
		t.Error("keys of another issuer: no error")
	}
}

func TestUnavailableUntilTheAuthorityIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down())
		v := issuer.Verifier(t, nil)
		h := v.Require("api1")(hello)
		w := get(t, h, issuer.Token("api1"))
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("got %d %v, want 503 with Retry-After and without challenge", w.Code, w.Header())
		}
		if err := v.Ready(); !errors.Is(err, jwtbearer.ErrUnavailable) {
			t.Errorf("Ready: got %v", err)
		}
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Fault{})
		start := time.Now()
		if err := v.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("ready %v after the authority was", took)
		}
		if w := get(t, h, issuer.Token("api1")); w.Code != 200 {
			t.Errorf("got %d %s, want 200", w.Code, w.Body)
		}
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down())
		time.Sleep(23 * time.Hour)
		if w := get(t, h, issuer.Token("api1")); w.Code != 200 {
			t.Errorf("in an outage: got %d %s, want 200", w.Code, w.Body)
		}
		token := issuer.Token("api1", jwtbearertest.ExpiresIn(10*time.Hour))
		get(t, h, token) // remembered
		time.Sleep(3 * time.Hour)
		if w := get(t, h, token); w.Code != 503 {
			t.Errorf("keys too old, remembered token: got %d, want 503", w.Code)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		v := issuer.Verifier(t, nil)
		h := v.Require("api1")(hello)
		token := issuer.Token("api1")
		get(t, h, token)
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		for name, w := range map[string]*httptest.ResponseRecorder{
			"good token": get(t, h, token), "no token": get(t, h, ""), "anonymous": get(t, v.Optional("api1")(hello), ""),
		} {
			if w.Code != 503 {
				t.Errorf("%s: got %d, want 503", name, w.Code)
			}
		}
		p, _ := v.Policy("api1")
		if _, err := p.Verify(t.Context(), token); !errors.Is(err, jwtbearer.ErrClosed) || !errors.Is(err, jwtbearer.ErrUnavailable) {
			t.Errorf("got %v, want ErrClosed", err)
		}
		for name, err := range map[string]error{"Ready": v.Ready(), "WaitReady": v.WaitReady(t.Context()), "Refresh": v.Refresh(t.Context())} {
			if !errors.Is(err, jwtbearer.ErrClosed) {
				t.Errorf("%s: got %v, want ErrClosed", name, err)
			}
		}
	})
}

func TestNestingVerifiesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		var asked int
		v := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checkerFunc(func(context.Context, *jwtbearer.Token, *http.Request) error {
			asked++
			return nil
		})}})
		h := v.Require("api1")(v.Require("api1", jwtbearer.Scope("write"))(hello))
		if w := get(t, h, issuer.Token("api1", jwtbearertest.Scopes("write"))); w.Code != 200 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		if asked != 1 {
			t.Errorf("the checker was asked %d times, want once", asked)
		}
		if n := v.Status().Cache.Misses; n != 1 {
			t.Errorf("the token was verified %d times, want once", n)
		}
		if w := get(t, h, issuer.Token("api1", jwtbearertest.Scopes("read"))); w.Code != 403 {
			t.Errorf("inner rule: got %d, want 403", w.Code)
		}
		other := v.Require("api1")(v.Require("api2")(hello))
		if w := get(t, other, issuer.Token("api1")); w.Code != 401 {
			t.Errorf("inner audience: got %d, want 401", w.Code)
		}
		// An inner policy judges the token that the outer one found, also where it
		// would not look itself: a known caller is not anonymous.
		for name, tt := range map[string]struct {
			inner  func(string, ...jwtbearer.Rule) func(http.Handler) http.Handler
			scope  string
			status int
		}{
			"required":            {v.Require, "write", 200},
			"required, lacking":   {v.Require, "read", 403},
			"optional":            {v.Optional, "write", 200},
			"optional, lacking":   {v.Optional, "read", 403},
			"another's anonymous": {issuer.Verifier(t, nil).Optional, "read", 200},
		} {
			cookie := v.Require("api1", jwtbearer.Cookie("token"))(tt.inner("api1", jwtbearer.Scope("write"))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
			r := httptest.NewRequest("GET", "/", nil)
			r.AddCookie(&http.Cookie{Name: "token", Value: issuer.Token("api1", jwtbearertest.Scopes(tt.scope))})
			w := httptest.NewRecorder()
			if cookie.ServeHTTP(w, r); w.Code != tt.status {
				t.Errorf("token in a cookie, %s: got %d, want %d", name, w.Code, tt.status)
			}
		}
		// What an inner policy does not ask must not be taken for asked.
		asked = 0
		kind := v.Require("api1", jwtbearer.TokenType("JWT", "at+jwt"))(v.Require("api1")(hello))
		if w := get(t, kind, issuer.Token("api1")); w.Code != 200 || asked != 1 {
			t.Errorf("got %d, asked %d times, want 200 and once", w.Code, asked)
		}
	})
}

type checkerFunc func(context.Context, *jwtbearer.Token, *http.Request) error

func (f checkerFunc) CheckToken(ctx context.Context, t *jwtbearer.Token, r *http.Request) error {
	return f(ctx, t, r)
}

// TestHooksThatReturnNoReason: an error whose Reason says nothing is answered as one
// without a Reason is.
func TestHooksThatReturnNoReason(t *testing.T) {
	for _, bad := range []error{(*jwtbearer.Reason)(nil), new(jwtbearer.Reason), &jwtbearer.Error{Reason: new(jwtbearer.Reason)}} {
		synctest.Test(t, func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t)
			token := issuer.Token("api1")
			validated := issuer.Verifier(t, nil).Require("api1", jwtbearer.Validate(func(context.Context, *jwtbearer.Token) error { return bad }))
			if w := get(t, validated(hello), token); w.Code != 403 {
				t.Errorf("%T of Validate: got %d, want 403", bad, w.Code)
			}
			checked := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checkerFunc(func(context.Context, *jwtbearer.Token, *http.Request) error { return bad })}})
			if w := get(t, checked.Require("api1")(hello), token); w.Code != 503 {
				t.Errorf("%T of a Checker: got %d, want 503", bad, w.Code)
			}
		})
	}
}

func TestCheckers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		var answer error
		asked := 0
		v := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checkerFunc(func(_ context.Context, token *jwtbearer.Token, r *http.Request) error {
			asked++
			if token.Subject() == "" || r == nil {
				t.Error("the checker was not given token and request")
			}
			return answer
		})}})
		h := v.Require("api1")(hello)
		token := issuer.Token("api1")
		for _, tt := range []struct {
			name      string
			err       error
			status    int
			challenge string
		}{
			{"alive", nil, 200, ""},
			{"ended", jwtbearer.ErrSessionEnded, 401, `Bearer error="invalid_token", error_description="the session has ended"`},
			{"revoked", jwtbearer.ErrRevoked, 401, `Bearer error="invalid_token", error_description="the token has been revoked"`},
			{"some invalid token", jwtbearer.ErrInvalidToken, 401, `Bearer error="invalid_token", error_description="the token is not accepted"`},
			{"unknown", errors.New("the store is away"), 503, ""},
			{"a class that is not its own", jwtbearer.ErrInsufficientScope, 503, ""},
			{"alive again", nil, 200, ""},
		} {
			answer = tt.err
			w := get(t, h, token)
			if w.Code != tt.status || w.Header().Get("WWW-Authenticate") != tt.challenge {
				t.Errorf("%s: got %d %q, want %d %q", tt.name, w.Code, w.Header().Get("WWW-Authenticate"), tt.status, tt.challenge)
			}
		}
		asked = 0
		for _, bad := range []string{issuer.Token("api2"), issuer.Token("api1", jwtbearertest.ForgedSignature()), issuer.Token("api1", jwtbearertest.ExpiresIn(-time.Hour))} {
			get(t, h, bad)
		}
		if asked != 0 {
			t.Error("the checker was asked about a token that is not good in itself")
		}
	})
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		var accepted []string
		var refused []error
		v := issuer.Verifier(t, &jwtbearer.Options{Events: &jwtbearer.Events{
			Accepted: func(_ context.Context, _ *http.Request, token *jwtbearer.Token) {
				accepted = append(accepted, token.Subject())
			},
			Refused: func(_ context.Context, _ *http.Request, err *jwtbearer.Error) { refused = append(refused, err) },
		}})
		h := v.Require("api1")(hello)
		get(t, h, issuer.Token("api1", jwtbearertest.Subject("alice")))
		get(t, h, issuer.Token("api2"))
		get(t, h, "")
		get(t, v.Optional("api1")(hello), "")
		if len(accepted) != 1 || accepted[0] != "alice" {
			t.Errorf("accepted: %q", accepted)
		}
		if len(refused) != 2 || !errors.Is(refused[0], jwtbearer.ErrAudience) || !errors.Is(refused[1], jwtbearer.ErrNoToken) {
			t.Errorf("refused: %v", refused)
		}
	})
}

func TestErrorHandlerCannotTurnARefusalIntoAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		for name, handler := range map[string]func(http.ResponseWriter, *http.Request, int, error){
			"writes nothing":     func(http.ResponseWriter, *http.Request, int, error) {},
			"writes 200":         func(w http.ResponseWriter, _ *http.Request, _ int, _ error) { w.WriteHeader(200) },
			"writes a body only": func(w http.ResponseWriter, _ *http.Request, _ int, _ error) { io.WriteString(w, "no") },
		} {
			v := issuer.Verifier(t, &jwtbearer.Options{ErrorHandler: handler, Realm: "orders"})
			w := get(t, v.Require("api1")(hello), issuer.Token("api2"))
			if w.Code != 401 || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), `Bearer realm="orders", error="invalid_token"`) {
				t.Errorf("%s: got %d %v", name, w.Code, w.Header())
			}
		}
		// A panic is one of the request, as in any handler, and not a pass.
		v := issuer.Verifier(t, &jwtbearer.Options{ErrorHandler: func(http.ResponseWriter, *http.Request, int, error) { panic("x") }})
		passed := false
		func() {
			defer func() { recover() }()
			get(t, v.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true })), "")
		}()
		if passed {
			t.Error("the request passed")
		}
	})
}
