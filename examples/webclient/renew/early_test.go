package renew_test

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

// An early renewal is a favour: whatever the authority does, a request whose
// token is still good succeeds, and soon.
func TestEarlyRenewalDoesNotHoldUpAGoodToken(t *testing.T) {
	// The API has no tolerance: access-0 dies with its expiry.
	strict := func(w *world, life time.Duration) {
		dies := time.Now().Add(life)
		w.store.put(sessionID, renew.NewTokens("access-0", "refresh-0", "id-0", time.Now(), life))
		w.api.before = func(*http.Request) {
			w.authority.mu.Lock()
			defer w.authority.mu.Unlock()
			if w.authority.access == "access-0" && !time.Now().Before(dies) {
				w.authority.access = "none yet"
			}
		}
	}
	within := func(t *testing.T, w *world, most time.Duration) {
		t.Helper()
		start := time.Now()
		w.wantStatus(200)
		if took := time.Since(start); took > most {
			t.Errorf("the request took %v, want %v at most", took, most)
		}
	}
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

	t.Run("a hanging authority", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			strict(w, time.Minute)
			w.authority.answer = hang
			time.Sleep(56 * time.Second)
			within(t, w, 2*time.Second)
			within(t, w, 0) // the refresh has had its time
			time.Sleep(time.Until(w.held().ExpiresAt) - time.Millisecond)
			within(t, w, time.Millisecond/2)
			w.wantRefreshes(1)
			if got, want := w.api.sent(), []string{"access-0", "access-0", "access-0"}; !slices.Equal(got, want) {
				t.Errorf("got calls with %q, want %q", got, want)
			}
		})
	})
	t.Run("a wide margin", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(o *renew.Options) { o.Early = 5 * time.Minute })
			strict(w, time.Hour)
			w.authority.answer = hang
			time.Sleep(56 * time.Minute)
			within(t, w, 2*time.Second)
			for range 7 {
				time.Sleep(time.Second)
				within(t, w, 0)
			}
			w.wantRefreshes(1)
		})
	})
	t.Run("the refresh goes on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			strict(w, time.Minute)
			w.authority.delay = 5 * time.Second
			time.Sleep(55 * time.Second)
			within(t, w, 2*time.Second)
			time.Sleep(5 * time.Second)
			within(t, w, 0)
			w.wantRefreshes(1)
			if got, want := w.api.sent(), []string{"access-0", "access-1"}; !slices.Equal(got, want) {
				t.Errorf("got calls with %q, want %q", got, want)
			}
		})
	})
	t.Run("a token that is refused all the same", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.authority.delay = 5 * time.Second
			time.Sleep(56 * time.Second)
			within(t, w, 5*time.Second)
			w.wantRefreshes(1)
			if got, want := w.api.sent(), []string{"access-0", "access-1"}; !slices.Equal(got, want) {
				t.Errorf("got calls with %q, want %q", got, want)
			}
		})
	})
	t.Run("an expired token waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			strict(w, time.Minute)
			w.authority.delay = 5 * time.Second
			time.Sleep(time.Minute)
			within(t, w, 5*time.Second)
			if got, want := w.api.sent(), []string{"access-1"}; !slices.Equal(got, want) {
				t.Errorf("got calls with %q, want %q", got, want)
			}
		})
	})
}
