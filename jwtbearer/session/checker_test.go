package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

const issuer = "https://id.example.com"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func newChecker(t *testing.T, store session.Store, opts *session.Options) *session.Checker {
	t.Helper()
	if opts == nil {
		opts = &session.Options{}
	}
	if opts.Logger == nil {
		opts.Logger = quiet
	}
	c, err := session.New(store, opts)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// facts are those of a good token of the session id.
func facts(id string) session.Facts {
	return session.Facts{Issuer: issuer, ID: id, Subject: "user-" + id, Client: "app", Tenant: "tenant-of-token", IssuedAt: time.Now()}
}

func put(t *testing.T, store session.Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := store.Put(t.Context(), session.Session{Issuer: issuer, ID: id, Subject: "user-" + id, Tenant: "tenant-of-" + id}); err != nil {
			t.Fatalf("Put(%q): %v", id, err)
		}
	}
}

func key(id string) session.Key { return session.Key{Issuer: issuer, ID: id} }

// counting counts what a store is asked, and can fail, hang or act in between.
type counting struct {
	session.Store
	checks, touches atomic.Int64
	fail            atomic.Pointer[error]
	after           func() // called when the store has answered a Check
}

func (s *counting) Check(ctx context.Context, a session.Access) (session.State, error) {
	s.checks.Add(1)
	if err := s.fail.Load(); err != nil {
		return session.State{}, *err
	}
	state, err := s.Store.Check(ctx, a)
	if state.Touched {
		s.touches.Add(1)
	}
	if s.after != nil {
		s.after()
	}
	return state, err
}

func (s *counting) setFailure(err error) {
	if err == nil {
		s.fail.Store(nil)
		return
	}
	s.fail.Store(&err)
}

// pushing is a counting store that pushes revocations, as a remote one does.
type pushing struct {
	counting
	mu    sync.Mutex
	watch session.Watch
}

func (s *pushing) Watch(w session.Watch) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = w
	return func() {}
}

func newPushing() *pushing { return &pushing{counting: counting{Store: session.NewMemory(nil)}} }

// isUnknown reports whether err is one that jwtbearer answers with 503.
func isUnknown(err error) bool {
	return err != nil && !errors.Is(err, jwtbearer.ErrInvalidToken) && !errors.Is(err, jwtbearer.ErrInvalidRequest) &&
		!errors.Is(err, jwtbearer.ErrInsufficientScope) && !errors.Is(err, jwtbearer.ErrNoToken)
}

func TestSH01AbsentSessionIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory(nil)
		c := newChecker(t, m, nil)
		put(t, m, "a")
		if err := c.CheckFacts(t.Context(), facts("a"), nil); err != nil {
			t.Errorf("a living session: got %v, want nil", err)
		}
		if err := c.CheckFacts(t.Context(), facts("b"), nil); !errors.Is(err, jwtbearer.ErrSessionEnded) {
			t.Errorf("an absent session: got %v, want ErrSessionEnded", err)
		}
		if s := c.Stats(); s.Alive != 1 || s.Gone != 1 {
			t.Errorf("Stats: got %+v, want one alive, one gone", s)
		}
	})
}

