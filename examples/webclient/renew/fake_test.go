package renew_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

const (
	issuerURL = "https://id.test"
	apiURL    = "https://api.test"
	sessionID = "s1"
)

// handlerTransport is an http.RoundTripper that asks a handler, without
// sockets, and answers with a body that knows whether it was read and closed.
type handlerTransport struct {
	handler http.Handler
	mu      sync.Mutex
	bodies  []*trackedBody
}

func (t *handlerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	aborted := false
	func() {
		defer func() {
			if v := recover(); v == http.ErrAbortHandler {
				aborted = true
			} else if v != nil {
				panic(v)
			}
		}()
		t.handler.ServeHTTP(rec, req)
	}()
	if req.Body != nil {
		req.Body.Close()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if aborted {
		return nil, errors.New("connection reset")
	}
	resp := rec.Result()
	resp.Request = req
	body := &trackedBody{Reader: resp.Body}
	resp.Body = body
	t.mu.Lock()
	t.bodies = append(t.bodies, body)
	t.mu.Unlock()
	return resp, nil
}

type trackedBody struct {
	io.Reader
	read   int
	closed atomic.Bool
}

func (b *trackedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

func (b *trackedBody) Close() error { b.closed.Store(true); return nil }

// authority is a token endpoint with one-time refresh tokens and no leeway.
type authority struct {
	mu        sync.Mutex
	refresh   string // the one refresh token that works
	access    string // the access token issued last
	n         int
	forms     []url.Values
	basic     []string
	discovery int
	// answer, if set, replaces the answer of the token endpoint.
	answer func(w http.ResponseWriter, r *http.Request)
	// change, if set, edits the members of a good answer.
	change    func(map[string]any)
	delay     time.Duration
	metadata  map[string]any
	discovers func(w http.ResponseWriter, r *http.Request)
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/.well-known/openid-configuration" {
		a.mu.Lock()
		a.discovery++
		a.mu.Unlock()
		if a.discovers != nil {
			a.discovers(w, r)
			return
		}
		meta := map[string]any{"issuer": issuerURL, "token_endpoint": issuerURL + "/token"}
		for name, value := range a.metadata {
			meta[name] = value
		}
		writeJSON(w, 200, meta)
		return
	}
	if r.URL.Path != "/token" || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	r.ParseForm()
	user, password, _ := r.BasicAuth()
	a.mu.Lock()
	a.forms = append(a.forms, r.PostForm)
	a.basic = append(a.basic, user+":"+password)
	a.mu.Unlock()
	if a.delay > 0 {
		select {
		case <-time.After(a.delay):
		case <-r.Context().Done():
			return
		}
	}
	if a.answer != nil {
		a.answer(w, r)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.PostForm.Get("grant_type") != "refresh_token" || r.PostForm.Get("refresh_token") != a.refresh {
		writeJSON(w, 400, map[string]any{"error": "invalid_grant"})
		return
	}
	a.n++
	a.access, a.refresh = fmt.Sprintf("access-%d", a.n), fmt.Sprintf("refresh-%d", a.n)
	members := map[string]any{
		"access_token": a.access, "token_type": "Bearer", "expires_in": 60,
		"refresh_token": a.refresh, "id_token": fmt.Sprintf("id-%d", a.n),
	}
	if a.change != nil {
		a.change(members)
		a.refresh, _ = members["refresh_token"].(string)
		if a.refresh == "" {
			a.refresh = r.PostForm.Get("refresh_token")
		}
	}
	writeJSON(w, 200, members)
}

func (a *authority) refreshes() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.forms)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// api accepts the access token that the authority issued last, and tells the
// challenge of a refused one.
type api struct {
	authority *authority
	mu        sync.Mutex
	calls     []string // the tokens sent
	bodies    []string
	// answer, if set, replaces the comparison.
	answer func(w http.ResponseWriter, r *http.Request)
	// before, if set, runs ahead of each answer.
	before func(r *http.Request)
}

const refusal = `Bearer realm="orders", error="invalid_token", error_description="the token has expired"`

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	a.mu.Lock()
	a.calls = append(a.calls, token)
	a.bodies = append(a.bodies, string(body))
	a.mu.Unlock()
	if a.before != nil {
		a.before(r)
	}
	if a.answer != nil {
		a.answer(w, r)
		return
	}
	a.authority.mu.Lock()
	want := a.authority.access
	a.authority.mu.Unlock()
	if token != want {
		w.Header().Set("WWW-Authenticate", refusal)
		w.WriteHeader(401)
		io.WriteString(w, `{"title":"Unauthorized"}`)
		return
	}
	io.WriteString(w, "fine")
}

