//go:build integration

package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore/redistest"
	"github.com/bearerguard/bearerguard/jwtbearer/session/sessiontest"
)

const issuer = "https://id.example.com"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func newClient(t testing.TB, server *redistest.Server) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true, DialTimeout: time.Second, MaxRetries: 1})
	t.Cleanup(func() { client.Close() })
	return client
}

// open returns a store of its own: another one on the same server is another replica.
func open(t testing.TB, server *redistest.Server, opts *redisstore.Options) *redisstore.Store {
	t.Helper()
	if opts == nil {
		opts = &redisstore.Options{}
	}
	if opts.Logger == nil {
		opts.Logger = quiet
	}
	s, err := redisstore.New(newClient(t, server), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func initialize(t testing.TB, s *redisstore.Store) {
	t.Helper()
	if err := s.Initialize(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// waitConnected waits until s is subscribed, or not.
func waitConnected(t testing.TB, s *redisstore.Store, connected bool) {
	t.Helper()
	var is atomic.Bool
	stop := s.Watch(session.Watch{Connected: func(c bool) { is.Store(c) }})
	defer stop()
	eventually(t, 10*time.Second, fmt.Sprint("connected ", connected), func() bool { return is.Load() == connected })
}

func eventually(t testing.TB, within time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !holds() {
		if time.Since(start) > within {
			t.Fatalf("%s: not within %v", what, within)
		}
		time.Sleep(time.Millisecond) // waits for a real process
	}
	return time.Since(start)
}

func access(id string) session.Access {
	now := time.Now()
	return session.Access{Key: session.Key{Issuer: issuer, ID: id}, At: now, IssuedAt: now.Truncate(time.Second), KeepAccess: time.Minute, SyncInterval: 10 * time.Minute}
}

func put(t testing.TB, s session.Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := s.Put(t.Context(), session.Session{Issuer: issuer, ID: id, Subject: "user-" + id}); err != nil {
			t.Fatal(err)
		}
	}
}

func wantAlive(t testing.TB, s session.Store, id string, alive bool) {
	t.Helper()
	state, err := s.Check(t.Context(), access(id))
	if err != nil || state.Alive != alive {
		t.Errorf("session %q: got alive %v, error %v, want alive %v", id, state.Alive, err, alive)
	}
}

func wantLost(t testing.TB, s session.Store, a session.Access) {
	t.Helper()
	if state, err := s.Check(t.Context(), a); !errors.Is(err, session.ErrDataLost) {
		t.Errorf("session %q: got alive %v, error %v, want ErrDataLost", a.Key.ID, state.Alive, err)
	}
}

func TestStore(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	n := 0
	sessiontest.TestStore(t, func(t *testing.T) session.Store {
		n++
		s := open(t, server, &redisstore.Options{Prefix: fmt.Sprintf("{t%d}:", n), IdleTimeout: 4 * time.Hour})
		initialize(t, s)
		return s
	})
}

func TestRevocationStore(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	n := 0
	sessiontest.TestRevocationStore(t, func(t *testing.T) session.RevocationStore {
		n++
		s := open(t, server, &redisstore.Options{Prefix: fmt.Sprintf("{t%d}:", n)})
		initialize(t, s)
		return s.Revocations()
	})
}

func TestReplays(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	a, b := open(t, server, nil), open(t, server, nil)
	used := func(s *redisstore.Store, issuer string, want bool) {
		t.Helper()
		got, err := s.Used(t.Context(), issuer, "j")
		if err != nil || got != want {
			t.Errorf("Used: got %v, error %v, want %v", got, err, want)
		}
	}
	mark := func(life time.Duration) {
		t.Helper()
		if err := a.MarkUsed(t.Context(), issuer, "j", time.Now().Add(life)); err != nil {
			t.Errorf("MarkUsed: %v", err)
		}
	}
	used(a, issuer, false)
	mark(time.Minute)
	used(a, issuer, true)
	used(b, issuer, true)
	used(b, "https://other.example.com", false)
	mark(200 * time.Millisecond)
	eventually(t, 5*time.Second, "forgotten", func() bool {
		got, err := b.Used(t.Context(), issuer, "j")
		return !got && err == nil
	})
	mark(-time.Second) // its time is over
	used(a, issuer, false)
}

// TestOneRoundTrip counts the commands that the server is sent for a check.
func TestOneRoundTrip(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	client := newClient(t, server)
	var commands atomic.Int64
	client.AddHook(countingHook{&commands})
	s, err := redisstore.New(client, &redisstore.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	initialize(t, s)
	waitConnected(t, s, true)
	put(t, s, "a")
	wantAlive(t, s, "a", true) // loads the script
	revocations := s.Revocations()
	for name, check := range map[string]func() error{
		"alive": func() error { _, err := s.Check(t.Context(), access("a")); return err },
		"gone":  func() error { _, err := s.Check(t.Context(), access("b")); return err },
		"touch": func() error {
			a := access("a")
			a.At = a.At.Add(time.Hour)
			_, err := s.Check(t.Context(), a)
			return err
		},
		"adopt": func() error { a := access("c"); a.Adopt = true; _, err := s.Check(t.Context(), a); return err },
		"revoked": func() error {
			_, err := revocations.Revoked(t.Context(), session.Presented{Issuer: issuer, ID: "j", Subject: "u", ClientID: "c", At: time.Now()})
			return err
		},
		"one end":   func() error { return s.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "x"}) },
		"after one": func() error { _, err := s.Check(t.Context(), access("a")); return err },
	} {
		if err := check(); err != nil { // loads the script
			t.Fatal(err)
		}
		commands.Store(0)
		if err := check(); err != nil {
			t.Fatal(err)
		}
		if n := commands.Load(); n != 1 {
			t.Errorf("%s: got %d commands, want 1", name, n)
		}
	}
}

type countingHook struct{ n *atomic.Int64 }

func (countingHook) DialHook(next redis.DialHook) redis.DialHook { return next }
func (h countingHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.n.Add(1)
		return next(ctx, cmd)
	}
}
func (h countingHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.n.Add(1)
		return next(ctx, cmds)
	}
}

