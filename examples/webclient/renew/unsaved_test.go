package renew_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

// The authority has rotated the refresh token and the store has not taken the
// new one: to send the old one again would end the session.
func TestRenewedTokensOutliveAStoreThatFails(t *testing.T) {
	t.Run("the next attempt saves them", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.store.failing = errors.New("disk full")
			for range 3 {
				w.wantError(renew.ErrRefreshFailed)
				time.Sleep(2 * time.Second)
			}
			w.store.failing = nil
			w.wantStatus(200)
			if got := w.held(); got.AccessToken != "access-1" || got.RefreshToken != "refresh-1" {
				t.Errorf("the store holds %q and %q", got.AccessToken, got.RefreshToken)
			}
			w.wantRefreshes(1)
			if w.renewals != 1 {
				t.Errorf("got %d renewals, want 1", w.renewals)
			}
			time.Sleep(time.Minute)
			w.wantStatus(200)
			w.wantRefreshes(2)
		})
	})
	t.Run("and renews them if they are too old by then", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.store.failing = errors.New("disk full")
			w.wantError(renew.ErrRefreshFailed)
			w.store.failing = nil
			time.Sleep(2 * time.Minute)
			w.wantStatus(200)
			w.wantRefreshes(2)
			if got, want := w.api.sent(), []string{"access-0", "access-2"}; !slices.Equal(got, want) {
				t.Errorf("got calls with %q, want %q", got, want)
			}
		})
	})
	t.Run("also those of an authority that keeps the access token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.authority.change = func(m map[string]any) { m["access_token"] = "access-0" }
			w.store.failing = errors.New("disk full")
			used := w.held()
			if _, err := w.renewer.Renew(t.Context(), sessionID, used); !errors.Is(err, renew.ErrRefreshFailed) {
				t.Fatalf("got %v, want %v", err, renew.ErrRefreshFailed)
			}
			w.store.failing = nil
			time.Sleep(2 * time.Minute)
			if got, err := w.renewer.Renew(t.Context(), sessionID, used); err != nil || got.RefreshToken != "refresh-1" {
				t.Errorf("got %q %v, want refresh-1", got.RefreshToken, err)
			}
			if got, err := w.renewer.Renew(t.Context(), sessionID, w.held()); err != nil || got.RefreshToken != "refresh-2" {
				t.Errorf("got %q %v, want refresh-2", got.RefreshToken, err)
			}
		})
	})
	t.Run("a sign-in meanwhile wins", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			used := w.held()
			w.store.failing = errors.New("disk full")
			if _, err := w.renewer.Renew(t.Context(), sessionID, used); !errors.Is(err, renew.ErrRefreshFailed) {
				t.Fatalf("got %v, want %v", err, renew.ErrRefreshFailed)
			}
			w.store.failing = nil
			w.store.put(sessionID, renew.NewTokens("signed-in-anew", "r", "i", time.Now(), time.Minute))
			time.Sleep(2 * time.Second)
			if got, err := w.renewer.Renew(t.Context(), sessionID, used); err != nil || got.AccessToken != "signed-in-anew" {
				t.Errorf("got %q %v, want those of the sign-in", got.AccessToken, err)
			}
		})
	})
	t.Run("for an hour", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.store.failing = errors.New("disk full")
			w.wantError(renew.ErrRefreshFailed)
			time.Sleep(time.Hour - 1)
			w.wantError(renew.ErrRefreshFailed)
			w.wantRefreshes(1)
			time.Sleep(2 * time.Second)
			w.wantError(renew.ErrSessionEnded)
			w.wantRefreshes(2)
		})
	})
	t.Run("of a thousand sessions", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.authority.answer = func(rw http.ResponseWriter, r *http.Request) {
				writeJSON(rw, 200, map[string]any{"access_token": "new", "token_type": "Bearer"})
			}
			w.store.failing = errors.New("disk full")
			for range 2 {
				for i := range 1001 {
					id := fmt.Sprint("session-", i)
					used := renew.NewTokens("old", "r", "", time.Now(), time.Minute)
					w.store.put(id, used)
					if _, err := w.renewer.Renew(t.Context(), id, used); !errors.Is(err, renew.ErrRefreshFailed) {
						t.Fatalf("got %v, want %v", err, renew.ErrRefreshFailed)
					}
				}
				time.Sleep(2 * time.Second)
			}
			w.wantRefreshes(1001 + 1)
		})
	})
}
