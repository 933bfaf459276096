//go:build integration

package redisstore_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore/redistest"
)

// The behaviours of package session that depend on the store, with a real
// server and several replicas. The boundaries of SH5, SH6 and SH10, to the
// microsecond, are in TestStore.

// replica is an API with a store and a checker of its own.
type replica struct {
	store   *redisstore.Store
	checker *session.Checker
	api     http.Handler
}

func newReplica(t *testing.T, server *redistest.Server, issuer *jwtbearertest.Issuer, opts session.Options) *replica {
	t.Helper()
	r := &replica{store: open(t, server, nil)}
	opts.Logger = quiet
	var err error
	if r.checker, err = session.New(r.store, &opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.checker.Close() })
	verifier := issuer.Verifier(t, &jwtbearer.Options{Checkers: []jwtbearer.Checker{r.checker}, Logger: quiet})
	r.api = verifier.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return r
}

func (r *replica) call(token string) *http.Response {
	request := httptest.NewRequest(http.MethodGet, "https://api.test/", nil)
	request.Header.Set("Authorization", "Bearer "+token)
	recorder := httptest.NewRecorder()
	r.api.ServeHTTP(recorder, request)
	return recorder.Result()
}

func wantStatus(t *testing.T, what string, res *http.Response, status int, challenge string) {
	t.Helper()
	if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != status || !strings.Contains(got, challenge) {
		t.Errorf("%s: got %d, challenge %q, want %d with %q", what, res.StatusCode, got, status, challenge)
	}
}

const (
	ok    = http.StatusOK
	ended = `error="invalid_token", error_description="the session has ended"`
)

// setUp returns two replicas and a token of a session that is in the store.
func setUp(t *testing.T, opts session.Options) (server *redistest.Server, issuer *jwtbearertest.Issuer, a, b *replica, token, id string) {
	t.Helper()
	server = redistest.Start(t, redistest.AppendOnly)
	issuer = jwtbearertest.NewIssuer(t)
	a, b = newReplica(t, server, issuer, opts), newReplica(t, server, issuer, opts)
	initialize(t, a.store)
	tokens := issuer.SignIn(nil)
	if err := a.store.Put(t.Context(), session.Session{Issuer: issuer.URL(), ID: tokens.SessionID, Subject: "alice", Tenant: "t1"}); err != nil {
		t.Fatal(err)
	}
	waitConnected(t, a.store, true)
	waitConnected(t, b.store, true)
	return server, issuer, a, b, tokens.AccessToken, tokens.SessionID
}

func TestSH01AbsentSessionIsGone(t *testing.T) {
	_, issuer, a, b, token, _ := setUp(t, session.Options{})
	wantStatus(t, "alive", b.call(token), ok, "")
	wantStatus(t, "absent", a.call(issuer.SignIn(nil).AccessToken), http.StatusUnauthorized, ended)
}

func TestSH02StoreAwayIsUnknownNeverGone(t *testing.T) {
	server, issuer, a, b, token, _ := setUp(t, session.Options{})
	open := newReplica(t, server, issuer, session.Options{InsecurePassUnknown: true})
	wantStatus(t, "before", a.call(token), ok, "")
	server.Kill()
	waitConnected(t, a.store, false) // from here on, no cached verdict counts
	waitConnected(t, b.store, false)
	for _, r := range []*replica{a, b} {
		res := r.call(token)
		wantStatus(t, "server down", res, http.StatusServiceUnavailable, "")
		if res.Header.Get("Retry-After") == "" || res.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("server down: got header %v", res.Header)
		}
		if body, _ := io.ReadAll(res.Body); strings.Contains(string(body), "127.0.0.1") {
			t.Errorf("the body tells of the store: %s", body)
		}
	}
	wantStatus(t, "server down, InsecurePassUnknown", open.call(token), ok, "")
	server.Restart()
	eventually(t, 10*time.Second, "alive again", func() bool { return a.call(token).StatusCode == ok })
}

func TestSH05OneWriteOfManyRequestsAtManyReplicas(t *testing.T) {
	const keep = 300 * time.Millisecond
	_, _, a, b, token, _ := setUp(t, session.Options{KeepAccess: keep, CacheLife: session.NoCache})
	both := func() uint64 { return a.checker.Stats().Touched + b.checker.Stats().Touched }
	wantStatus(t, "warm", a.call(token), ok, "")
	wantStatus(t, "warm", b.call(token), ok, "")
	for round := uint64(1); round <= 3; round++ {
		before := both()
		time.Sleep(keep + 50*time.Millisecond) // a real clock, since the server is real
		begin := time.Now()
		var group sync.WaitGroup
		for i := range 100 {
			group.Go(func() {
				if res := []*replica{a, b}[i%2].call(token); res.StatusCode != ok {
					t.Errorf("got %d, want 200", res.StatusCode)
				}
			})
		}
		group.Wait()
		if took := time.Since(begin); took >= keep {
			t.Logf("round %d took %v, too long to count its writes", round, took)
		} else if n := both() - before; n != 1 {
			t.Errorf("round %d: 100 parallel requests at two replicas wrote %d times, want once", round, n)
		}
	}
}