func TestSH02StoreAwayIsUnknownNeverGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := map[string]error{
			"refused":                     errors.New("connection refused"),
			"wraps a verdict by accident": fmt.Errorf("proxy: %w", jwtbearer.ErrSessionEnded),
			"data lost":                   session.ErrDataLost,
			"deadline":                    context.DeadlineExceeded,
		}
		for name, failure := range failures {
			store := &counting{Store: session.NewMemory(nil)}
			put(t, store, "a")
			var told []bool
			unknown := func(_ context.Context, err error, passed bool) {
				if !errors.Is(err, failure) {
					t.Errorf("%s: Unknown was told %v, want the store's error", name, err)
				}
				told = append(told, passed)
			}
			closed := newChecker(t, store, &session.Options{Unknown: unknown})
			open := newChecker(t, store, &session.Options{Unknown: unknown, InsecurePassUnknown: true})
			store.setFailure(failure)
			if err := closed.CheckFacts(t.Context(), facts("a"), nil); !isUnknown(err) {
				t.Errorf("%s: got %v, want an error of no class", name, err)
			}
			if err := open.CheckFacts(t.Context(), facts("a"), nil); err != nil {
				t.Errorf("%s: with InsecurePassUnknown: got %v, want nil", name, err)
			}
			if len(told) != 2 || told[0] || !told[1] {
				t.Errorf("%s: Unknown was told %v, want false, true", name, told)
			}
			if s := closed.Stats(); s.Unknown != 1 || s.Passed != 0 || s.Gone != 0 {
				t.Errorf("%s: Stats: got %+v", name, s)
			}
			if s := open.Stats(); s.Unknown != 1 || s.Passed != 1 || s.Gone != 0 {
				t.Errorf("%s: Stats with InsecurePassUnknown: got %+v", name, s)
			}
			store.setFailure(nil)
			if err := closed.CheckFacts(t.Context(), facts("a"), nil); err != nil {
				t.Errorf("%s: after it came back: got %v, want nil", name, err)
			}
			// Passing what is unknown does not pass what is gone.
			if err := open.CheckFacts(t.Context(), facts("b"), nil); !errors.Is(err, jwtbearer.ErrSessionEnded) {
				t.Errorf("%s: a gone session with InsecurePassUnknown: got %v, want ErrSessionEnded", name, err)
			}
		}
	})
}

func TestSH02OutageIsLoggedOnceAndItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		store := &counting{Store: session.NewMemory(nil)}
		put(t, store, "a-session-id")
		c := newChecker(t, store, &session.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		store.setFailure(errors.New("connection refused"))
		for range 100 {
			_ = c.CheckFacts(t.Context(), facts("a-session-id"), nil)
		}
		if n := strings.Count(log.String(), "cannot be asked"); n != 1 {
			t.Errorf("100 failures: got %d log entries, want 1:\n%s", n, &log)
		}
		time.Sleep(31 * time.Second)
		_ = c.CheckFacts(t.Context(), facts("a-session-id"), nil)
		if n := strings.Count(log.String(), "cannot be asked"); n != 2 {
			t.Errorf("31 s later: got %d log entries, want 2", n)
		}
		store.setFailure(nil)
		for range 3 {
			_ = c.CheckFacts(t.Context(), facts("a-session-id"), nil)
		}
		if n := strings.Count(log.String(), "can be asked again"); n != 1 {
			t.Errorf("recovered: got %d log entries, want 1", n)
		}
		if strings.Contains(log.String(), "a-session-id") {
			t.Errorf("the log holds a session identifier:\n%s", &log)
		}
	})
}

func TestSH02HangingStoreIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChecker(t, hanging{session.NewMemory(nil)}, nil)
		start := time.Now()
		if err := c.CheckFacts(t.Context(), facts("a"), nil); !isUnknown(err) {
			t.Errorf("got %v, want an error of no class", err)
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("a hanging store: got an answer after %v, want 2s", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start = time.Now()
		_ = c.CheckFacts(ctx, facts("a"), nil)
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("a caller with 100 ms: got an answer after %v", d)
		}
	})
}

type hanging struct{ session.Store }

func (hanging) Check(ctx context.Context, _ session.Access) (session.State, error) {
	<-ctx.Done()
	return session.State{}, ctx.Err()
}

