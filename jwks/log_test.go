package jwks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

// logged keeps log lines.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// count counts the lines that have all parts.
func (l *logged) count(parts ...string) int {
	n := 0
	for line := range strings.Lines(l.String()) {
		has := true
		for _, part := range parts {
			has = has && strings.Contains(line, part)
		}
		if has {
			n++
		}
	}
	return n
}

func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		weak := jwk{"kty": "RSA", "kid": "weak", "n": "AQAB", "e": "AQAB"}
		enc := ecJWK("enc").with("use", "enc")
		a := newAuthority(ecJWK("a"), weak, enc)
		s := newSet(t, a, &jwks.Options{Logger: log.logger()})
		ready(t, s)
		time.Sleep(10 * time.Hour)
		if got := log.count("level=WARN"); got != 1 || log.count("level=WARN", "kid=weak", "17 bits") != 1 {
			t.Errorf("want one warning about the weak key in ten hours:\n%s", log.String())
		}
		if log.count("kid=enc") != 0 {
			t.Errorf("a key for encryption is no news:\n%s", log.String())
		}

		t.Log("failures at growing spacing, one recovery")
		a.fail(refusing)
		time.Sleep(10 * time.Hour)
		if got := log.count("level=WARN", "reading the keys failed"); got < 5 || got > 14 {
			t.Errorf("got %d warnings in ten hours of failures, want about ten:\n%s", got, log.String())
		}
		a.fail(nil)
		time.Sleep(time.Minute)
		if got := log.count("level=INFO", "keys can be read again"); got != 1 {
			t.Errorf("got %d lines about the recovery, want 1:\n%s", got, log.String())
		}

		t.Log("a rotation")
		a.rotate(ecJWK("b"), weak, enc)
		_ = answer(s, "b")
		synctest.Wait()
		if got := log.count("level=INFO", "keys changed", "added=[b]", "removed=[a]"); got != 1 {
			t.Errorf("got %d lines about the rotation, want 1:\n%s", got, log.String())
		}
		if log.count("issuer="+testIssuer) != log.count("jwks: ") {
			t.Errorf("some lines do not say which issuer:\n%s", log.String())
		}
		for _, key := range []jwk{weak, enc} {
			for _, member := range []string{"x", "y", "n"} {
				if value, ok := key[member].(string); ok && len(value) > 8 && strings.Contains(log.String(), value) {
					t.Errorf("the log has key material")
				}
			}
		}
	})
}

func TestRedirectIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		a := newAuthority()
		keys := document(ecJWK("a"))
		a.keySet = func(req *http.Request) (*http.Response, error) {
			if req.URL.Path == "/keys" {
				return redirect("https://cdn.example.net/moved?key=hunter2")(req)
			}
			return body("", keys)(req)
		}
		s := newSet(t, a, &jwks.Options{Logger: log.logger()})
		ready(t, s)
		time.Sleep(10 * time.Hour)
		if got := log.count("level=WARN", "redirects", "from="+testIssuer+"/keys", "to=https://cdn.example.net/moved"); got != 1 {
			t.Errorf("got %d lines, want 1:\n%s", got, log.String())
		}
		if log.count("hunter2") != 0 {
			t.Errorf("the log has a query:\n%s", log.String())
		}
	})
}

func TestDefaultLogger(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	var log logged
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s, err := jwks.New(testIssuer, &jwks.Options{HTTPClient: a.client()})
		if err != nil {
			t.Fatal(err)
		}
		slog.SetDefault(log.logger()) // after New: it is asked at the time of logging
		ready(t, s)
		a.fail(refusing)
		_ = s.Refresh(context.Background())
		synctest.Wait() // it is told after who waits has the answer
		_ = s.Close()
	})
	if log.count("reading the keys failed") != 1 {
		t.Errorf("got %q, want the failure", log.String())
	}
}

// dated answers with the authority's clock ahead by the given time.
func dated(ahead *atomic.Int64, header http.Header, text func(*http.Request) string) fault {
	return func(req *http.Request) (*http.Response, error) {
		resp := reply(req, 200, "", text(req))
		for name, values := range header {
			resp.Header[name] = values
		}
		resp.Header.Set("Date", time.Now().Add(time.Duration(ahead.Load())).UTC().Format(http.TimeFormat))
		return resp, nil
	}
}

