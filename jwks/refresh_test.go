package jwks_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

// A day in the life: how often the authority is asked, for each of its headers.
func TestSchedule(t *testing.T) {
	tests := []struct {
		name        string
		header      http.Header
		opts        jwks.Options
		least, most int // key set requests in 24 hours
	}{
		{"nothing said", nil, jwks.Options{}, 22, 25},
		{"ten minutes", http.Header{"Cache-Control": {"max-age=600"}}, jwks.Options{}, 130, 145},
		{"no-store", http.Header{"Cache-Control": {"no-store"}}, jwks.Options{}, 261, 289},
		{"a year", http.Header{"Cache-Control": {"max-age=31536000"}}, jwks.Options{}, 22, 25},
		{"a year, old already", http.Header{"Cache-Control": {"max-age=3600"}, "Age": {"3000"}}, jwks.Options{}, 130, 145},
		{"Expires in the past", http.Header{"Expires": {"0"}}, jwks.Options{}, 261, 289},
		{"other bounds", http.Header{"Cache-Control": {"max-age=1"}}, jwks.Options{MinRefreshInterval: time.Hour, MaxRefreshInterval: 2 * time.Hour}, 22, 25},
		{"only a small most", nil, jwks.Options{MaxRefreshInterval: time.Minute}, 1300, 1441},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(ecJWK("a"))
				a.header = test.header
				s := newSet(t, a, &test.opts)
				time.Sleep(24 * time.Hour)
				if got := a.requests("/keys"); got < test.least || got > test.most {
					t.Errorf("got %d key set requests in 24 hours, want %d to %d", got, test.least, test.most)
				}
				if keys, metadata := a.requests("/keys"), a.requests("/.well-known/"); keys != metadata {
					t.Errorf("got %d metadata requests, want one for each of the %d key set requests", metadata, keys)
				}
				if got := answer(s, "a"); got != 200 {
					t.Errorf("got %d, want 200", got)
				}
			})
		})
	}
}

func TestInstancesDriftApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var next []time.Time
		for range 10 {
			s := newSet(t, newAuthority(ecJWK("a")), nil)
			ready(t, s)
			for _, at := range next {
				if at.Equal(s.Status().NextRefresh) {
					t.Errorf("two sets that started together refresh together, at %v", at)
				}
			}
			next = append(next, s.Status().NextRefresh)
		}
	})
}

func TestRetryPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.fail(refusing)
		s := newSet(t, a, nil)
		var before int
		for range 30 { // never had keys: at most 2 s apart
			time.Sleep(2 * time.Second)
			if now := a.requests(""); now <= before || now > before+4 {
				t.Fatalf("cold: got %d attempts in 2s, want 1 to 4", now-before)
			}
			before = a.requests("")
		}
		a.fail(nil)
		time.Sleep(2 * time.Second)
		if err := s.Ready(); err != nil {
			t.Fatalf("2s after the authority came up: %v", err)
		}
		a.fail(refusing)
		time.Sleep(2 * time.Hour)
		before = a.requests("")
		time.Sleep(time.Hour) // had keys: 15 to 30 s apart
		if got := a.requests("") - before; got < 118 || got > 242 {
			t.Errorf("later: got %d attempts in an hour, want 120 to 240", got)
		}
	})
}

func TestRevalidation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.etag = true
		s := newSet(t, a, nil)
		ready(t, s)
		if got := a.last().Header.Get("If-None-Match"); got != "" {
			t.Errorf("the first request is conditional: %q", got)
		}
		first, _ := s.Find(context.Background(), "a", "ES256")
		time.Sleep(70 * time.Minute)
		if got := a.last().Header.Get("If-None-Match"); got == "" {
			t.Error("the second request is not conditional")
		}
		if status := s.Status(); status.Failures != 0 || status.Age > 70*time.Minute || len(status.Keys) != 1 {
			t.Errorf("after an answer that nothing changed: %+v", status)
		}
		if again, _ := s.Find(context.Background(), "a", "ES256"); again[0] != first[0] {
			t.Error("an unchanged key has become another *Key")
		}
		a.rotate(ecJWK("b"))
		time.Sleep(70 * time.Minute)
		if got := answer(s, "b"); got != 200 {
			t.Errorf("after a change: got %d, want 200", got)
		}
		// Past every cache, so unconditionally.
		if err := s.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := a.last().Header; got.Get("If-None-Match") != "" || got.Get("Cache-Control") != "no-cache" {
			t.Errorf("a forced request: got If-None-Match %q, Cache-Control %q", got.Get("If-None-Match"), got.Get("Cache-Control"))
		}
	})
}