func TestSH04TokenWithoutSession(t *testing.T) {
	const alive, missing = "alive", "missing"
	for _, test := range []struct {
		name    string
		missing session.Missing
		clients []string
		client  string
		want    string
	}{
		{"the zero value refuses", session.RefuseMissing, nil, "app", missing},
		{"refuse, no client", session.RefuseMissing, nil, "", missing},
		{"skip", session.SkipMissing, nil, "app", alive},
		{"skip, no client", session.SkipMissing, nil, "", alive},
		{"except this client", session.RefuseMissingExcept, []string{"batch", "app"}, "app", alive},
		{"except another client", session.RefuseMissingExcept, []string{"batch"}, "app", missing},
		{"except, no client", session.RefuseMissingExcept, []string{"batch"}, "", missing},
		{"of this client", session.RefuseMissingOf, []string{"web", "app"}, "app", missing},
		{"of another client", session.RefuseMissingOf, []string{"web"}, "app", alive},
		{"of, no client", session.RefuseMissingOf, []string{"web"}, "", missing},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := &counting{Store: session.NewMemory(nil)}
			c := newChecker(t, store, &session.Options{Missing: test.missing, Clients: test.clients})
			f := session.Facts{Issuer: issuer, Subject: "u", Client: test.client, IssuedAt: time.Now()}
			err := c.CheckFacts(t.Context(), f, nil)
			if test.want == alive && err != nil {
				t.Errorf("got %v, want nil", err)
			}
			if test.want == missing && (!errors.Is(err, jwtbearer.ErrClaim) || !errors.Is(err, jwtbearer.ErrInvalidToken)) {
				t.Errorf("got %v, want ErrClaim", err)
			}
			if store.checks.Load() != 0 {
				t.Error("the store was asked")
			}
			// The policy is about tokens without a session: one that names a
			// session which is gone is refused under every policy.
			f.ID = "gone"
			if err := c.CheckFacts(t.Context(), f, nil); !errors.Is(err, jwtbearer.ErrSessionEnded) {
				t.Errorf("a gone session: got %v, want ErrSessionEnded", err)
			}
		})
	}
}

func TestSH05OneWriteWithinKeepAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &counting{Store: session.NewMemory(nil)}
		put(t, store, "a")
		c := newChecker(t, store, nil)
		for range 2 {
			if err := c.CheckFacts(t.Context(), facts("a"), nil); err != nil {
				t.Fatal(err)
			}
		}
		if store.checks.Load() != 2 || store.touches.Load() != 0 {
			t.Errorf("two requests: got %d reads, %d writes, want 2 and 0", store.checks.Load(), store.touches.Load())
		}
		time.Sleep(session.DefaultKeepAccess + time.Nanosecond)
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				if err := c.CheckFacts(t.Context(), facts("a"), nil); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if store.checks.Load() != 102 || store.touches.Load() != 1 {
			t.Errorf("100 parallel requests: got %d reads, %d writes, want 102 and 1", store.checks.Load(), store.touches.Load())
		}
		if s := c.Stats(); s.Touched != 1 {
			t.Errorf("Stats.Touched: got %d, want 1", s.Touched)
		}
	})
}

// recorder is a sink.
type recorder struct {
	mu     sync.Mutex
	events []session.SyncEvent
}

func (r *recorder) sink(_ context.Context, e session.SyncEvent) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) of(id string) (events []session.SyncEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.SessionID == id {
			events = append(events, e)
		}
	}
	return events
}

func TestSH06ActiveSessionSyncsIdleOneDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory(nil)
		put(t, m, "active", "idle")
		var r recorder
		c := newChecker(t, m, &session.Options{Sink: r.sink})
		for range 50 { // every 30 s for 25 min
			time.Sleep(30 * time.Second)
			if err := c.CheckFacts(t.Context(), facts("active"), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if got := len(r.of("active")); got != 2 {
			t.Errorf("the active session: got %d events, want 2", got)
		}
		if got := len(r.of("idle")); got != 0 {
			t.Errorf("the idle session: got %d events, want none", got)
		}
	})
}

// TestSH06OthersTakeNoEvents: of several services that share a store, those that
// have no sink, or have closed it, leave the events to the one that has.
func TestSH06OthersTakeNoEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory(nil)
		put(t, m, "a")
		var r recorder
		without := newChecker(t, m, nil)
		closed := newChecker(t, m, &session.Options{Sink: func(context.Context, session.SyncEvent) error { return nil }})
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		c := newChecker(t, m, &session.Options{Sink: r.sink})
		for range 50 { // every 30 s for 25 min
			time.Sleep(30 * time.Second)
			for _, checker := range []*session.Checker{without, closed, c} {
				if err := checker.CheckFacts(t.Context(), facts("a"), nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if got := len(r.of("a")); got != 2 {
			t.Errorf("got %d events, want 2", got)
		}
		if s := closed.Stats(); s.SyncDropped != 0 {
			t.Errorf("the closed one dropped %d events, want none", s.SyncDropped)
		}
	})
}

func TestSH07RevokedDuringTouchStaysGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, adopt := range []bool{false, true} {
			store := newPushing()
			put(t, store, "a")
			c := newChecker(t, store, &session.Options{AdoptUnknown: adopt})
			time.Sleep(2 * session.DefaultKeepAccess)
			store.after = func() { // the store has touched the session, the checker does not know yet
				store.after = nil
				if err := store.Revoke(t.Context(), key("a")); err != nil {
					t.Error(err)
				}
				store.watch.Ended(key("a"))
			}
			// The check that the revocation overtook may answer either way.
			_ = c.CheckFacts(t.Context(), facts("a"), nil)
			for range 3 {
				if err := c.CheckFacts(t.Context(), facts("a"), nil); !errors.Is(err, jwtbearer.ErrSessionEnded) {
					t.Errorf("adopt %v: after the revocation: got %v, want ErrSessionEnded", adopt, err)
				}
				time.Sleep(2 * session.DefaultKeepAccess)
			}
			c.Close()
		}
	})
}

func TestSH08SyncEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory(nil)
		put(t, m, "a")
		if err := m.Put(t.Context(), session.Session{Issuer: issuer, ID: "b", Subject: "user-b"}); err != nil {
			t.Fatal(err)
		}
		var r recorder
		c := newChecker(t, m, &session.Options{Sink: r.sink})
		forwarded := newChecker(t, m, &session.Options{Sink: r.sink, ClientAddress: func(r *http.Request) string { return r.Header.Get("X-Real-Ip") }})
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.RemoteAddr = "[2001:db8::1]:4711"
		request.Header.Set("X-Forwarded-For", "203.0.113.9")
		request.Header.Set("X-Real-Ip", "198.51.100.4")
		time.Sleep(11 * time.Minute)
		at := time.Now()
		if err := c.CheckFacts(t.Context(), facts("a"), request); err != nil {
			t.Fatal(err)
		}
		if err := forwarded.CheckFacts(t.Context(), facts("b"), request); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := session.SyncEvent{Issuer: issuer, SessionID: "a", Subject: "user-a", ClientID: "app", Tenant: "tenant-of-a", Address: "2001:db8::1", At: at}
		if got := r.of("a"); len(got) != 1 || got[0] != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		want = session.SyncEvent{Issuer: issuer, SessionID: "b", Subject: "user-b", ClientID: "app", Tenant: "tenant-of-token", Address: "198.51.100.4", At: at}
		if got := r.of("b"); len(got) != 1 || got[0] != want {
			t.Errorf("with ClientAddress, tenant from the token: got %+v, want %+v", got, want)
		}
		if list, err := m.List(t.Context(), issuer, "user-a"); err != nil || list[0].Address != "2001:db8::1" {
			t.Errorf("the stored session: got %+v, error %v, want the address", list, err)
		}
	})
}

func TestSH08BadSinkFailsNoRequest(t *testing.T) {
	sinks := map[string]func(context.Context, session.SyncEvent) error{
		"fails":  func(context.Context, session.SyncEvent) error { return errors.New("database away") },
		"panics": func(context.Context, session.SyncEvent) error { panic("a mistake") },
		"hangs until its context ends": func(ctx context.Context, _ session.SyncEvent) error {
			<-ctx.Done()
			return ctx.Err()
		},
	}
	for name, sink := range sinks {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := session.NewMemory(nil)
				c := newChecker(t, m, &session.Options{Sink: sink, SinkQueue: 2, SinkTimeout: time.Second, DrainTimeout: time.Second})
				for i := range 10 {
					put(t, m, fmt.Sprint("s", i))
				}
				time.Sleep(11 * time.Minute)
				start := time.Now()
				for i := range 10 {
					if err := c.CheckFacts(t.Context(), facts(fmt.Sprint("s", i)), nil); err != nil {
						t.Errorf("request %d: got %v, want nil", i, err)
					}
				}
				if d := time.Since(start); d != 0 {
					t.Errorf("ten requests waited %v for the sink", d)
				}
				_ = c.Close()
				if d := time.Since(start); d > 3*time.Second {
					t.Errorf("Close took %v", d)
				}
				s := c.Stats()
				if s.SyncSent != 0 || s.SyncFailed == 0 || s.SyncFailed+s.SyncDropped != 10 {
					t.Errorf("Stats: got %+v, want ten events failed or dropped", s)
				}
				// After Close, requests are still answered.
				time.Sleep(11 * time.Minute)
				if err := c.CheckFacts(t.Context(), facts("s1"), nil); err != nil {
					t.Errorf("after Close: got %v, want nil", err)
				}
			})
		})
	}
}