func TestClock(t *testing.T) {
	tests := []struct {
		name   string
		ahead  time.Duration
		header http.Header
		opts   jwks.Options
		warned bool
		seen   bool
	}{
		{"right", 0, nil, jwks.Options{}, false, true},
		{"within the tolerance", 55 * time.Second, nil, jwks.Options{}, false, true},
		{"ahead", 90 * time.Second, nil, jwks.Options{}, true, true},
		{"behind", -90 * time.Second, nil, jwks.Options{}, true, true},
		{"another tolerance", 30 * time.Second, nil, jwks.Options{ClockTolerance: 10 * time.Second}, true, true},
		{"out of a cache", 90 * time.Second, http.Header{"Age": {"90"}}, jwks.Options{}, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				a := newAuthority()
				keys := document(ecJWK("a"))
				var ahead atomic.Int64
				ahead.Store(int64(test.ahead))
				a.fail(dated(&ahead, test.header, func(req *http.Request) string {
					if strings.Contains(req.URL.Path, ".well-known") {
						return `{"issuer":"` + testIssuer + `","jwks_uri":"` + testIssuer + `/keys"}`
					}
					return keys
				}))
				test.opts.Logger = log.logger()
				s := newSet(t, a, &test.opts)
				ready(t, s)
				time.Sleep(5 * time.Hour)
				if got := log.count("level=WARN", "clock"); got != map[bool]int{true: 1, false: 0}[test.warned] {
					t.Errorf("got %d warnings, want one: %v\n%s", got, test.warned, log.String())
				}
				status := s.Status()
				if status.ClockWrong != test.warned || status.Clock.At.IsZero() == test.seen {
					t.Errorf("the status: got %+v, wrong %v", status.Clock, status.ClockWrong)
				}
				if off := status.Clock.Ahead - test.ahead; test.seen && (off < -status.Clock.Error || off > status.Clock.Error) {
					t.Errorf("got %v ± %v, want %v", status.Clock.Ahead, status.Clock.Error, test.ahead)
				}
				if !test.warned {
					return
				}
				t.Log("again only after it was right in between")
				ahead.Store(0)
				time.Sleep(5 * time.Hour)
				ahead.Store(int64(test.ahead))
				time.Sleep(5 * time.Hour)
				if got := log.count("level=WARN", "clock"); got != 2 {
					t.Errorf("got %d warnings, want 2\n%s", got, log.String())
				}
			})
		})
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		running := 0
		enter := func(what string) func() {
			running++
			if running != 1 {
				t.Error("two events at the same time")
			}
			told = append(told, what)
			return func() { running-- }
		}
		events := &jwks.Events{
			Refreshed: func(e jwks.RefreshedEvent) {
				defer enter("refreshed")()
				if e.Issuer != testIssuer || e.Keys != 1 || !e.Next.After(time.Now()) {
					t.Errorf("Refreshed: %+v", e)
				}
			},
			Failed: func(e jwks.FailedEvent) {
				defer enter("failed")()
				if e.Issuer != testIssuer || !errors.Is(e.Err, jwks.ErrUnavailable) || e.Failures != 1 || !e.Next.After(time.Now()) {
					t.Errorf("Failed: %+v", e)
				}
			},
			Rotated: func(e jwks.RotatedEvent) {
				defer enter("rotated " + strings.Join(e.Removed, ",") + "→" + strings.Join(e.Added, ","))()
				if e.Issuer != testIssuer {
					t.Errorf("Rotated: %+v", e)
				}
			},
			KeySkipped: func(e jwks.KeySkippedEvent) {
				defer enter("skipped " + e.Key.KeyID)()
				if e.Issuer != testIssuer || e.Key.Reason == "" || !e.Key.Normal {
					t.Errorf("KeySkipped: %+v", e)
				}
			},
		}
		enc := ecJWK("e").with("use", "enc")
		a := newAuthority(ecJWK("a"), enc)
		s := newSet(t, a, &jwks.Options{Events: events})
		step := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(told, want) {
				t.Errorf("got %q, want %q", told, want)
			}
			told = nil
		}
		ready(t, s)
		step("skipped e", "refreshed")
		a.rotate(ecJWK("b"), enc)
		_ = s.Refresh(context.Background())
		step("refreshed", "rotated a→b")
		_ = s.Refresh(context.Background())
		step("refreshed")
		a.fail(refusing)
		_ = s.Refresh(context.Background())
		step("failed")
		_ = s.Close()
		time.Sleep(time.Hour)
		step()
	})
}