// TestPush: a revocation at one replica reaches the cache of another.
func TestPush(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	a, b := open(t, server, nil), open(t, server, nil)
	initialize(t, a)
	waitConnected(t, b, true)
	ended := make(chan session.Key, 8)
	revoked := make(chan struct{}, 8)
	b.Watch(session.Watch{
		Ended:   func(keys ...session.Key) { ended <- keys[0] },
		Revoked: func() { revoked <- struct{}{} },
	})
	put(t, a, "s1")
	start := time.Now()
	if err := a.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "s1"}); err != nil {
		t.Fatal(err)
	}
	select {
	case key := <-ended:
		if key.ID != "s1" || key.Issuer != issuer {
			t.Errorf("got %v, want s1", key)
		}
		t.Logf("told after %v", time.Since(start))
	case <-time.After(5 * time.Second):
		t.Fatal("the end of the session was not told")
	}
	if err := a.Revocations().Revoke(t.Context(), session.Revocation{Kind: session.RevokedToken, Issuer: issuer, Value: "j", Until: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-revoked:
	case <-time.After(5 * time.Second):
		t.Fatal("the revocation was not told")
	}
}

// TestLostSubscription: without its subscription a replica does not use its
// cache, and it subscribes again by itself.
func TestLostSubscription(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	a, b := open(t, server, nil), open(t, server, nil)
	initialize(t, a)
	put(t, a, "s1")
	waitConnected(t, b, true)
	var lost atomic.Bool
	b.Watch(session.Watch{Connected: func(connected bool) {
		if !connected {
			lost.Store(true)
		}
	}})
	if err := server.Do("CLIENT KILL TYPE pubsub"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "told that it is not connected", lost.Load)
	waitConnected(t, b, true)
	wantAlive(t, b, "s1", true)
	if err := a.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "s1"}); err != nil {
		t.Fatal(err)
	}
	wantAlive(t, b, "s1", false)
}