func (a *api) sent() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.calls...)
}

// sessions is the simplest store that keeps its promises.
type sessions struct {
	mu       sync.Mutex
	tokens   map[string]renew.Tokens
	replaces int
	loads    int
	failing  error         // what Replace returns, if set
	slow     time.Duration // how long Replace takes
}

func (s *sessions) Load(_ context.Context, session string) (renew.Tokens, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	t, ok := s.tokens[session]
	if !ok {
		return renew.Tokens{}, renew.ErrSessionEnded
	}
	return t, nil
}

func (s *sessions) swap(session string, used renew.Tokens, change func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch held, ok := s.tokens[session]; {
	case !ok:
		return renew.ErrSessionEnded
	case held.AccessToken != used.AccessToken:
		return renew.ErrReplaced
	}
	change()
	return nil
}

func (s *sessions) Replace(ctx context.Context, session string, used, renewed renew.Tokens) error {
	time.Sleep(s.slow)
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.failing != nil {
		return s.failing
	}
	return s.swap(session, used, func() { s.tokens[session] = renewed; s.replaces++ })
}

func (s *sessions) End(_ context.Context, session string, used renew.Tokens) error {
	return s.swap(session, used, func() { delete(s.tokens, session) })
}

func (s *sessions) put(session string, t renew.Tokens) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[session] = t
}

// world is one session, its API and its authority.
type world struct {
	t         *testing.T
	authority *authority
	api       *api
	base      *handlerTransport
	store     *sessions
	renewer   *renew.Renewer
	client    *http.Client
	mu        sync.Mutex
	failures  []error
	renewals  int
}

// newWorld has a session with the access token access-0, which the API
// accepts and which lives for 60 seconds from now.
func newWorld(t *testing.T, change ...func(*renew.Options)) *world {
	t.Helper()
	w := &world{t: t, authority: &authority{access: "access-0", refresh: "refresh-0"}}
	w.api = &api{authority: w.authority}
	w.base = &handlerTransport{handler: w.api}
	w.store = &sessions{tokens: map[string]renew.Tokens{
		sessionID: renew.NewTokens("access-0", "refresh-0", "id-0", time.Now(), time.Minute),
	}}
	opts := renew.Options{
		Issuer: issuerURL, ClientID: "shop", ClientSecret: "hush hush", API: apiURL, Store: w.store,
		HTTPClient: &http.Client{Transport: &handlerTransport{handler: w.authority}},
		Base:       w.base,
		Events: renew.Events{
			Renewed: func(context.Context, string, renew.Tokens, renew.Tokens) {
				w.mu.Lock()
				w.renewals++
				w.mu.Unlock()
			},
			Failed: func(_ context.Context, _ string, err error) {
				w.mu.Lock()
				w.failures = append(w.failures, err)
				w.mu.Unlock()
			},
		},
	}
	for _, f := range change {
		f(&opts)
	}
	var err error
	if w.renewer, err = renew.New(opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.renewer.Close() })
	w.client = &http.Client{Transport: &renew.Transport{Renewer: w.renewer, Session: sessionID}}
	return w
}

// refuseOld makes the API refuse access-0: only what a refresh brings works.
func (w *world) refuseOld() {
	w.authority.mu.Lock()
	w.authority.access = "none yet"
	w.authority.mu.Unlock()
}

func (w *world) get() (status int, body string, err error) {
	resp, err := w.client.Get(apiURL + "/orders")
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func (w *world) held() renew.Tokens {
	w.t.Helper()
	tokens, err := w.store.Load(context.Background(), sessionID)
	if err != nil {
		w.t.Fatal("the session is gone: ", err)
	}
	return tokens
}

func (w *world) wantStatus(want int) {
	w.t.Helper()
	status, _, err := w.get()
	if err != nil || status != want {
		w.t.Fatalf("got status %d, error %v; want %d", status, err, want)
	}
}

func (w *world) wantError(want error) error {
	w.t.Helper()
	status, _, err := w.get()
	if !errors.Is(err, want) {
		w.t.Fatalf("got status %d, error %v; want an error that matches %q", status, err, want)
	}
	return err
}

func (w *world) wantRefreshes(want int) {
	w.t.Helper()
	if got := w.authority.refreshes(); got != want {
		w.t.Fatalf("got %d refresh grants, want %d", got, want)
	}
}