// TestSH08PanicOfSinkIsLoggedWithoutTheEvent: no session identifier is logged.
func TestSH08PanicOfSinkIsLoggedWithoutTheEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory(nil)
		put(t, m, "the-session")
		var log strings.Builder
		c := newChecker(t, m, &session.Options{
			Sink:   func(_ context.Context, e session.SyncEvent) error { panic(e) },
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		time.Sleep(11 * time.Minute)
		if err := c.CheckFacts(t.Context(), facts("the-session"), nil); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if got := log.String(); strings.Contains(got, "the-session") || !strings.Contains(got, "session.SyncEvent") || !strings.Contains(got, "checker_test.go") {
			t.Errorf("the log holds the session, or not what panicked, and where:\n%s", got)
		}
	})
}

func TestSH08CloseDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory(nil)
		var r recorder
		c := newChecker(t, m, &session.Options{Sink: func(ctx context.Context, e session.SyncEvent) error {
			time.Sleep(100 * time.Millisecond)
			return r.sink(ctx, e)
		}})
		for i := range 20 {
			put(t, m, fmt.Sprint("s", i))
		}
		time.Sleep(11 * time.Minute)
		for i := range 20 {
			if err := c.CheckFacts(t.Context(), facts(fmt.Sprint("s", i)), nil); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := c.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if got := len(r.events); got != 20 {
			t.Errorf("got %d events, want 20", got)
		}
	})
}

func TestSH09CachedVerdictIsBoundedAndEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newPushing()
		put(t, store, "a", "b", "c")
		c := newChecker(t, store, nil)
		ask := func(id string) error { return c.CheckFacts(t.Context(), facts(id), nil) }
		asked := func(id string, want bool) {
			t.Helper()
			before := store.checks.Load()
			if err := ask(id); err != nil {
				t.Errorf("session %q: got %v, want nil", id, err)
			}
			if got := store.checks.Load() != before; got != want {
				t.Errorf("session %q: the store was asked: %v, want %v", id, got, want)
			}
		}
		asked("a", true)
		asked("a", false)
		time.Sleep(session.DefaultCacheLife - time.Nanosecond)
		asked("a", false)
		time.Sleep(time.Nanosecond)
		asked("a", true)

		// The push evicts at once, and only what it names.
		asked("b", true)
		if err := store.Revoke(t.Context(), key("a")); err != nil {
			t.Fatal(err)
		}
		asked("a", false) // not told yet: bounded by the cache's life
		store.watch.Ended(key("a"))
		if err := ask("a"); !errors.Is(err, jwtbearer.ErrSessionEnded) {
			t.Errorf("after the push: got %v, want ErrSessionEnded", err)
		}
		asked("b", false)

		// A push that gets lost: the life of the verdict is the bound.
		if err := store.Revoke(t.Context(), key("b")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(session.DefaultCacheLife)
		if err := ask("b"); !errors.Is(err, jwtbearer.ErrSessionEnded) {
			t.Errorf("after the cache's life: got %v, want ErrSessionEnded", err)
		}

		// While the push is not connected, nothing is cached.
		asked("c", true)
		store.watch.Connected(false)
		asked("c", true)
		asked("c", true)
		store.watch.Connected(true)
		asked("c", true)
		asked("c", false)

		// What was asked for before the connection was lost is not believed after.
		time.Sleep(session.DefaultCacheLife)
		store.after = func() {
			store.after = nil
			store.watch.Connected(false)
			store.watch.Connected(true)
		}
		asked("c", true)
		asked("c", true)
		asked("c", false)

		c.Close()
		asked("c", true)
		store.watch.Connected(true) // a late call
		asked("c", true)
		asked("c", true)
	})
}