// TestSilentServer: a server that stalls is noticed, calls are bounded, and it
// is used again when it answers.
func TestSilentServer(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	s := open(t, server, &redisstore.Options{Timeout: 300 * time.Millisecond})
	initialize(t, s)
	put(t, s, "a")
	waitConnected(t, s, true)
	server.Stall()
	start := time.Now()
	if _, err := s.Check(t.Context(), access("a")); err == nil {
		t.Error("a stalled server: got no error, want one")
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("a stalled server: got an answer after %v, want about 300ms", d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start = time.Now()
	if _, err := s.Check(ctx, access("a")); err == nil {
		t.Error("a stalled server: got no error, want one")
	}
	if d := time.Since(start); d > 250*time.Millisecond {
		t.Errorf("a caller with 50 ms: got an answer after %v", d)
	}
	waitConnected(t, s, false)
	server.Continue()
	eventually(t, 10*time.Second, "answers again", func() bool {
		state, err := s.Check(t.Context(), access("a"))
		return err == nil && state.Alive
	})
	waitConnected(t, s, true)
}

func TestServerNeverInitialized(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	s := open(t, server, nil)
	put(t, s, "a")
	wantLost(t, s, access("a"))
	wantLost(t, s, access("absent"))
	if _, err := s.Revocations().Revoked(t.Context(), session.Presented{Issuer: issuer, ID: "j", At: time.Now()}); !errors.Is(err, session.ErrDataLost) {
		t.Errorf("Revoked: got %v, want ErrDataLost", err)
	}
	initialize(t, s)
	wantAlive(t, s, "a", true)
	wantAlive(t, s, "absent", false)
}

// TestRestart: what becomes of living, ended and unknown sessions when the
// server is killed and started again, by what it keeps.
func TestRestart(t *testing.T) {
	setUp := func(t *testing.T, p redistest.Persistence, opts *redisstore.Options) (*redistest.Server, *redisstore.Store) {
		server := redistest.Start(t, p)
		s := open(t, server, opts)
		initialize(t, s)
		put(t, s, "alive", "ended", "ended-later")
		if err := s.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "ended"}); err != nil {
			t.Fatal(err)
		}
		if p == redistest.Snapshot {
			if err := server.Do("SAVE"); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "ended-later"}); err != nil {
			t.Fatal(err)
		}
		waitConnected(t, s, true)
		server.Kill()
		if _, err := s.Check(t.Context(), access("alive")); err == nil || errors.Is(err, session.ErrDataLost) {
			t.Errorf("while the server is down: got %v, want a connection error", err)
		}
		waitConnected(t, s, false)
		server.Restart()
		return server, s
	}
	t.Run("append-only file", func(t *testing.T) {
		_, s := setUp(t, redistest.AppendOnly, nil)
		wantAlive(t, s, "alive", true)
		wantAlive(t, s, "ended", false)
		wantAlive(t, s, "ended-later", false)
		waitConnected(t, s, true)
		wantAlive(t, s, "alive", true)
	})
	t.Run("nothing kept", func(t *testing.T) {
		_, s := setUp(t, redistest.Nothing, nil)
		for _, id := range []string{"alive", "ended", "ended-later"} {
			wantLost(t, s, access(id))
		}
		waitConnected(t, s, true)
		wantLost(t, s, access("alive"))
		// The application puts back what it knows, and says so.
		put(t, s, "alive")
		wantLost(t, s, access("alive"))
		initialize(t, s)
		wantAlive(t, s, "alive", true)
		wantAlive(t, s, "ended", false)
	})
	t.Run("an old snapshot", func(t *testing.T) {
		server, s := setUp(t, redistest.Snapshot, nil)
		// The snapshot says that ended-later lives.
		wantLost(t, s, access("alive"))
		wantLost(t, s, access("ended-later"))
		wantAlive(t, s, "ended", false)
		waitConnected(t, s, true)
		wantLost(t, s, access("ended-later"))
		// So does a replica that starts now.
		wantLost(t, open(t, server, nil), access("ended-later"))
		initialize(t, s)
		wantAlive(t, s, "alive", true)
	})
	t.Run("an old snapshot, restarts trusted", func(t *testing.T) {
		_, s := setUp(t, redistest.Snapshot, &redisstore.Options{TrustRestarts: true})
		wantAlive(t, s, "ended-later", true) // as documented
	})
	t.Run("nothing kept, initialized by itself", func(t *testing.T) {
		_, s := setUp(t, redistest.Nothing, &redisstore.Options{AutoInitialize: true})
		old := access("alive")
		old.Adopt, old.Subject = true, "user-alive"
		old.IssuedAt = old.At.Add(-time.Minute)
		wantLost(t, s, old)
		old.Key.ID = "ended"
		wantLost(t, s, old)
		renewed := access("alive")
		renewed.Adopt, renewed.Subject = true, "user-alive"
		renewed.At, renewed.IssuedAt = renewed.At.Add(2*time.Second), renewed.At.Add(2*time.Second)
		if state, err := s.Check(t.Context(), renewed); err != nil || !state.Alive {
			t.Errorf("a renewed token of a living session: got alive %v, error %v, want alive", state.Alive, err)
		}
		// Unknown stays unknown for as long as an old token may live, and no longer.
		late := access("undated")
		late.Adopt, late.IssuedAt = true, time.Time{}
		wantLost(t, s, late)
		late.At = late.At.Add(session.DefaultRememberEnded + time.Second)
		if state, err := s.Check(t.Context(), late); err != nil || !state.Alive {
			t.Errorf("past the life of old tokens: got alive %v, error %v, want alive", state.Alive, err)
		}
	})
}

