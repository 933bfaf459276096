//go:build integration

package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore/redistest"
)

// cluster is some replicas of this program, as processes, the Redis they share,
// and the authority.
type cluster struct {
	redis    *redistest.Server
	issuer   *jwtbearertest.Issuer
	store    *redisstore.Store // the sign-in's
	replicas []string          // their addresses, http://127.0.0.1:port
	client   *http.Client
}

func newCluster(t *testing.T, replicas int, persistence redistest.Persistence, arguments ...string) *cluster {
	t.Helper()
	c := &cluster{
		redis:  redistest.Start(t, persistence),
		client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	t.Cleanup(c.client.CloseIdleConnections)
	var err error
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	if c.issuer, err = jwtbearertest.Start(&jwtbearertest.Options{Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.issuer.Close)
	client := redis.NewClient(&redis.Options{Addr: c.redis.Addr(), ContextTimeoutEnabled: true, DialerRetries: 1, MaxRetries: 1})
	t.Cleanup(func() { client.Close() })
	if c.store, err = redisstore.New(client, &redisstore.Options{Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.store.Close() })

	program := filepath.Join(t.TempDir(), "api-redis")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	if output, err := exec.CommandContext(t.Context(), program, "-redis", c.redis.Addr(), "-initialize").CombinedOutput(); err != nil {
		t.Fatalf("-initialize: %v\n%s", err, output)
	}
	for range replicas {
		c.replicas = append(c.replicas, start(t, program, append([]string{
			"-addr", "127.0.0.1:0", "-authority", c.issuer.URL(), "-allow-http", "-audience", "api1", "-redis", c.redis.Addr(),
		}, arguments...)...))
	}
	return c
}

// start runs the program until the test ends, and returns its address.
func start(t *testing.T, program string, arguments ...string) string {
	t.Helper()
	command := exec.Command(program, arguments...)
	var log buffer
	command.Stderr = &log
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(20*time.Second, func() { _ = command.Process.Kill() })
		err := command.Wait()
		if !late.Stop() || err != nil {
			t.Errorf("a replica did not end well: %v", err)
		}
		if text := log.String(); t.Failed() {
			t.Logf("a replica said:\n%s", text[:min(len(text), 4000)])
		} else if strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic") {
			t.Errorf("a replica said:\n%s", text)
		}
	})
	late := time.AfterFunc(20*time.Second, func() { _ = command.Process.Kill() })
	defer late.Stop()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("a replica did not start: %v\n%s", err, log.String())
	}
	return strings.TrimPrefix(strings.TrimSpace(line), "listening on ")
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (c *cluster) signIn(t *testing.T, id, subject string) (token string) {
	t.Helper()
	if err := c.store.Put(t.Context(), session.Session{Issuer: c.issuer.URL(), ID: id, Subject: subject}); err != nil {
		t.Fatal(err)
	}
	return c.token(id, subject)
}

func (c *cluster) token(id, subject string) string {
	return c.issuer.Token("api1", jwtbearertest.Algorithm("ES256"), jwtbearertest.Subject(subject),
		jwtbearertest.Claim("sid", id), jwtbearertest.ExpiresIn(time.Hour))
}

// do sends a request and returns the status of the answer.
func (c *cluster) do(ctx context.Context, method, address, token string, form url.Values) (int, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := c.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// orders asks a replica with a token.
func (c *cluster) orders(t *testing.T, replica int, token string) int {
	t.Helper()
	status, err := c.do(t.Context(), http.MethodGet, c.replicas[replica]+"/orders", token, nil)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// refusedAt returns how long it takes until a replica refuses a token.
func (c *cluster) refusedAt(t *testing.T, replica int, token string) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		switch status := c.orders(t, replica, token); {
		case status == http.StatusUnauthorized:
			return time.Since(begin)
		case time.Since(begin) > session.DefaultCacheLife+time.Second:
			t.Errorf("replica %d answers %d after %v", replica, status, time.Since(begin))
			return time.Since(begin)
		}
	}
}