// A panic in a function of Events ends neither the program nor the refreshes,
// and is told.
func TestPanicInAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, &jwks.Options{Logger: log.logger(), Events: &jwks.Events{
			Refreshed: func(jwks.RefreshedEvent) { panic("an event's") },
		}})
		ready(t, s)
		time.Sleep(70 * time.Minute)
		if got := log.count("level=ERROR", "event=Refreshed", "an event's"); got != 2 {
			t.Errorf("got %d errors for two refreshes:\n%s", got, log.String())
		}
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a").with("alg", "ES256"), jwk{"kty": "oct", "kid": "s", "k": "c2VjcmV0c2VjcmV0"}, ecJWK("e").with("use", "enc"))
		a.latency = time.Second
		s := newSet(t, a, nil)
		if got := s.Status(); got.Ready || got.LastSuccess != (time.Time{}) || got.Keys == nil {
			t.Errorf("cold: %+v", got)
		}
		ready(t, s)
		a.set(func() { a.latency = 0 })
		begun := time.Now()
		time.Sleep(time.Minute)
		got := s.Status()
		if got.Issuer != testIssuer || got.TokenIssuer != testIssuer || !got.Ready || got.Closed {
			t.Errorf("got %+v", got)
		}
		if got.MetadataURL != testIssuer+"/.well-known/openid-configuration" || got.KeysURL != testIssuer+"/keys" {
			t.Errorf("addresses: %q, %q", got.MetadataURL, got.KeysURL)
		}
		if !got.LastSuccess.Equal(begun) || got.Age != time.Minute || !got.StaleAt.Equal(begun.Add(24*time.Hour)) || !got.LastAttempt.Equal(begun.Add(-2*time.Second)) {
			t.Errorf("times: %+v", got)
		}
		if next := got.NextRefresh.Sub(begun); next < time.Hour || next > 66*time.Minute {
			t.Errorf("next refresh after %v", next)
		}
		if len(got.Keys) != 1 || got.Keys[0] != (jwks.KeyStatus{KeyID: "a", Algorithm: "ES256"}) {
			t.Errorf("keys: %+v", got.Keys)
		}
		if len(got.Skipped) != 2 || got.Skipped[0].KeyID != "s" || got.Skipped[0].Index != 1 || got.Skipped[0].Normal || got.Skipped[0].Type != "oct" ||
			got.Skipped[1].KeyID != "e" || !got.Skipped[1].Normal {
			t.Errorf("skipped: %+v", got.Skipped)
		}
		if got.Counts.Refreshes != 1 || got.Counts.Failed != 0 || got.Counts.Forced != 0 || got.Counts.Rotations != 0 {
			t.Errorf("counts: %+v", got.Counts)
		}

		text := expvar.Func(func() any { return s.Status() }).String()
		var back map[string]any
		if err := json.Unmarshal([]byte(text), &back); err != nil || back["issuer"] != testIssuer || back["ready"] != true {
			t.Errorf("as expvar: %v: %s", err, text)
		}
		if strings.Contains(text, "c2VjcmV0") {
			t.Error("the status has key material")
		}

		a.fail(refusing)
		_ = s.Refresh(context.Background())
		got = s.Status()
		if got.Failures != 1 || !strings.Contains(got.LastError, "connection refused") || !got.LastErrorTime.Equal(time.Now()) || !got.Ready {
			t.Errorf("after a failure: %+v", got)
		}
		if got.Counts.Failed != 1 || got.Counts.Forced != 1 {
			t.Errorf("counts: %+v", got.Counts)
		}
		a.fail(nil)
		_ = s.Refresh(context.Background())
		if got = s.Status(); got.Failures != 0 || got.LastError == "" {
			t.Errorf("after the recovery: %+v", got)
		}
	})
}