func TestSH09CacheHidesNoWriteAndNoExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newPushing()
		start := time.Now()
		if err := store.Put(t.Context(), session.Session{Issuer: issuer, ID: "a", Expires: start.Add(62 * time.Second)}); err != nil {
			t.Fatal(err)
		}
		c := newChecker(t, store, &session.Options{CacheLife: 5 * time.Minute})
		for time.Since(start) < 62*time.Second {
			if err := c.CheckFacts(t.Context(), facts("a"), nil); err != nil {
				t.Fatalf("after %v: %v", time.Since(start), err)
			}
			time.Sleep(time.Second)
		}
		// Asked at the start, at the end of KeepAccess, and just past it.
		if store.checks.Load() != 3 || store.touches.Load() != 1 {
			t.Errorf("got %d reads, %d writes, want 3 and 1", store.checks.Load(), store.touches.Load())
		}
		if err := c.CheckFacts(t.Context(), facts("a"), nil); !errors.Is(err, jwtbearer.ErrSessionEnded) {
			t.Errorf("after its expiry: got %v, want ErrSessionEnded", err)
		}
	})
}

func TestSH09CacheIsBoundedInSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newPushing()
		c := newChecker(t, store, &session.Options{CacheSize: 640, AdoptUnknown: true})
		for i := range 10000 {
			if err := c.CheckFacts(t.Context(), facts(fmt.Sprint("s", i)), nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := c.Stats().CacheEntries; n > 640 || n < 500 {
			t.Errorf("got %d entries, want at most 640 and not far below", n)
		}
	})
}

func TestSH09GoneIsNotCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newPushing()
		c := newChecker(t, store, nil)
		if err := c.CheckFacts(t.Context(), facts("a"), nil); !errors.Is(err, jwtbearer.ErrSessionEnded) {
			t.Fatalf("got %v, want ErrSessionEnded", err)
		}
		put(t, store, "a") // the sign-in's write arrived a moment later
		if err := c.CheckFacts(t.Context(), facts("a"), nil); err != nil {
			t.Errorf("got %v, want nil", err)
		}
	})
}

func TestSH10Boundaries(t *testing.T) {
	for _, cache := range []time.Duration{session.NoCache, 5 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			store := newPushing()
			put(t, store, "a")
			var r recorder
			c := newChecker(t, store, &session.Options{Sink: r.sink, CacheLife: cache})
			ask := func() {
				t.Helper()
				if err := c.CheckFacts(t.Context(), facts("a"), nil); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
			touched := func(want int64) {
				t.Helper()
				ask()
				if got := store.touches.Load(); got != want {
					t.Errorf("cache %v: got %d writes, want %d", cache, got, want)
				}
			}
			time.Sleep(session.DefaultKeepAccess)
			touched(0) // exactly at the span
			time.Sleep(time.Nanosecond)
			touched(1) // just past it
			time.Sleep(session.DefaultKeepAccess)
			touched(1)
			time.Sleep(time.Nanosecond)
			touched(2)

			// The same for the sync, counted from the session's creation.
			time.Sleep(session.DefaultSyncInterval - 2*session.DefaultKeepAccess - 2*time.Nanosecond)
			touched(3)
			if got := len(r.of("a")); got != 0 {
				t.Errorf("cache %v: exactly at the sync interval: got %d events, want none", cache, got)
			}
			time.Sleep(session.DefaultKeepAccess + time.Nanosecond)
			touched(4)
			if got := len(r.of("a")); got != 1 {
				t.Errorf("cache %v: past the sync interval: got %d events, want 1", cache, got)
			}
			time.Sleep(session.DefaultSyncInterval)
			touched(5)
			if got := len(r.of("a")); got != 1 {
				t.Errorf("cache %v: exactly one interval after the sync: got %d events, want 1", cache, got)
			}
			time.Sleep(session.DefaultKeepAccess + time.Nanosecond)
			touched(6)
			if got := len(r.of("a")); got != 2 {
				t.Errorf("cache %v: past it: got %d events, want 2", cache, got)
			}
		})
	}
}

// told records the accesses that a store is asked about.
type told struct {
	session.Store
	last session.Access
}

func (s *told) Check(ctx context.Context, a session.Access) (session.State, error) {
	s.last = a
	return s.Store.Check(ctx, a)
}

