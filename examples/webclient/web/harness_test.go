package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/examples/api/orders"
	"github.com/bearerguard/bearerguard/examples/webclient/web"
	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

const (
	base   = "http://127.0.0.1:8081"
	apiURL = "https://api.test/orders"
)

// hosts sends requests where their host says, all within the process.
type hosts map[string]http.RoundTripper

func (h hosts) RoundTrip(req *http.Request) (*http.Response, error) {
	if to, ok := h[req.URL.Host]; ok {
		return to.RoundTrip(req)
	}
	return nil, errors.New("no such host: " + req.URL.Host)
}

// world is the application with its authority and its API.
type world struct {
	t      *testing.T
	issuer *jwtbearertest.Issuer
	app    *web.App
	net    hosts
}

func newWorld(t *testing.T, change ...func(*jwtbearertest.Options, *web.Config)) *world {
	t.Helper()
	opts := &jwtbearertest.Options{
		Clients: []*jwtbearertest.Client{{
			ID: "shop", Secret: "hush", ReuseLeeway: jwtbearertest.NoReuseLeeway,
			RedirectURIs: []string{base + "/callback"}, PostLogoutRedirectURIs: []string{base + "/"},
		}},
		APIs:                  []jwtbearertest.API{{Audience: "api1", Scopes: []string{"api1"}}},
		RevocationEndsSession: true,
	}
	cfg := web.Config{
		BaseURL: base, ClientID: "shop", ClientSecret: "hush", API: apiURL, ClockSkew: time.Minute,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, f := range change {
		f(opts, &cfg)
	}
	w := &world{t: t, issuer: jwtbearertest.NewIssuer(t, opts)}
	verifier := w.issuer.Verifier(t, &jwtbearer.Options{ClockSkew: cfg.ClockSkew, Checkers: []jwtbearer.Checker{live{w.issuer}}})
	api, err := orders.New(verifier, "api1")
	if err != nil {
		t.Fatal(err)
	}
	w.net = hosts{"issuer.test": w.issuer.Client().Transport, "api.test": jwtbearertest.HandlerClient(api).Transport}
	cfg.Authority, cfg.Transport = w.issuer.URL(), w.net
	if w.app, err = web.New(cfg); err != nil {
		t.Fatal(err)
	}
	w.net["127.0.0.1:8081"] = jwtbearertest.HandlerClient(w.app).Transport
	t.Cleanup(func() { w.app.Close() })
	return w
}

type live struct{ issuer *jwtbearertest.Issuer }

func (l live) CheckToken(_ context.Context, token *jwtbearer.Token, _ *http.Request) error {
	if !l.issuer.HasSession(token.SessionID()) {
		return jwtbearer.ErrSessionEnded
	}
	return nil
}

// tab is a browser without eyes.
type tab struct {
	w      *world
	client *http.Client
	jar    *cookiejar.Jar
	set    []*http.Cookie // what the last request's answers set
}

func (w *world) tab() *tab {
	jar, _ := cookiejar.New(nil)
	b := &tab{w: w, jar: jar}
	b.client = &http.Client{Jar: jar, Transport: b}
	return b
}

func (b *tab) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.w.net.RoundTrip(req)
	if err == nil && req.URL.Host == "127.0.0.1:8081" {
		b.set = append(b.set, resp.Cookies()...)
	}
	return resp, err
}

func (b *tab) do(req *http.Request) (*http.Response, string) {
	b.w.t.Helper()
	b.set = nil
	resp, err := b.client.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return resp, string(body)
}

func (b *tab) get(address string) (*http.Response, string) {
	b.w.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = base + address
	}
	req, _ := http.NewRequest("GET", address, nil)
	return b.do(req)
}

type answer struct {
	Text   string `json:"text"`
	Tone   string `json:"tone"`
	SignIn string `json:"sign_in"`
}

// press is what the page's script does when a button is pressed.
func (b *tab) press(path string, form url.Values) (int, answer) {
	b.w.t.Helper()
	req, _ := http.NewRequest("POST", base+path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, body := b.do(req)
	var a answer
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		b.w.t.Fatalf("got %d %q", resp.StatusCode, body)
	}
	return resp.StatusCode, a
}

func (b *tab) signIn() string {
	b.w.t.Helper()
	b.get("/")
	resp, page := b.get("/sign-in")
	if resp.StatusCode != 200 || !strings.Contains(page, `id="who"`) {
		b.w.t.Fatalf("the sign-in ended at %s with %d:\n%s", resp.Request.URL, resp.StatusCode, page)
	}
	return page
}

func (b *tab) cookie(name string) string {
	u, _ := url.Parse(base)
	for _, c := range b.jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *tab) wantSignedIn(name string) {
	b.w.t.Helper()
	if _, page := b.get("/"); !strings.Contains(page, `id="who">`+name+"<") {
		b.w.t.Fatalf("%s is not signed in", name)
	}
}

func (b *tab) wantNobody() {
	b.w.t.Helper()
	if _, page := b.get("/"); strings.Contains(page, `id="who"`) {
		b.w.t.Fatal("somebody is signed in")
	}
}

func (b *tab) wantCall(text string) {
	b.w.t.Helper()
	if status, a := b.press("/call", nil); status != 200 || !strings.Contains(a.Text, text) {
		b.w.t.Fatalf("got %d %q, want %q", status, a.Text, text)
	}
}