func TestSH06SyncIsSharedByReplicas(t *testing.T) {
	const keep, interval = 20 * time.Millisecond, 300 * time.Millisecond
	var mu sync.Mutex
	var events []session.SyncEvent
	_, issuer, a, b, token, id := setUp(t, session.Options{
		KeepAccess: keep, SyncInterval: interval, CacheLife: session.NoCache,
		Sink: func(_ context.Context, e session.SyncEvent) error {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
			return nil
		},
	})
	if err := a.store.Put(t.Context(), session.Session{Issuer: issuer.URL(), ID: "idle", Subject: "bob"}); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for time.Since(begin) < 5*interval {
		wantStatus(t, "in use", a.call(token), ok, "")
		wantStatus(t, "in use", b.call(token), ok, "")
		time.Sleep(keep / 2)
	}
	most := int(time.Since(begin) / interval)
	a.checker.Close()
	b.checker.Close()
	if len(events) < 2 || len(events) > most {
		t.Errorf("got %d events from two replicas, want 2 to %d", len(events), most)
	}
	for i, e := range events {
		if e.SessionID != id || e.Issuer != issuer.URL() || e.Tenant != "t1" || e.Address != "192.0.2.1" {
			t.Errorf("got event %+v", e)
		}
		if i > 0 && e.At.Sub(events[i-1].At).Abs() < interval-time.Millisecond {
			t.Errorf("two events %v apart, want at least %v", e.At.Sub(events[i-1].At), interval)
		}
	}
}

func TestSH07RevokedDuringTouchesStaysGone(t *testing.T) {
	for _, adopt := range []bool{false, true} {
		_, issuer, a, b, token, id := setUp(t, session.Options{KeepAccess: time.Microsecond, AdoptUnknown: adopt, CacheLife: session.NoCache})
		var revoked atomic.Bool
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				for range 200 {
					after := revoked.Load()
					switch status := []*replica{a, b}[i%2].call(token).StatusCode; {
					case status != ok && status != http.StatusUnauthorized:
						t.Errorf("adopt %v: got %d", adopt, status)
					case status == ok && after:
						t.Errorf("adopt %v: accepted after it was revoked", adopt)
					}
				}
			})
		}
		group.Go(func() {
			if err := b.store.Revoke(t.Context(), session.Key{Issuer: issuer.URL(), ID: id}); err != nil {
				t.Error(err)
			}
			revoked.Store(true)
		})
		group.Wait()
		wantStatus(t, "after", a.call(token), http.StatusUnauthorized, ended)
	}
}

func TestSH09PushEvictsAndCacheIsBounded(t *testing.T) {
	const life = 2 * time.Second
	server, issuer, a, b, token, id := setUp(t, session.Options{CacheLife: life})
	wantStatus(t, "warm", b.call(token), ok, "")
	wantStatus(t, "warm", b.call(token), ok, "")
	if s := b.checker.Stats(); s.Cached != 1 {
		t.Errorf("Stats: got %+v, want one cached verdict", s)
	}
	if err := a.store.Revoke(t.Context(), session.Key{Issuer: issuer.URL(), ID: id}); err != nil {
		t.Fatal(err)
	}
	d := eventually(t, life/2, "refused by the push", func() bool { return b.call(token).StatusCode == http.StatusUnauthorized })
	t.Logf("refused %v after the revocation", d)

	// A revocation that nobody is told of, as if the push was lost unnoticed.
	second := issuer.SignIn(nil)
	if err := a.store.Put(t.Context(), session.Session{Issuer: issuer.URL(), ID: second.SessionID}); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "warm", b.call(second.AccessToken), ok, "")
	begin := time.Now()
	client := newClient(t, server)
	keys, err := client.Keys(t.Context(), "*:s:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if err := client.Del(t.Context(), key).Err(); err != nil {
			t.Fatal(err)
		}
	}
	wantStatus(t, "by the cached verdict", b.call(second.AccessToken), ok, "")
	eventually(t, life+time.Second, "refused without a push", func() bool { return b.call(second.AccessToken).StatusCode == http.StatusUnauthorized })
	if d := time.Since(begin); d > life+200*time.Millisecond {
		t.Errorf("refused after %v, want %v at most", d, life)
	}
}

func TestSH11LogoutReachesAllReplicas(t *testing.T) {
	server := redistest.Start(t, redistest.AppendOnly)
	var logout http.Handler
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{
		Clients:    []*jwtbearertest.Client{{ID: "web", Secret: "s", RedirectURIs: []string{"https://web.test/back"}, BackChannelLogoutURI: "https://api.test/logout"}},
		HTTPClient: jwtbearertest.HandlerClient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { logout.ServeHTTP(w, r) })),
	})
	opts := session.Options{AdoptUnknown: true}
	a, b := newReplica(t, server, issuer, opts), newReplica(t, server, issuer, opts)
	initialize(t, a.store)
	waitConnected(t, b.store, true)
	var err error
	if logout, err = session.NewLogoutHandler(issuer.Verifier(t, nil), "web", &session.LogoutOptions{Sessions: a.store, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	alice, bob := issuer.SignIn(&jwtbearertest.SignIn{Subject: "alice"}), issuer.SignIn(&jwtbearertest.SignIn{Subject: "bob"})
	for _, r := range []*replica{a, b} {
		wantStatus(t, "alice before", r.call(alice.AccessToken), ok, "")
		wantStatus(t, "bob before", r.call(bob.AccessToken), ok, "")
	}
	if err := issuer.EndSession(alice.SessionID); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "alice at the replica that was told", a.call(alice.AccessToken), http.StatusUnauthorized, ended)
	eventually(t, time.Second, "alice refused at the other replica", func() bool { return b.call(alice.AccessToken).StatusCode == http.StatusUnauthorized })
	wantStatus(t, "bob after", b.call(bob.AccessToken), ok, "")
	// SH12: her refresh token is of no use.
	_, err = issuer.Refresh(alice.RefreshToken)
	var refused *jwtbearertest.Error
	if !errors.As(err, &refused) || refused.Code != "invalid_grant" {
		t.Errorf("refresh: got %v, want invalid_grant", err)
	}
}