// TestCheckerRecovers: a Checker with its cache across a restart, and the
// bound on a revocation by another replica.
func TestCheckerRecovers(t *testing.T) {
	server := redistest.Start(t, redistest.AppendOnly)
	a, b := open(t, server, nil), open(t, server, nil)
	initialize(t, a)
	put(t, a, "s1", "s2")
	waitConnected(t, b, true)
	for round := range 2 {
		server.Kill()
		waitConnected(t, b, false)
		if _, err := b.Check(t.Context(), access("s1")); err == nil {
			t.Errorf("round %d: the server is down: got no error, want one", round)
		}
		server.Restart()
		d := eventually(t, 10*time.Second, "subscribed again", func() bool {
			connected := make(chan bool, 16)
			b.Watch(session.Watch{Connected: func(c bool) { connected <- c }})()
			return <-connected
		})
		t.Logf("round %d: subscribed again %v after the start", round, d)
		wantAlive(t, b, "s1", true)
	}
	if err := a.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "s1"}); err != nil {
		t.Fatal(err)
	}
	wantAlive(t, b, "s1", false)
	wantAlive(t, b, "s2", true)
}

// TestKeysExpire: everything written has an end, except marker and run.
func TestKeysExpire(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	s := open(t, server, nil)
	initialize(t, s)
	put(t, s, "a", "b")
	if err := s.Put(t.Context(), session.Session{Issuer: issuer, ID: "c", Subject: "u", Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	adopted := access("d")
	adopted.Adopt, adopted.Subject = true, "u"
	for _, a := range []session.Access{access("a"), access("c"), adopted} {
		a.At = a.At.Add(30 * time.Minute)
		if state, err := s.Check(t.Context(), a); err != nil || !state.Touched {
			t.Fatalf("got touched %v, error %v", state.Touched, err)
		}
	}
	if _, err := s.RevokeSubject(t.Context(), issuer, "user-b", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := s.Revocations().Revoke(t.Context(), session.Revocation{Kind: session.RevokedSubject, Issuer: issuer, Value: "u", Before: time.Now(), Until: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, server)
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	forever, short := 0, 0
	for _, key := range keys {
		ttl, err := client.PTTL(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if ttl < 0 {
			forever++
		}
		if ttl > 0 && ttl <= 30*time.Minute {
			short++
		}
		if ttl > 46*24*time.Hour {
			t.Errorf("key %s lives %v", key, ttl)
		}
	}
	if short != 1 {
		t.Errorf("got %d keys that end with the session's own end, want 1", short)
	}
	if forever != 2 || len(keys) < 8 {
		t.Errorf("got %d keys, %d without an end, want several and two: %v", len(keys), forever, keys)
	}
	// The touch of a session with an end keeps the end.
	wantAlive(t, s, "c", true)
	end := access("c")
	end.At = end.At.Add(time.Hour)
	if state, err := s.Check(t.Context(), end); err != nil || state.Alive {
		t.Errorf("past its end: got alive %v, error %v, want gone", state.Alive, err)
	}
}

// TestEndedSessionsInUseAreRemembered: a client that goes on with a revoked
// session does not outlast the memory of its end.
func TestEndedSessionsInUseAreRemembered(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	s := open(t, server, nil)
	initialize(t, s)
	if err := s.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "a"}); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, server)
	keys, err := client.Keys(t.Context(), "*:s:*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("got keys %v, error %v, want one session", keys, err)
	}
	for _, test := range []struct {
		name      string
		adopt     bool
		left      time.Duration
		want, max time.Duration
	}{
		{"not adopting", false, time.Minute, 0, time.Minute},
		{"adopting", true, time.Minute, session.DefaultRememberEnded - time.Minute, session.DefaultRememberEnded},
		{"remembered longer by another", true, 48 * time.Hour, 47 * time.Hour, 48 * time.Hour},
	} {
		if err := client.PExpire(t.Context(), keys[0], test.left).Err(); err != nil {
			t.Fatal(err)
		}
		a := access("a")
		a.Adopt = test.adopt
		if state, err := s.Check(t.Context(), a); err != nil || state.Alive {
			t.Errorf("%s: got alive %v, error %v, want gone", test.name, state.Alive, err)
		}
		if left, err := client.PTTL(t.Context(), keys[0]).Result(); err != nil || left < test.want || left > test.max {
			t.Errorf("%s: got %v left, error %v, want %v to %v", test.name, left, err, test.want, test.max)
		}
	}
}

// TestEndedSessionsLeaveTheList: ending the sessions of a subject again does not
// go through those that ended before, and tells nobody of them again.
func TestEndedSessionsLeaveTheList(t *testing.T) {
	server := redistest.Start(t, redistest.Nothing)
	s := open(t, server, nil)
	initialize(t, s)
	list := func() []string {
		t.Helper()
		client := newClient(t, server)
		keys, err := client.Keys(t.Context(), "*:u:*").Result()
		if err != nil || len(keys) > 1 {
			t.Fatalf("got lists %v, error %v, want at most one", keys, err)
		}
		if len(keys) == 0 {
			return nil
		}
		ids, err := client.ZRange(t.Context(), keys[0], 0, -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	waitConnected(t, s, true)
	var told atomic.Int64
	defer s.Watch(session.Watch{Ended: func(keys ...session.Key) { told.Add(int64(len(keys))) }})()
	const sessions = 1200 // more than one script ends
	for i := range sessions {
		if err := s.Put(t.Context(), session.Session{Issuer: issuer, ID: fmt.Sprint("s", i), Subject: "u"}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.RevokeSubject(t.Context(), issuer, "u", time.Now(), "s7"); n != sessions-1 || err != nil {
		t.Errorf("got %d, error %v, want %d", n, err, sessions-1)
	}
	if ids := list(); len(ids) != 1 || ids[0] != "s7" {
		t.Errorf("got %d sessions on the list, want s7 alone", len(ids))
	}
	// By the call, and by the server.
	eventually(t, 5*time.Second, "told of all", func() bool { return told.Load() == 2*(sessions-1) })
	told.Store(0)
	if n, err := s.RevokeSubject(t.Context(), issuer, "u", time.Now()); n != 1 || err != nil {
		t.Errorf("again: got %d, error %v, want 1", n, err)
	}
	if n := told.Load(); n < 1 || n > 2 {
		t.Errorf("again: told of %d ends, want one", n)
	}
	if ids := list(); len(ids) != 0 {
		t.Errorf("at the end: got %d sessions on the list, want none", len(ids))
	}
}

func BenchmarkCheck(b *testing.B) {
	server := redistest.Start(b, redistest.Nothing)
	s := open(b, server, nil)
	initialize(b, s)
	waitConnected(b, s, true)
	client := newClient(b, server)
	filled := 0
	for _, n := range []int{1, 10_000, 1_000_000} {
		fill(b, s, client, filled, n)
		filled = n
		b.Run(fmt.Sprint("sessions=", n), func(b *testing.B) {
			i := 0
			for b.Loop() {
				i++
				checkOne(b, s, i*7919%n)
			}
		})
		b.Run(fmt.Sprint("parallel/sessions=", n), func(b *testing.B) {
			b.SetParallelism(16)
			b.RunParallel(func(p *testing.PB) {
				for i := 0; p.Next(); i++ {
					checkOne(b, s, i*7919%n)
				}
			})
		})
	}
	info, err := client.Info(b.Context(), "memory").Result()
	if err != nil {
		b.Fatal(err)
	}
	b.Log(info[:80])
}

func checkOne(b *testing.B, s *redisstore.Store, i int) {
	state, err := s.Check(context.Background(), access(fmt.Sprint("s", i)))
	if err != nil || !state.Alive {
		b.Errorf("got alive %v, error %v", state.Alive, err)
	}
}

// fill puts sessions through as many connections as it takes to be quick.
func fill(b *testing.B, s *redisstore.Store, client *redis.Client, from, to int) {
	b.Helper()
	var next atomic.Int64
	next.Store(int64(from))
	done := make(chan error, 32)
	for range cap(done) {
		go func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= to {
					done <- nil
					return
				}
				id := fmt.Sprint("s", i)
				if err := s.Put(context.Background(), session.Session{Issuer: issuer, ID: id, Subject: "user-" + id}); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}
