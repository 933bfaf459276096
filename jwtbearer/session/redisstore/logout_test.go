//go:build integration

package redisstore_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore/redistest"
)

// logoutWorld is an issuer, and the logout endpoint of an API with the store s.
type logoutWorld struct {
	issuer  *jwtbearertest.Issuer
	handler http.Handler
}

func newLogoutWorld(t *testing.T, s *redisstore.Store) *logoutWorld {
	t.Helper()
	w := &logoutWorld{issuer: jwtbearertest.NewIssuer(t)}
	verifier := w.issuer.Verifier(t, &jwtbearer.Options{Logger: quiet})
	var err error
	if w.handler, err = session.NewLogoutHandler(verifier, "web", &session.LogoutOptions{Sessions: s, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *logoutWorld) wantLogout(t *testing.T, what, token string, status int) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	if recorder.Code != status {
		t.Errorf("%s: got %d %s, want %d", what, recorder.Code, recorder.Body, status)
	}
}

func (w *logoutWorld) put(t *testing.T, s *redisstore.Store, id string) {
	t.Helper()
	if err := s.Put(t.Context(), session.Session{Issuer: w.issuer.URL(), ID: id, Subject: "u1"}); err != nil {
		t.Fatal(err)
	}
}

func (w *logoutWorld) wantAlive(t *testing.T, s *redisstore.Store, id string, alive bool) {
	t.Helper()
	a := access(id)
	a.Key.Issuer = w.issuer.URL()
	state, err := s.Check(t.Context(), a)
	if err != nil || state.Alive != alive {
		t.Errorf("session %q: got alive %v, error %v, want alive %v", id, state.Alive, err, alive)
	}
}

// TestLogoutAtAStalledServer: the server does later what nobody waits for any
// more; the token can be sent again all the same.
func TestLogoutAtAStalledServer(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	s := open(t, server, &redisstore.Options{Timeout: 300 * time.Millisecond})
	initialize(t, s)
	waitConnected(t, s, true)
	w := newLogoutWorld(t, s)
	w.put(t, s, "s1")
	token := w.issuer.LogoutToken("web", jwtbearertest.Subject("u1"))
	server.Stall()
	w.wantLogout(t, "stalled", token, http.StatusServiceUnavailable)
	server.Continue()
	eventually(t, 10*time.Second, "answers again", func() bool {
		_, err := s.List(t.Context(), w.issuer.URL(), "u1")
		return err == nil
	})
	w.wantLogout(t, "again", token, http.StatusOK)
	w.wantAlive(t, s, "s1", false)
	w.put(t, s, "s2")
	w.wantLogout(t, "replayed", token, http.StatusBadRequest)
	w.wantAlive(t, s, "s2", true)
}

// deafConn breaks once, when the answer to a command comes in that holds the text
// lost.
type deafConn struct {
	net.Conn
	lost *atomic.Pointer[string]
	deaf atomic.Bool
}

func (c *deafConn) Write(b []byte) (int, error) {
	if text := c.lost.Load(); text != nil && strings.Contains(string(b), *text) && c.lost.CompareAndSwap(text, nil) {
		c.deaf.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *deafConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.deaf.Load() {
		c.Conn.Close()
		return 0, io.EOF
	}
	return n, err
}

// TestLogoutOverABrokenConnection: the client sends a command again whose answer
// was lost, and which the server has done by then. The only request there is for a
// logout succeeds all the same.
func TestLogoutOverABrokenConnection(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	var lost atomic.Pointer[string]
	client := redis.NewClient(&redis.Options{
		Addr: server.Addr(), ContextTimeoutEnabled: true, MaxRetries: 1,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &deafConn{Conn: conn, lost: &lost}, err
		},
	})
	t.Cleanup(func() { client.Close() })
	s, err := redisstore.New(client, &redisstore.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	initialize(t, s)
	waitConnected(t, s, true)
	w := newLogoutWorld(t, s)
	for _, command := range []string{"none", "exists", "evalsha", "set"} {
		w.put(t, s, "before-"+command)
		token := w.issuer.LogoutToken("web", jwtbearertest.Subject("u1"))
		text := "\r\n" + command + "\r\n"
		lost.Store(&text)
		w.wantLogout(t, "the answer to "+command+" is lost", token, http.StatusOK)
		if sent := lost.Swap(nil) == nil; sent != (command != "none") {
			t.Errorf("%s: got sent %v", command, sent)
		}
		w.wantAlive(t, s, "before-"+command, false)
		w.put(t, s, "after-"+command)
		w.wantLogout(t, "replayed", token, http.StatusBadRequest)
		w.wantAlive(t, s, "after-"+command, true)
	}
}
