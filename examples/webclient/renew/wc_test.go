package renew_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

func TestWC1RefreshOnceAndRepeatOnce(t *testing.T) {
	t.Run("on a 401 with invalid_token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.wantStatus(200)
			w.wantRefreshes(1)
			if got, want := w.api.sent(), []string{"access-0", "access-1"}; !slices.Equal(got, want) {
				t.Errorf("got calls with %q, want %q", got, want)
			}
			form := w.authority.forms[0]
			if form.Get("grant_type") != "refresh_token" || form.Get("refresh_token") != "refresh-0" || form.Has("client_secret") || len(form) != 2 {
				t.Errorf("got the form %v", form)
			}
			if got, want := w.authority.basic[0], "shop:hush+hush"; got != want {
				t.Errorf("got credentials %q, want %q", got, want)
			}
			if w.authority.discovery != 1 {
				t.Errorf("got %d reads of discovery, want 1", w.authority.discovery)
			}
		})
	})
	t.Run("shortly before expiry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			time.Sleep(55*time.Second - 1)
			w.wantStatus(200)
			w.wantRefreshes(0)
			time.Sleep(time.Nanosecond)
			w.wantStatus(200)
			w.wantRefreshes(1)
			if got, want := w.api.sent(), []string{"access-0", "access-1"}; !slices.Equal(got, want) {
				t.Errorf("got calls with %q, want %q", got, want)
			}
		})
	})
	t.Run("the second 401 is returned as it is", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.api.answer = func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("WWW-Authenticate", refusal)
				rw.WriteHeader(401)
				io.WriteString(rw, "still no")
			}
			status, body, err := w.get()
			if status != 401 || body != "still no" || err != nil {
				t.Errorf("got %d %q %v, want the API's 401", status, body, err)
			}
			w.wantRefreshes(1)
			if n := len(w.api.sent()); n != 2 {
				t.Errorf("got %d calls, want 2", n)
			}
		})
	})
	t.Run("a 401 after an early refresh is returned as it is", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			time.Sleep(58 * time.Second)
			w.api.answer = func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("WWW-Authenticate", refusal)
				rw.WriteHeader(401)
			}
			w.wantStatus(401)
			w.wantRefreshes(1)
			if n := len(w.api.sent()); n != 1 {
				t.Errorf("got %d calls, want 1", n)
			}
		})
	})
	t.Run("OnlyOn401 leaves the decision to the API", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.client.Transport.(*renew.Transport).OnlyOn401 = true
			time.Sleep(2 * time.Minute)
			w.wantStatus(200)
			w.wantRefreshes(0)
			w.refuseOld()
			w.wantStatus(200)
			w.wantRefreshes(1)
		})
	})
}

