package jwks

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// In a bubble the wall clock and the monotonic clock never part, so these tests
// reach inside for what a host that sleeps, or is set back, does to a set.

const oneKey = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

type flaky struct {
	down  atomic.Bool
	asked atomic.Int64
}

func (f *flaky) RoundTrip(req *http.Request) (*http.Response, error) {
	f.asked.Add(1)
	if f.down.Load() {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(oneKey)), Request: req}, nil
}

func flakySet(t *testing.T, f *flaky) *Set {
	t.Helper()
	s, err := New("any", &Options{JWKSURL: "https://id.example.com/keys", HTTPClient: &http.Client{Transport: f}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.WaitReady(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// sleepFor is what a suspended host looks like: the wall clock has moved on, the
// timers have not.
func (s *Set) sleepFor(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.due = s.state.due.Round(0).Add(-d)
	s.overdue.Store(s.overdue.Load() - int64(d))
	s.until.Store(s.until.Load() - int64(d))
}

func TestAfterAShortSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{}
		s := flakySet(t, f)
		s.sleepFor(3 * time.Hour)
		if _, err := s.Find(context.Background(), "a", "EdDSA"); err != nil {
			t.Errorf("the key in hand: %v", err)
		}
		synctest.Wait()
		if got := f.asked.Load(); got != 2 {
			t.Errorf("after a sleep of three hours: got %d refreshes, want one more, at once", got-1)
		}
	})
}

func TestAfterALongSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{}
		s := flakySet(t, f)
		s.sleepFor(3 * 24 * time.Hour)
		if err := s.Ready(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("keys of three days ago: got %v, want ErrUnavailable", err)
		}
		// The first request waits for the refresh that it wakes.
		if _, err := s.Find(context.Background(), "a", "EdDSA"); err != nil {
			t.Errorf("the first request: %v", err)
		}
	})
}

// A clock that is set back must not prolong the life of keys.
func TestClockIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{}
		s := flakySet(t, f)
		s.until.Store(math.MaxInt64 - 1) // a year ahead, say, when the keys were read
		f.down.Store(true)
		time.Sleep(25 * time.Hour)
		if err := s.Ready(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("after 25 hours without a refresh: got %v, want ErrUnavailable", err)
		}
	})
}

// A refresh that ends while Close is on its way opens nothing again.
func TestRefreshAfterClose(t *testing.T) {
	s, err := NewStatic("any", []byte(oneKey), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	doc, err := parseStatic([]byte(oneKey))
	if err != nil {
		t.Fatal(err)
	}
	s.take(doc)
	if err := s.Ready(); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}