// TestRevokedAtOneRefusedAtAll: sign-out by the authority, by an administrator
// and by the store reach all replicas, whose caches are warm.
func TestRevokedAtOneRefusedAtAll(t *testing.T) {
	c := newCluster(t, 3, redistest.AppendOnly)
	admin := c.issuer.Token("api1", jwtbearertest.Scopes(revokeScope), jwtbearertest.ExpiresIn(time.Hour))
	for name, end := range map[string]func(id, subject string) (int, error){
		"an administrator": func(id, _ string) (int, error) {
			return c.do(t.Context(), http.MethodDelete, c.replicas[0]+"/sessions/"+id, admin, nil)
		},
		"back-channel logout of a session": func(id, subject string) (int, error) {
			return c.do(t.Context(), http.MethodPost, c.replicas[0]+"/backchannel-logout", "", url.Values{"logout_token": {
				c.issuer.LogoutToken("web", jwtbearertest.Subject(subject), jwtbearertest.Claim("sid", id))}})
		},
		"back-channel logout of a subject": func(_, subject string) (int, error) {
			return c.do(t.Context(), http.MethodPost, c.replicas[0]+"/backchannel-logout", "", url.Values{"logout_token": {
				c.issuer.LogoutToken("web", jwtbearertest.Subject(subject))}})
		},
		"the store": func(id, _ string) (int, error) {
			return http.StatusOK, c.store.Revoke(t.Context(), session.Key{Issuer: c.issuer.URL(), ID: id})
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.ReplaceAll(name, " ", "-")
			token, other := c.signIn(t, id, "user-"+id), c.signIn(t, id+"-other", "other-"+id)
			for replica := range c.replicas {
				for range 2 {
					if status := c.orders(t, replica, token); status != http.StatusOK {
						t.Fatalf("replica %d before: got %d, want 200", replica, status)
					}
				}
			}
			if status, err := end(id, "user-"+id); err != nil || status/100 != 2 {
				t.Fatalf("ending the session: got %d, error %v", status, err)
			}
			for replica := range c.replicas {
				d := c.refusedAt(t, replica, token)
				t.Logf("replica %d refuses within %v", replica, d.Round(time.Microsecond))
				if status := c.orders(t, replica, other); status != http.StatusOK {
					t.Errorf("replica %d, another session: got %d, want 200", replica, status)
				}
			}
		})
	}
	// A logout token is good once, at whichever replica.
	form := url.Values{"logout_token": {c.issuer.LogoutToken("web", jwtbearertest.Subject("nobody"))}}
	for replica, want := range []int{http.StatusOK, http.StatusBadRequest, http.StatusBadRequest} {
		if status, err := c.do(t.Context(), http.MethodPost, c.replicas[replica]+"/backchannel-logout", "", form); err != nil || status != want {
			t.Errorf("logout token at replica %d: got %d, error %v, want %d", replica, status, err, want)
		}
	}
}

// TestRedisLosesItsData: nobody is signed out by it, and service goes on when
// the sessions were put back.
func TestRedisLosesItsData(t *testing.T) {
	c := newCluster(t, 2, redistest.Nothing)
	token := c.signIn(t, "s1", "alice")
	for replica := range c.replicas {
		if status := c.orders(t, replica, token); status != http.StatusOK {
			t.Fatalf("before: got %d, want 200", status)
		}
	}
	c.redis.Kill()
	c.redis.Restart()
	until := time.Now().Add(3 * time.Second)
	for time.Now().Before(until) {
		for replica := range c.replicas {
			if status := c.orders(t, replica, token); status != http.StatusServiceUnavailable && status != http.StatusOK {
				t.Fatalf("after data was lost: got %d, want 503 (or 200 by a verdict from before)", status)
			}
		}
	}
	for replica := range c.replicas {
		if status := c.orders(t, replica, token); status != http.StatusServiceUnavailable {
			t.Errorf("after data was lost: got %d, want 503", status)
		}
	}
	c.signIn(t, "s1", "alice") // the application puts its sessions back, and says so
	if err := c.store.Initialize(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	for replica := range c.replicas {
		if status := c.orders(t, replica, token); status != http.StatusOK {
			t.Errorf("after the sessions were put back: got %d, want 200", status)
		}
		if status := c.orders(t, replica, c.token("s2", "bob")); status != http.StatusUnauthorized {
			t.Errorf("a session that was not put back: got %d, want 401", status)
		}
	}
}