func TestWC2ParallelRefusalsShareOneRefresh(t *testing.T) {
	t.Run("twenty at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.authority.delay = time.Second
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if status, _, err := w.get(); status != 200 || err != nil {
						t.Errorf("got %d %v, want 200", status, err)
					}
				})
			}
			wg.Wait()
			w.wantRefreshes(1)
		})
	})
	t.Run("one that comes late with the old token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.api.before = func(r *http.Request) {
				if r.URL.RawQuery == "slow" && r.Header.Get("Authorization") == "Bearer access-0" {
					time.Sleep(10 * time.Second) // its 401 is on the way while the others renew
				}
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				resp, err := w.client.Get(apiURL + "/orders?slow")
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("got %v %v, want 200", resp, err)
				}
			})
			synctest.Wait()
			w.wantStatus(200)
			w.wantRefreshes(1)
			wg.Wait()
			w.wantRefreshes(1)
			if got, want := w.api.sent(), []string{"access-0", "access-0", "access-1", "access-1"}; !slices.Equal(got, want) {
				t.Errorf("got calls with %q, want %q", got, want)
			}
		})
	})
	t.Run("late during the next refresh", func(t *testing.T) {
		// A request refused with access-0 must not wait for, and be content
		// with, a refresh that others make because of access-1.
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			old := w.held()
			w.refuseOld()
			w.wantStatus(200)
			w.authority.delay = time.Second
			first := w.held()
			var wg sync.WaitGroup
			wg.Go(func() {
				if got, err := w.renewer.Renew(t.Context(), sessionID, first); err != nil || got.AccessToken != "access-2" {
					t.Errorf("got %q %v, want access-2", got.AccessToken, err)
				}
			})
			synctest.Wait()
			if got, err := w.renewer.Renew(t.Context(), sessionID, old); err != nil || got.AccessToken != "access-1" {
				t.Errorf("got %q %v, want access-1 at once", got.AccessToken, err)
			}
			wg.Wait()
			w.wantRefreshes(2)
		})
	})
	t.Run("sessions do not share", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.authority.delay = time.Second
			w.authority.answer = func(rw http.ResponseWriter, r *http.Request) {
				name := r.PostFormValue("refresh_token")
				writeJSON(rw, 200, map[string]any{"access_token": "new-" + name, "token_type": "bearer"})
			}
			same := renew.NewTokens("same", "refresh-b", "", time.Now(), time.Minute)
			w.store.put("b", same)
			same.RefreshToken = "refresh-a"
			w.store.put("a", same)
			var wg sync.WaitGroup
			for _, id := range []string{"a", "b"} {
				wg.Go(func() {
					got, err := w.renewer.Renew(t.Context(), id, same)
					if err != nil || got.AccessToken != "new-refresh-"+id {
						t.Errorf("session %s got %q %v", id, got.AccessToken, err)
					}
				})
			}
			wg.Wait()
			w.wantRefreshes(2)
		})
	})
	t.Run("a caller's context ends its wait and not the refresh", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.authority.delay = 5 * time.Second
			impatient, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			req, _ := http.NewRequestWithContext(impatient, "GET", apiURL+"/orders", nil)
			var wg sync.WaitGroup
			wg.Go(func() {
				_, err := w.client.Do(req)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
					t.Errorf("got %v after %v, want the deadline after 1s", err, time.Since(start))
				}
			})
			synctest.Wait()
			w.wantStatus(200)
			wg.Wait()
			w.wantRefreshes(1)
			if w.held().AccessToken != "access-1" {
				t.Errorf("the store holds %q", w.held().AccessToken)
			}
		})
	})
}

func TestWC3TheTokensAreReplacedTogether(t *testing.T) {
	for _, test := range []struct {
		name                 string
		change               func(map[string]any)
		wantRefresh, wantID  string
		wantNextGrantRefresh string
	}{
		{"with a new refresh token", nil, "refresh-1", "id-1", "refresh-1"},
		{"without a refresh token", func(m map[string]any) { delete(m, "refresh_token") }, "refresh-0", "id-1", "refresh-0"},
		{"with an empty refresh token", func(m map[string]any) { m["refresh_token"] = "" }, "refresh-0", "id-1", "refresh-0"},
		{"without an identity token", func(m map[string]any) { delete(m, "id_token") }, "refresh-1", "id-0", "refresh-1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.authority.change = test.change
				time.Sleep(56 * time.Second)
				now := time.Now()
				w.wantStatus(200)
				want := renew.NewTokens("access-1", test.wantRefresh, test.wantID, now, time.Minute)
				if got := w.held(); got != want {
					t.Errorf("the store holds %#v: refresh %q id %q expires %v", got, got.RefreshToken, got.IDToken, got.ExpiresAt)
				}
				if w.store.replaces != 1 {
					t.Errorf("got %d writes, want 1", w.store.replaces)
				}
				time.Sleep(time.Minute)
				w.wantStatus(200)
				if got := w.authority.forms[1].Get("refresh_token"); got != test.wantNextGrantRefresh {
					t.Errorf("the next grant used %q, want %q", got, test.wantNextGrantRefresh)
				}
			})
		})
	}
	t.Run("a session that ended meanwhile is not brought back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.authority.delay = time.Second
			go func() {
				time.Sleep(time.Second / 2)
				w.store.End(context.Background(), sessionID, renew.Tokens{AccessToken: "access-0"})
			}()
			w.wantError(renew.ErrSessionEnded)
			if _, err := w.store.Load(t.Context(), sessionID); !errors.Is(err, renew.ErrSessionEnded) {
				t.Error("the refresh brought the session back")
			}
		})
	})
	t.Run("a new sign-in meanwhile wins", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.authority.delay = time.Second
			go func() {
				time.Sleep(time.Second / 2)
				w.store.put(sessionID, renew.NewTokens("signed-in-anew", "r", "i", time.Now(), time.Minute))
			}()
			w.wantStatus(401) // the API of this test knows access-1 only
			if got := w.held().AccessToken; got != "signed-in-anew" {
				t.Errorf("the store holds %q", got)
			}
		})
	})
	t.Run("a store that fails is a failed refresh", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.store.failing = errors.New("disk full")
			w.wantError(renew.ErrRefreshFailed)
		})
	})
	t.Run("an answer in the last moment is stored", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.authority.delay = 10*time.Second - 1
			w.store.slow = time.Second
			w.wantStatus(200)
			if got := w.held().RefreshToken; got != "refresh-1" {
				t.Errorf("the store holds %q", got)
			}
		})
	})
}