// TestStoreIsToldOfTheToken: also where sessions are not adopted, a store needs
// the subject to keep its lists.
func TestStoreIsToldOfTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, adopt := range []bool{false, true} {
			store := &told{Store: session.NewMemory(nil)}
			put(t, store, "a")
			sink := func(context.Context, session.SyncEvent) error { return nil }
			if err := newChecker(t, store, &session.Options{AdoptUnknown: adopt, Sink: sink}).CheckFacts(t.Context(), facts("a"), nil); err != nil {
				t.Fatal(err)
			}
			want := session.Access{
				Key: key("a"), At: time.Now(), KeepAccess: time.Minute, SyncInterval: 10 * time.Minute,
				Subject: "user-a", ClientID: "app", Tenant: "tenant-of-token", IssuedAt: time.Now(), Adopt: adopt,
			}
			if store.last != want {
				t.Errorf("got %+v, want %+v", store.last, want)
			}
		}
	})
}

func TestAdoptUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory(nil)
		c := newChecker(t, m, &session.Options{AdoptUnknown: true})
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		for range 2 {
			if err := c.CheckFacts(t.Context(), facts("a"), request); err != nil {
				t.Fatalf("got %v, want nil", err)
			}
		}
		list, err := m.List(t.Context(), issuer, "user-a")
		if err != nil || len(list) != 1 || list[0].ClientID != "app" || list[0].Tenant != "tenant-of-token" || list[0].Address != "192.0.2.1" || !list[0].Expires.IsZero() {
			t.Errorf("the adopted session: got %+v, error %v", list, err)
		}
		if err := m.Revoke(t.Context(), key("a"), key("unseen")); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"a", "unseen"} {
			if err := c.CheckFacts(t.Context(), facts(id), request); !errors.Is(err, jwtbearer.ErrSessionEnded) {
				t.Errorf("revoked session %q: got %v, want ErrSessionEnded", id, err)
			}
		}
	})
}

func TestNewRefusesMistakes(t *testing.T) {
	m := session.NewMemory(nil)
	for name, test := range map[string]struct {
		store session.Store
		opts  session.Options
		names string
	}{
		"no store":                  {nil, session.Options{}, "store"},
		"negative keep":             {m, session.Options{KeepAccess: -1}, "KeepAccess"},
		"negative sync":             {m, session.Options{SyncInterval: -1}, "SyncInterval"},
		"negative timeout":          {m, session.Options{StoreTimeout: -1}, "StoreTimeout"},
		"negative queue":            {m, session.Options{SinkQueue: -1}, "SinkQueue"},
		"negative cache size":       {m, session.Options{CacheSize: -1}, "CacheSize"},
		"cache life too long":       {m, session.Options{CacheLife: session.MaxCacheLife + 1}, "CacheLife"},
		"cache life negative":       {m, session.Options{CacheLife: -2}, "CacheLife"},
		"keep beyond idle":          {session.NewMemory(&session.MemoryOptions{IdleTimeout: time.Minute}), session.Options{}, "KeepAccess"},
		"clients without policy":    {m, session.Options{Clients: []string{"a"}}, "Clients"},
		"policy without clients":    {m, session.Options{Missing: session.RefuseMissingOf}, "Clients"},
		"exception without clients": {m, session.Options{Missing: session.RefuseMissingExcept}, "Clients"},
		"empty client":              {m, session.Options{Missing: session.RefuseMissingOf, Clients: []string{""}}, "Clients"},
		"unknown policy":            {m, session.Options{Missing: 7}, "Missing"},
	} {
		c, err := session.New(test.store, &test.opts)
		if err == nil || c != nil || !strings.Contains(err.Error(), test.names) {
			t.Errorf("%s: got %v, error %v, want an error that names %s", name, c, err, test.names)
		}
	}
}

func TestCheckTokenWithoutToken(t *testing.T) {
	c := newChecker(t, session.NewMemory(nil), &session.Options{Missing: session.SkipMissing, InsecurePassUnknown: true, AdoptUnknown: true})
	if err := c.CheckToken(t.Context(), nil, nil); err == nil {
		t.Error("no token: got no error, want one")
	}
}