func TestMetadataRevalidation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		var conditional atomic.Int64
		const modified = "Fri, 02 Jan 1998 03:04:05 GMT"
		a.metadata = func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("If-Modified-Since") == modified {
				conditional.Add(1)
				return reply(req, 304, "", ""), nil
			}
			resp := reply(req, 200, "application/json", `{"issuer":"`+testIssuer+`","jwks_uri":"`+testIssuer+`/keys"}`)
			resp.Header.Set("Last-Modified", modified)
			return resp, nil
		}
		s := newSet(t, a, nil)
		time.Sleep(3*time.Hour + 30*time.Minute)
		if conditional.Load() < 2 {
			t.Errorf("got %d conditional metadata requests, want one per refresh", conditional.Load())
		}
		if status := s.Status(); status.Failures != 0 {
			t.Errorf("got %+v", status)
		}
	})
}

func TestKeySetMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.etag = true
		s := newSet(t, a, nil)
		ready(t, s)

		t.Log("found at the next scheduled refresh")
		b := ecJWK("b")
		a.set(func() { a.keysPath, a.keys = "/moved", []jwk{b} })
		time.Sleep(70 * time.Minute)
		if got := answer(s, "b"); got != 200 {
			t.Errorf("got %d, want 200", got)
		}
		if got := a.last(); got.URL.Path != "/moved" || got.Header.Get("If-None-Match") != "" {
			t.Errorf("the first request there, %s, carries the validator of the old place: %q", got.URL, got.Header.Get("If-None-Match"))
		}
		if got, want := s.Status().KeysURL, testIssuer+"/moved"; got != want {
			t.Errorf("KeysURL: got %q, want %q", got, want)
		}

		t.Log("found in the same request by a token of a new key, though the old address still answers")
		old := document(b)
		a.set(func() {
			a.keysPath, a.keys = "/again", []jwk{ecJWK("c")}
			a.keySet = func(req *http.Request) (*http.Response, error) {
				if req.URL.Path == "/moved" {
					return reply(req, 200, "", old), nil
				}
				return nil, nil
			}
		})
		time.Sleep(2 * time.Minute)
		if got := answer(s, "c"); got != 200 {
			t.Errorf("got %d, want 200", got)
		}
	})
}

func TestLastKnownGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		keys, err := s.Find(context.Background(), "a", "ES256")
		if err != nil {
			t.Fatal(err)
		}
		since := s.Status().LastSuccess
		a.fail(refusing)
		time.Sleep(24*time.Hour - time.Second)
		if got := answer(s, "a"); got != 200 {
			t.Errorf("just before the maximum staleness: got %d, want 200", got)
		}
		if err := s.Holds(keys[0], time.Now()); err != nil {
			t.Errorf("Holds just before it: %v", err)
		}
		if got, want := s.Status().StaleAt, since.Add(24*time.Hour); !got.Equal(want) {
			t.Errorf("StaleAt: got %v, want %v", got, want)
		}
		time.Sleep(time.Second)
		if got := answer(s, "a"); got != 503 {
			t.Errorf("at the maximum staleness: got %d, want 503", got)
		}
		if err := s.Holds(keys[0], time.Now()); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("Holds at it: got %v, want ErrUnavailable", err)
		}
		if err := s.Ready(); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("Ready at it: got %v, want ErrUnavailable", err)
		}
		a.fail(nil)
		time.Sleep(31 * time.Second)
		if got := answer(s, "a"); got != 200 {
			t.Errorf("31 s after the authority is back: got %d, want 200", got)
		}
		if err := s.Holds(keys[0], time.Now()); err != nil {
			t.Errorf("Holds after it is back with the same key: %v", err)
		}
	})
}

func TestRemovedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := ecJWK("a"), ecJWK("b")
		from := newAuthority(a, b)
		s := newSet(t, from, nil)
		ready(t, s)
		keyA, _ := s.Find(context.Background(), "a", "ES256")
		keyB, _ := s.Find(context.Background(), "b", "ES256")

		t.Log("with Refresh it is gone now, and the other key stays what it was")
		from.rotate(b)
		if err := s.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := s.Holds(keyA[0], time.Now()); !errors.Is(err, jwks.ErrKeyNotFound) {
			t.Errorf("Holds of the key that is gone: got %v, want ErrKeyNotFound", err)
		}
		if err := s.Holds(keyB[0], time.Now()); err != nil {
			t.Errorf("Holds of the key that stays: %v", err)
		}
		if got := answer(s, "a"); got != 401 {
			t.Errorf("the key that is gone: got %d, want 401", got)
		}

		t.Log("without, it is gone after an hour and the jitter")
		from.rotate(a)
		time.Sleep(66*time.Minute + time.Second)
		if err := s.Holds(keyB[0], time.Now()); !errors.Is(err, jwks.ErrKeyNotFound) {
			t.Errorf("Holds of the key that is gone: got %v, want ErrKeyNotFound", err)
		}

		t.Log("another key under the same id replaces it")
		keyA, _ = s.Find(context.Background(), "a", "ES256")
		from.rotate(ecJWK("a"))
		if err := s.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := s.Holds(keyA[0], time.Now()); !errors.Is(err, jwks.ErrKeyNotFound) {
			t.Errorf("Holds of the key that was replaced: got %v, want ErrKeyNotFound", err)
		}
		again, err := s.Find(context.Background(), "a", "ES256")
		if err != nil || again[0] == keyA[0] {
			t.Errorf("Find: got %v, %v, want the new key", again, err)
		}
	})
}

// Where the keys are, the authority can still take one away while its metadata
// cannot be read, and the keys do not go stale.
func TestMetadataIsAway(t *testing.T) {
	for name, f := range map[string]fault{
		"500": status(500), "404": status(404), "HTML": body("text/html", "<html>"), "another issuer": body("", `{"issuer":"https://evil.example","jwks_uri":"`+testIssuer+`/evil"}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(ecJWK("stays"), ecJWK("goes"))
				s := newSet(t, a, nil)
				ready(t, s)
				a.set(func() { a.metadata = f })
				a.rotate(a.keys[0])
				time.Sleep(66*time.Minute + time.Second)
				if got := answer(s, "goes"); got != 401 {
					t.Errorf("a key that was taken away: got %d, want 401", got)
				}
				if st := s.Status(); st.MetadataError == "" || st.Failures != 0 {
					t.Errorf("the status does not say it, or too much: %+v", st)
				}
				if err := s.Refresh(context.Background()); !errors.Is(err, jwks.ErrUnavailable) {
					t.Errorf("Refresh, which asks for everything: got %v, want ErrUnavailable", err)
				}
				a.rotate(ecJWK("new"))
				_ = s.Refresh(context.Background())
				if got := answer(s, "new"); got != 200 {
					t.Errorf("Refresh has not taken the keys over: got %d, want 200", got)
				}
				time.Sleep(48 * time.Hour)
				if got := answer(s, "new"); got != 200 {
					t.Errorf("two days later: got %d, want 200", got)
				}
				a.set(func() { a.metadata = nil })
				if err := s.Refresh(context.Background()); err != nil || s.Status().MetadataError != "" {
					t.Errorf("it is back: got %v, %q", err, s.Status().MetadataError)
				}
			})
		})
	}
}

// An authority that says of everything that it has not changed was not asked
// that, and does not keep its keys fresh by it.
func TestNotModifiedThatNobodyAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		a.fail(status(304))
		time.Sleep(12 * time.Hour)
		if st := s.Status(); st.Failures == 0 {
			t.Errorf("it counts as a success: %+v", st)
		}
		time.Sleep(13 * time.Hour)
		if got := answer(s, "a"); got != 503 {
			t.Errorf("after a day: got %d, want 503", got)
		}
	})
}

// Bounds that are accepted do not make an outage where there is none.
func TestKeysDoNotGoStaleByThemselves(t *testing.T) {
	for name, o := range map[string]*jwks.Options{
		"defaults":              nil,
		"a day":                 {MaxRefreshInterval: 24 * time.Hour},
		"as tight as may be":    {MaxRefreshInterval: time.Hour, MaxStaleness: 2 * time.Hour},
		"a long least":          {MinRefreshInterval: 20 * time.Hour},
		"with one failure each": {MaxRefreshInterval: time.Hour, MaxStaleness: 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(ecJWK("a"))
				s := newSet(t, a, o)
				ready(t, s)
				var n int
				if name == "with one failure each" {
					a.set(func() {
						a.keySet = func(*http.Request) (*http.Response, error) {
							if n++; n%2 == 1 {
								return nil, errors.New("away")
							}
							return nil, nil
						}
					})
				}
				for range 7 * 24 * 6 {
					time.Sleep(10 * time.Minute)
					if got := answer(s, "a"); got != 200 {
						t.Fatalf("got %d, want 200: %+v", got, s.Status())
					}
				}
			})
		})
	}
}

// Whoever waits for the first keys in the very moment in which they land is
// woken. This one needs real parallelism, and so no bubble.
func TestWaitReadyInTheMomentOfLanding(t *testing.T) {
	for range 300 {
		s := newSet(t, newAuthority(ecJWK("a")), nil)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		var waiting sync.WaitGroup
		for range 30 {
			waiting.Go(func() {
				if err := s.WaitReady(ctx); err != nil {
					t.Errorf("WaitReady: %v; Ready: %v", err, s.Ready())
				}
			})
		}
		waiting.Wait()
		cancel()
		if t.Failed() {
			return
		}
	}
}

func TestHoldsOfAnotherSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ecJWK("a")
		s, other := newSet(t, newAuthority(key), nil), newSet(t, newAuthority(key), nil)
		ready(t, s)
		ready(t, other)
		keys, _ := other.Find(context.Background(), "a", "ES256")
		if err := s.Holds(keys[0], time.Now()); !errors.Is(err, jwks.ErrKeyNotFound) {
			t.Errorf("a key of another set: got %v, want ErrKeyNotFound", err)
		}
		if err := s.Holds(nil, time.Now()); !errors.Is(err, jwks.ErrKeyNotFound) {
			t.Errorf("no key: got %v, want ErrKeyNotFound", err)
		}
	})
}

func TestBadSetsReplaceNothing(t *testing.T) {
	for name, set := range map[string]string{
		"empty":    `{"keys":[]}`,
		"unusable": `{"keys":[{"kty":"AKP","alg":"ML-DSA-44","pub":"AA","kid":"pq"}]}`,
		"no keys":  `{"key":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(ecJWK("a"))
				s := newSet(t, a, nil)
				ready(t, s)
				a.set(func() { a.keySet = body("application/json", set) })
				if err := s.Refresh(context.Background()); !errors.Is(err, jwks.ErrUnavailable) {
					t.Errorf("Refresh: got %v, want ErrUnavailable", err)
				}
				if got := answer(s, "a"); got != 200 {
					t.Errorf("the key in hand: got %d, want 200", got)
				}
				if status := s.Status(); status.Failures == 0 || status.LastError == "" {
					t.Errorf("the status shows no failure: %+v", status)
				}
			})
		})
	}
}

// An answer must not be older than the question: who calls Refresh while the
// keys are on their way gets another refresh.
func TestRefreshIsNeverOlderThanItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.latency = time.Second
		s := newSet(t, a, nil)
		ready(t, s)
		before := a.requests("/keys")
		var calls sync.WaitGroup
		for range 50 { // at the same moment: one refresh
			calls.Go(func() {
				if err := s.Refresh(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(1500 * time.Millisecond) // the key set has been asked for, and not the later ones
		first := a.requests("/keys") - before
		for range 50 {
			calls.Go(func() {
				if err := s.Refresh(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		if got := a.requests("/keys") - before; first != 1 && first != 2 || got > 3 || got < 2 {
			t.Errorf("100 calls at two moments: got %d key set requests, %d for the first 50", got, first)
		}
	})
}

// Refresh promises the metadata anew, too: one whose metadata has been read
// already is not for it.
func TestRefreshDuringAScheduledOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.latency = time.Second
		s := newSet(t, a, nil)
		ready(t, s)
		time.Sleep(time.Until(s.Status().NextRefresh) + 1500*time.Millisecond) // at the keys
		metadata, keys := a.requests("/.well-known/"), a.requests("/keys")
		if err := s.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if gotM, gotK := a.requests("/.well-known/")-metadata, a.requests("/keys")-keys; gotM != 1 || gotK != 1 {
			t.Errorf("got %d metadata and %d key set requests after the call, want one of each", gotM, gotK)
		}

		time.Sleep(time.Until(s.Status().NextRefresh) + 500*time.Millisecond) // at the metadata
		metadata = a.requests("/.well-known/")
		if err := s.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := a.requests("/.well-known/") - metadata; got != 1 {
			t.Errorf("called while the metadata was on its way: got %d metadata requests after the call, want 1", got)
		}
	})
}

// A demand that comes while a scheduled refresh reads the metadata makes the
// key set request go past the caches, and needs no other.
func TestDemandDuringAScheduledRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.latency = time.Second
		a.etag = true
		s := newSet(t, a, nil)
		ready(t, s)
		a.rotate(ecJWK("b"))
		time.Sleep(time.Until(s.Status().NextRefresh) + 500*time.Millisecond)
		keys := a.requests("/keys")
		expect(t, s, "b", result{200, 1500 * time.Millisecond})
		if got := a.last().Header; got.Get("Cache-Control") != "no-cache" || got.Get("If-None-Match") != "" {
			t.Errorf("the request: Cache-Control %q, If-None-Match %q", got.Get("Cache-Control"), got.Get("If-None-Match"))
		}
		time.Sleep(10 * time.Second)
		if got := a.requests("/keys") - keys; got != 1 {
			t.Errorf("got %d key set requests, want 1", got)
		}
	})
}

// While the authority is down and nothing is held, requests are answered at
// once between two attempts, and wait no longer than the rest of five seconds in
// one.
func TestColdRequestsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.fail(refusing)
		s := newSet(t, a, nil)
		synctest.Wait()
		for range 100 {
			expect(t, s, "a", result{503, 0})
			time.Sleep(7 * time.Millisecond)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.fail(hanging)
		s := newSet(t, a, nil)
		time.Sleep(3 * time.Second)
		expect(t, s, "a", result{503, 2 * time.Second})
		expect(t, s, "a", result{503, 0})
	})
}

// Metadata that has gone bad takes nothing away from what was read before.
func TestMetadataGoesBad(t *testing.T) {
	for name, text := range map[string]string{
		"http jwks_uri":  `{"issuer":"` + testIssuer + `","jwks_uri":"http://id.example.com/keys"}`,
		"another issuer": `{"issuer":"https://evil.example","jwks_uri":"` + testIssuer + `/evil"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(ecJWK("a"))
				s := newSet(t, a, nil)
				ready(t, s)
				a.set(func() { a.metadata = body("application/json", text) })
				time.Sleep(3 * time.Hour)
				a.rotate(ecJWK("b"))
				expect(t, s, "b", result{200, 0})
			})
		})
	}
}

func TestRefreshObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		a.fail(slow(3 * time.Second))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := s.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("got %v, want DeadlineExceeded and ErrUnavailable", err)
		}
		time.Sleep(10 * time.Second) // and harms nobody: it goes on
		if status := s.Status(); status.Failures != 0 || status.Age > 10*time.Second {
			t.Errorf("the refresh did not go on: %+v", status)
		}
	})
}

// A fetch that times out must not look like the end of the caller's context.
func TestTimeoutOfAFetchIsNotTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		a.fail(hanging)
		start := time.Now()
		err := s.Refresh(context.Background())
		if !errors.Is(err, jwks.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want ErrUnavailable alone", err)
		}
		if err == nil || !strings.Contains(err.Error(), "no whole answer within 10s") {
			t.Errorf("the error %v does not say what happened", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("got an end after %v, want 10s", took)
		}
	})
}

// Nor must one that the caller's own client timed out.
func TestTimeoutOfTheClientIsNotTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.fail(hanging)
		s := newSet(t, a, &jwks.Options{HTTPClient: &http.Client{Transport: a, Timeout: time.Second}})
		took := timed(func() {
			_, err := s.Find(context.Background(), "a", "ES256")
			if !errors.Is(err, jwks.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want ErrUnavailable alone", err)
			}
		})
		if took != time.Second {
			t.Errorf("it took %v, want the client's second", took)
		}
	})
}

func TestClose(t *testing.T) {
	for _, moment := range []struct {
		name  string
		fault fault
		after time.Duration
	}{
		{"at once", nil, 0},
		{"idle", nil, time.Minute},
		{"in a fetch that hangs", hanging, time.Second},
		{"in a body that drips", slowLoris, time.Second},
		{"between retries", refusing, 10 * time.Minute},
	} {
		t.Run(moment.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // which fails if a goroutine stays behind
				a := newAuthority(ecJWK("a"))
				a.fail(moment.fault)
				s := newSet(t, a, nil)
				time.Sleep(moment.after)
				var closing sync.WaitGroup
				for range 3 {
					closing.Go(func() {
						if err := s.Close(); err != nil {
							t.Errorf("Close: %v", err)
						}
					})
				}
				closing.Wait()
				for name, err := range map[string]error{
					"Ready":     s.Ready(),
					"WaitReady": s.WaitReady(context.Background()),
					"Refresh":   s.Refresh(context.Background()),
					"Find":      second(s.Find(context.Background(), "a", "ES256")),
					"Find junk": second(s.Find(context.Background(), "junk", "ES256")),
					"FindNew":   second(s.FindNew(context.Background(), "ES256", nil)),
				} {
					if !errors.Is(err, jwks.ErrClosed) || !errors.Is(err, jwks.ErrUnavailable) {
						t.Errorf("%s: got %v, want ErrClosed, which matches ErrUnavailable", name, err)
					}
				}
				if !s.Status().Closed || s.Status().Ready {
					t.Error("the status does not say that it is closed")
				}
				asked := a.requests("")
				time.Sleep(24 * time.Hour)
				if got := a.requests(""); got != asked {
					t.Errorf("%d requests after Close", got-asked)
				}
			})
		})
	}
}

func second(_ []*jwks.Key, err error) error { return err }

func TestHoldsAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, newAuthority(ecJWK("a")), nil)
		keys, err := s.Find(context.Background(), "a", "ES256")
		if err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		if err := s.Holds(keys[0], time.Now()); !errors.Is(err, jwks.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
}

func TestCloseWakesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cold := newAuthority(ecJWK("a"))
		cold.fail(hanging)
		warm := newAuthority(ecJWK("a"))
		sets := []*jwks.Set{newSet(t, cold, nil), newSet(t, warm, nil)}
		ready(t, sets[1])
		warm.fail(hanging)
		var waiting sync.WaitGroup
		wait := func(f func() error) {
			waiting.Go(func() {
				if err := f(); !errors.Is(err, jwks.ErrClosed) {
					t.Errorf("got %v, want ErrClosed", err)
				}
			})
		}
		ctx := context.Background()
		wait(func() error { return second(sets[0].Find(ctx, "a", "ES256")) })
		wait(func() error { return sets[0].WaitReady(ctx) })
		wait(func() error { return sets[0].Refresh(ctx) })
		wait(func() error { return second(sets[1].Find(ctx, "b", "ES256")) })
		wait(func() error { return sets[1].Refresh(ctx) })
		time.Sleep(time.Second)
		start := time.Now()
		_ = sets[0].Close()
		_ = sets[1].Close()
		waiting.Wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("they waited %v more", took)
		}
	})
}