func TestWC4InvalidGrantEndsTheSessionAndOutagesDoNot(t *testing.T) {
	refuse := func(status int, code string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			writeJSON(w, status, map[string]any{"error": code, "error_description": "secret-description"})
		}
	}
	t.Run("invalid_grant", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.authority.answer = refuse(400, "invalid_grant")
			err := w.wantError(renew.ErrSessionEnded)
			if e, ok := errors.AsType[*renew.Error](err); !ok || e.Code != "invalid_grant" || e.Status != 400 || e.Step != "token endpoint" {
				t.Errorf("got %#v", e)
			}
			if errors.Is(err, renew.ErrRefreshFailed) || strings.Contains(err.Error(), "secret-description") {
				t.Errorf("got %v", err)
			}
			if _, err := w.store.Load(t.Context(), sessionID); !errors.Is(err, renew.ErrSessionEnded) {
				t.Error("the session is still there")
			}
			w.wantError(renew.ErrSessionEnded)
			w.wantRefreshes(1)
			if len(w.failures) != 1 || w.renewals != 0 {
				t.Errorf("got %d failures and %d renewals", len(w.failures), w.renewals)
			}
		})
	})
	t.Run("invalid_grant before expiry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.authority.answer = refuse(400, "invalid_grant")
			time.Sleep(56 * time.Second)
			w.wantError(renew.ErrSessionEnded)
			if n := len(w.api.sent()); n != 0 {
				t.Errorf("got %d calls with a token of an ended session", n)
			}
		})
	})
	t.Run("invalid_grant for tokens that another process has renewed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.authority.answer = func(rw http.ResponseWriter, r *http.Request) {
				w.store.put(sessionID, renew.NewTokens("by-another", "r", "i", time.Now(), time.Minute))
				refuse(400, "invalid_grant")(rw, r)
			}
			got, err := w.renewer.Renew(t.Context(), sessionID, w.held())
			if err != nil || got.AccessToken != "by-another" {
				t.Errorf("got %q %v, want the other process's tokens", got.AccessToken, err)
			}
		})
	})

	abort := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, test := range []struct {
		name    string
		prepare func(*authority)
	}{
		{"a connection that breaks", func(a *authority) { a.answer = abort }},
		{"a hanging token endpoint", func(a *authority) { a.answer = hang }},
		{"a 500", func(a *authority) { a.answer = func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) } }},
		{"a 503 that says invalid_grant", func(a *authority) { a.answer = refuse(503, "invalid_grant") }},
		{"invalid_client", func(a *authority) { a.answer = refuse(401, "invalid_client") }},
		{"another error code", func(a *authority) { a.answer = refuse(400, "invalid_granted") }},
		{"invalid_grant that is no JSON", func(a *authority) {
			a.answer = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(400)
				io.WriteString(w, `{"error":"invalid_grant"}`)
			}
		}},
		{"a 429", func(a *authority) { a.answer = refuse(429, "invalid_grant") }},
		{"a redirect", func(a *authority) {
			a.answer = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://other.test/token", http.StatusTemporaryRedirect)
			}
		}},
		{"an HTML page with status 200", func(a *authority) {
			a.answer = func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>") }
		}},
		{"truncated JSON", func(a *authority) {
			a.answer = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{"access_token":"x"`)
			}
		}},
		{"an endless answer", func(a *authority) {
			a.answer = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{"access_token":"x","token_type":"Bearer"}`+strings.Repeat(" ", 1<<20))
			}
		}},
		{"no access token", func(a *authority) { a.change = func(m map[string]any) { delete(m, "access_token") } }},
		{"another token type", func(a *authority) { a.change = func(m map[string]any) { m["token_type"] = "DPoP" } }},
		{"discovery down", func(a *authority) { a.discovers = abort }},
		{"a redirect of discovery", func(a *authority) {
			a.discovers = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Host == "id.test" {
					http.Redirect(w, r, "https://other.test"+r.URL.Path, http.StatusFound)
				} else {
					writeJSON(w, 200, map[string]any{"issuer": issuerURL, "token_endpoint": "https://other.test/token"})
				}
			}
		}},
		{"discovery 404", func(a *authority) { a.discovers = http.NotFound }},
		{"discovery of another issuer", func(a *authority) { a.metadata = map[string]any{"issuer": issuerURL + "/"} }},
		{"a token endpoint without TLS", func(a *authority) { a.metadata = map[string]any{"token_endpoint": "http://id.test/token"} }},
		{"no token endpoint", func(a *authority) { a.metadata = map[string]any{"token_endpoint": ""} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.refuseOld()
				test.prepare(w.authority)
				start := time.Now()
				err := w.wantError(renew.ErrRefreshFailed)
				if e, ok := errors.AsType[*renew.Error](err); !ok || e.Code != "" && e.Code != "invalid_client" {
					t.Errorf("got %v, whose code the authority made up", err)
				}
				if errors.Is(err, renew.ErrSessionEnded) {
					t.Errorf("got %v: the session has not ended", err)
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("took %v", took)
				}
				if w.held().RefreshToken != "refresh-0" {
					t.Error("the refresh token is gone")
				}
				// No loop: during the pause nobody asks again.
				asked, discovered := w.authority.refreshes(), w.authority.discovery
				for range 5 {
					w.wantError(renew.ErrRefreshFailed)
				}
				if w.authority.refreshes() != asked || w.authority.discovery != discovered {
					t.Error("a refresh was tried during the pause")
				}
				if asked > 1 {
					t.Errorf("got %d grants for one refresh", asked)
				}
				// And back again.
				w.authority.answer, w.authority.change, w.authority.discovers, w.authority.metadata = nil, nil, nil, nil
				w.authority.refresh = "refresh-0"
				time.Sleep(2 * time.Second)
				w.wantStatus(200)
			})
		})
	}
	t.Run("an outage before expiry leaves the token in use", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.authority.answer = refuse(500, "")
			time.Sleep(56 * time.Second)
			w.wantStatus(200)
			w.wantRefreshes(1)
			w.wantStatus(200)
			w.wantRefreshes(1)
			w.refuseOld()
			w.wantError(renew.ErrRefreshFailed)
			w.wantRefreshes(1)
			// One refresh a request: this one's failed before the API answered.
			w.api.before = func(*http.Request) { time.Sleep(time.Minute) }
			time.Sleep(time.Minute)
			w.wantError(renew.ErrRefreshFailed)
			w.wantRefreshes(2)
		})
	})
	t.Run("Retry-After makes the pause longer, within bounds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			w.authority.answer = func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Retry-After", "86400")
				rw.WriteHeader(503)
			}
			w.wantError(renew.ErrRefreshFailed)
			time.Sleep(30*time.Second - 1)
			w.wantError(renew.ErrRefreshFailed)
			w.wantRefreshes(1)
			time.Sleep(time.Nanosecond)
			w.wantError(renew.ErrRefreshFailed)
			w.wantRefreshes(2)
		})
	})
}

