package jwks_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

func TestFindAfterColdStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.latency = 300 * time.Millisecond
		s := newSet(t, a, nil)
		if got := s.TokenIssuer(); got != "" {
			t.Errorf("TokenIssuer before the first document: got %q, want none", got)
		}
		if err := s.Ready(); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("Ready before the first keys: got %v, want ErrUnavailable", err)
		}
		took := timed(func() {
			if got := answer(s, "a"); got != 200 {
				t.Errorf("got %d, want 200", got)
			}
		})
		if took != 600*time.Millisecond {
			t.Errorf("the first request waited %v, want the time of two fetches", took)
		}
		if got := s.TokenIssuer(); got != testIssuer {
			t.Errorf("TokenIssuer: got %q, want %q", got, testIssuer)
		}
		if err := s.Ready(); err != nil {
			t.Errorf("Ready: %v", err)
		}
	})
}

func TestRotationCostsNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.latency = 50 * time.Millisecond
		s := newSet(t, a, nil)
		ready(t, s)
		a.rotate(ecJWK("b"))
		took := timed(func() {
			if got := answer(s, "b"); got != 200 {
				t.Errorf("a token of the new key: got %d, want 200", got)
			}
		})
		if took != 50*time.Millisecond {
			t.Errorf("it waited %v, want one fetch", took)
		}
		if got := a.last().Header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("Cache-Control of the forced fetch: got %q, want no-cache", got)
		}
		if got := answer(s, "a"); got != 401 {
			t.Errorf("a token of the key that is gone: got %d, want 401", got)
		}
	})
}

func TestFindObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.fail(hanging)
		s := newSet(t, a, nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		took := timed(func() {
			_, err := s.Find(ctx, "a", "ES256")
			if !errors.Is(err, jwks.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want ErrUnavailable and DeadlineExceeded", err)
			}
		})
		if took != time.Second {
			t.Errorf("it waited %v, want its own second", took)
		}
	})
}

// TestHeld: what is held is told at once, and nobody is asked for the rest.
func TestHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.fail(hanging)
		s := newSet(t, a, nil)
		wants := func(when, kid, alg string, want int) {
			t.Helper()
			start := time.Now()
			if got := len(s.Held(kid, alg)); got != want || time.Since(start) != 0 {
				t.Errorf("%s, kid %q, %s: got %d keys after %v, want %d at once", when, kid, alg, got, time.Since(start), want)
			}
		}
		wants("before the first keys", "a", "ES256", 0)
		a.fail(nil)
		if err := s.WaitReady(context.Background()); err != nil {
			t.Fatal(err)
		}
		asked := a.requests("")
		time.Sleep(time.Minute)
		wants("with keys", "a", "ES256", 1)
		wants("with keys", "", "ES256", 1)
		wants("with keys", "b", "ES256", 0)
		wants("with keys", "a", "RS256", 0)
		wants("with keys", "a", "none", 0)
		synctest.Wait()
		if got := a.requests("") - asked; got != 0 {
			t.Errorf("%d requests, want none", got)
		}
		a.fail(refusing)
		time.Sleep(25 * time.Hour)
		wants("with keys that are too old", "a", "ES256", 0)
		_ = s.Close()
		wants("closed", "a", "ES256", 0)
	})
}
