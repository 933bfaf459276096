package jwks_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestMissingKidDuringItsFetch: while the authority is asked for a key, tokens that
// name the same one wait for that answer, and cause no other fetch.
func TestMissingKidDuringItsFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		a.set(func() { a.latency = time.Second })
		before := a.requests("")
		var first sync.WaitGroup
		first.Go(func() { expect(t, s, "missing", result{401, time.Second}) })
		time.Sleep(300 * time.Millisecond)
		expect(t, s, "missing", result{401, 700 * time.Millisecond})
		first.Wait()
		time.Sleep(10 * time.Second)
		if got := a.requests("") - before; got != 1 {
			t.Errorf("got %d fetches, want 1", got)
		}
	})
}