func TestWC5OtherAnswersNeverRefresh(t *testing.T) {
	for _, test := range []struct {
		name       string
		status     int
		challenges []string
	}{
		{"403 insufficient_scope", 403, []string{`Bearer error="insufficient_scope", scope="orders.write"`}},
		{"403 that says invalid_token", 403, []string{`Bearer error="invalid_token"`}},
		{"503", 503, nil},
		{"503 that says invalid_token", 503, []string{`Bearer error="invalid_token"`}},
		{"401 insufficient_user_authentication", 401, []string{`Bearer error="insufficient_user_authentication", acr_values="strong"`}},
		{"401 for a stronger login as well as a newer token", 401, []string{`Bearer error="invalid_token"`, `Bearer error="insufficient_user_authentication"`}},
		{"401 without a challenge", 401, nil},
		{"401 with a bare challenge", 401, []string{`Bearer realm="orders"`}},
		{"401 of another scheme", 401, []string{`DPoP error="invalid_token"`}},
		{"401 that mentions it only", 401, []string{`Bearer realm="orders", error_description="not error=invalid_token"`}},
		{"401 with another error", 401, []string{`Bearer error="invalid_token2"`}},
		{"400 invalid_request", 400, []string{`Bearer error="invalid_request"`}},
		{"200", 200, []string{`Bearer error="invalid_token"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.api.answer = func(rw http.ResponseWriter, r *http.Request) {
					for _, c := range test.challenges {
						rw.Header().Add("WWW-Authenticate", c)
					}
					rw.WriteHeader(test.status)
				}
				w.wantStatus(test.status)
				w.wantRefreshes(0)
				if n := len(w.api.sent()); n != 1 {
					t.Errorf("got %d calls, want 1", n)
				}
			})
		})
	}
}

func TestWC6ExpiresAtIsUTCAndMayBeMissing(t *testing.T) {
	t.Run("stored as UTC in RFC 3339", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			local := time.Local
			time.Local = time.FixedZone("east", 8*3600)
			defer func() { time.Local = local }()
			w := newWorld(t)
			time.Sleep(56 * time.Second) // the bubble's time began at midnight UTC 2000-01-01
			w.wantStatus(200)
			data, err := json.Marshal(w.held())
			if err != nil {
				t.Fatal(err)
			}
			var stored map[string]string
			json.Unmarshal(data, &stored)
			if got, want := stored["expires_at"], "2000-01-01T00:01:56Z"; got != want {
				t.Errorf("got expires_at %q, want %q", got, want)
			}
			var back renew.Tokens
			if err := json.Unmarshal(data, &back); err != nil || back != w.held() {
				t.Errorf("the tokens do not survive the round trip: %v", err)
			}
		})
	})
	for _, test := range []struct {
		name      string
		expiresIn any // nil: absent
		want      time.Duration
	}{
		{"a number", 60, time.Minute},
		{"a string", "60", time.Minute},
		{"absent", nil, 0},
		{"zero", 0, 0},
		{"negative", -60, 0},
		{"huge", 1e300, 0},
		{"more than ten years", 4e8, 0},
		{"not a number", "NaN", 0},
		{"text", "soon", 0},
		{"an object", map[string]any{}, 0},
	} {
		t.Run("expires_in "+test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.authority.change = func(m map[string]any) {
					if delete(m, "expires_in"); test.expiresIn != nil {
						m["expires_in"] = test.expiresIn
					}
				}
				w.refuseOld()
				w.wantStatus(200)
				want := time.Time{}
				if test.want > 0 {
					want = time.Now().Add(test.want).UTC().Round(0)
				}
				if got := w.held().ExpiresAt; got != want {
					t.Errorf("got expires_at %v, want %v", got, want)
				}
				if test.want > 0 {
					return
				}
				// Unknown: never early, only when the API refuses.
				time.Sleep(24 * time.Hour)
				w.wantStatus(200)
				w.wantRefreshes(1)
				w.refuseOld()
				w.wantStatus(200)
				w.wantRefreshes(2)
			})
		})
	}
	t.Run("the time of the answer counts for the token's life", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.authority.delay = 3 * time.Second
			w.refuseOld()
			want := time.Now().Add(time.Minute).UTC().Round(0)
			w.wantStatus(200)
			if got := w.held().ExpiresAt; got != want {
				t.Errorf("got expires_at %v, want %v: counted from when the request was sent", got, want)
			}
		})
	})
	t.Run("a token that lives for less than the margin", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.authority.change = func(m map[string]any) { m["expires_in"] = 4 }
			w.refuseOld()
			w.wantStatus(200)
			time.Sleep(3*time.Second - 1)
			w.wantStatus(200)
			w.wantRefreshes(1)
			time.Sleep(time.Nanosecond)
			w.wantStatus(200)
			w.wantRefreshes(2)
		})
	})
}

func TestWC7OnlyRepeatableBodiesAreRepeated(t *testing.T) {
	post := func(w *world, change func(*http.Request)) (*http.Response, *closeRecorder, error) {
		body := &closeRecorder{Reader: strings.NewReader("order")}
		req, _ := http.NewRequest("POST", apiURL+"/orders", body)
		change(req)
		resp, err := w.client.Do(req)
		return resp, body, err
	}
	t.Run("a body that can be had again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			resp, _, err := post(w, func(r *http.Request) {
				r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("order")), nil }
			})
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("got %v %v, want 200", resp, err)
			}
			if want := []string{"order", "order"}; !slices.Equal(w.api.bodies, want) {
				t.Errorf("got bodies %q, want %q", w.api.bodies, want)
			}
		})
	})
	t.Run("a body that cannot", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			resp, body, err := post(w, func(*http.Request) {})
			if err != nil || resp.StatusCode != 401 {
				t.Fatalf("got %v %v, want the API's 401", resp, err)
			}
			if text, _ := io.ReadAll(resp.Body); len(text) == 0 {
				t.Error("the body of the 401 is gone")
			}
			if n := len(w.api.sent()); n != 1 {
				t.Errorf("got %d calls, want 1", n)
			}
			if !body.closed {
				t.Error("the request's body was not closed")
			}
			// The next one has a token that works.
			w.wantRefreshes(1)
			resp, _, err = post(w, func(*http.Request) {})
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("got %v %v, want 200", resp, err)
			}
		})
	})
	t.Run("an early renewal needs no repetition", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			time.Sleep(56 * time.Second)
			resp, _, err := post(w, func(*http.Request) {})
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("got %v %v, want 200", resp, err)
			}
		})
	})
	t.Run("a body that fails to come again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			gone := errors.New("the file is gone")
			_, _, err := post(w, func(r *http.Request) { r.GetBody = func() (io.ReadCloser, error) { return nil, gone } })
			if !errors.Is(err, gone) {
				t.Errorf("got %v, want %v", err, gone)
			}
		})
	})
	t.Run("a request without a body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.refuseOld()
			req, _ := http.NewRequest("POST", apiURL+"/orders", http.NoBody)
			req.GetBody = nil
			resp, err := w.client.Do(req)
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("got %v %v, want 200", resp, err)
			}
		})
	})
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }
