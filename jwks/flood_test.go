package jwks_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

// flooding sends n requests with random key ids over d, each on its own
// goroutine, and returns the longest that one of them waited.
func flooding(s *jwks.Set, n int, d time.Duration, want map[int]bool, t *testing.T) (longest time.Duration) {
	var most atomic.Int64
	var requests sync.WaitGroup
	for range n {
		kid := fmt.Sprintf("junk-%x", rand.Uint64())
		requests.Go(func() {
			took := timed(func() {
				if got := answer(s, kid); !want[got] {
					t.Errorf("a junk kid: got %d", got)
				}
			})
			for old := most.Load(); int64(took) > old && !most.CompareAndSwap(old, int64(took)); old = most.Load() {
			}
		})
		time.Sleep(d / time.Duration(n))
	}
	requests.Wait()
	return time.Duration(most.Load())
}

func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("good"))
		a.latency = 20 * time.Millisecond
		s := newSet(t, a, nil)
		ready(t, s)
		time.Sleep(2 * time.Minute)
		before := a.requests("")

		var beside sync.WaitGroup
		ctx, stop := context.WithCancel(context.Background())
		beside.Go(func() { // the good requests
			for ctx.Err() == nil {
				expect(t, s, "good", result{200, 0})
				time.Sleep(time.Millisecond)
			}
		})
		longest := flooding(s, 10_000, 30*time.Second, map[int]bool{401: true}, t)
		stop()
		beside.Wait()
		if got := a.requests("") - before; got > 10 || got < 3 {
			t.Errorf("10,000 junk kids in 30s cost the authority %d requests, want 3 to 10", got)
		}
		if longest > 100*time.Millisecond {
			t.Errorf("a junk kid waited %v, want no more than for the fetch it caused", longest)
		}
		status := s.Status()
		if status.Counts.Demands == 0 || status.Counts.Throttled == 0 || status.Counts.Throttled > status.Counts.Demands {
			t.Errorf("the status does not show the flood: %+v", status.Counts)
		}
	})
}

// A rotation in a flood or right after it is found within 5 s, whenever it is.
func TestRotationInAFlood(t *testing.T) {
	for _, at := range []time.Duration{
		0, time.Millisecond, 900 * time.Millisecond, 4990 * time.Millisecond, 5030 * time.Millisecond, 12300 * time.Millisecond,
		29990 * time.Millisecond, 30 * time.Second, 30030 * time.Millisecond, 31 * time.Second, 34 * time.Second, 35 * time.Second, 38 * time.Second,
	} {
		t.Run(at.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(ecJWK("before"))
				a.latency = 20 * time.Millisecond
				s := newSet(t, a, nil)
				ready(t, s)
				time.Sleep(10 * time.Minute)
				var flood sync.WaitGroup
				flood.Go(func() { flooding(s, 2_000, 30*time.Second, map[int]bool{401: true, 200: true}, t) })
				time.Sleep(at)
				a.rotate(ecJWK("before"), ecJWK("after"))
				rotated := time.Now()
				for answer(s, "after") != 200 {
					time.Sleep(50 * time.Millisecond)
					if time.Since(rotated) > time.Minute {
						break
					}
				}
				if took := time.Since(rotated); took > 5*time.Second+100*time.Millisecond {
					t.Errorf("the new key was found after %v, want within 5s", took)
				}
				flood.Wait()
			})
		})
	}
}

// The same without a second request to ask again: a demand that was refused is
// made as soon as the budget allows.
func TestRefusedDemandIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("before"))
		s := newSet(t, a, nil)
		ready(t, s)
		for i := range 3 {
			_ = answer(s, fmt.Sprintf("junk-%d", i))
		}
		a.rotate(ecJWK("after"))
		expect(t, s, "after", result{401, 0})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		before := a.requests("")
		expect(t, s, "after", result{200, 0})
		if got := a.requests("") - before; got != 0 {
			t.Errorf("it took %d more requests, want none: the key should be there", got)
		}
	})
}

func TestSimultaneousUnknownKidsCauseOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("before"))
		a.latency = 100 * time.Millisecond
		s := newSet(t, a, nil)
		ready(t, s)
		before := a.requests("")
		a.rotate(ecJWK("after"))
		var requests sync.WaitGroup
		for range 1000 {
			requests.Go(func() { expect(t, s, "after", result{200, 100 * time.Millisecond}) })
		}
		requests.Wait()
		if got := a.requests("") - before; got != 1 {
			t.Errorf("1,000 requests at once: got %d fetches, want 1", got)
		}
	})
}

// A fetch that has been sent when a token comes may be older than the token's
// key: the token gets the next one.
func TestDemandDuringAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("one"))
		a.keySet = nil
		s := newSet(t, a, nil)
		ready(t, s)
		held := document(ecJWK("two"))
		a.set(func() { a.keySet = delayed(body("application/json", held), time.Second) })
		var first sync.WaitGroup
		first.Go(func() { expect(t, s, "two", result{200, time.Second}) })
		time.Sleep(500 * time.Millisecond)
		held2 := document(ecJWK("three"))
		a.set(func() { a.keySet = delayed(body("application/json", held2), time.Second) })
		expect(t, s, "three", result{200, 1500 * time.Millisecond})
		first.Wait()
	})
}

// A refresh that brings what the next one was asked for spares it.
func TestTwoNewKeysOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		a.rotate(ecJWK("b"), ecJWK("c"))
		a.set(func() { a.latency = time.Second })
		before := a.requests("")
		var first sync.WaitGroup
		first.Go(func() { expect(t, s, "b", result{200, time.Second}) })
		time.Sleep(500 * time.Millisecond)
		expect(t, s, "c", result{200, 500 * time.Millisecond})
		first.Wait()
		time.Sleep(10 * time.Second)
		if got := a.requests("") - before; got != 1 {
			t.Errorf("got %d fetches, want 1", got)
		}
	})
}

// But what a token without a kid waits for cannot be told: it gets the next one.
func TestFindNewDuringAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		one := ecJWK("")
		a := newAuthority(one)
		s := newSet(t, a, nil)
		tried, err := s.Find(ctx, "", "ES256")
		if err != nil {
			t.Fatal(err)
		}
		old := document(one)
		a.set(func() { a.keySet = delayed(body("", old), time.Second) })
		var first sync.WaitGroup
		first.Go(func() { expect(t, s, "other", result{401, time.Second}) })
		time.Sleep(500 * time.Millisecond)
		a.set(func() { a.keySet, a.keys = nil, []jwk{one, ecJWK("")} })
		took := timed(func() {
			if got, err := s.FindNew(ctx, "ES256", tried); err != nil || len(got) != 1 {
				t.Errorf("got %d keys, %v, want the new one", len(got), err)
			}
		})
		if took != 500*time.Millisecond {
			t.Errorf("it waited %v, want for the fetch under way and the next one", took)
		}
		first.Wait()
	})
}

// Whoever comes in the very moment in which a refresh lands finds what it
// brought. This one needs real parallelism, and so no bubble.
func TestFindInTheMomentOfLanding(t *testing.T) {
	a := newAuthority(ecJWK("0"))
	s := newSet(t, a, nil)
	ready(t, s)
	for i := range 300 {
		kid := fmt.Sprint(i + 1)
		a.rotate(ecJWK(kid))
		var requests sync.WaitGroup
		start := make(chan struct{})
		for range 64 {
			requests.Go(func() {
				<-start
				for range 4 {
					if got := answer(s, kid); got != 200 {
						t.Errorf("rotation %d: got %d, want 200", i, got)
						return
					}
				}
			})
		}
		close(start)
		requests.Wait()
		if t.Failed() {
			return
		}
	}
}

// One caller's end is nobody else's.
func TestOneCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("before"))
		s := newSet(t, a, nil)
		ready(t, s)
		a.rotate(ecJWK("after"))
		a.set(func() { a.latency = time.Second })
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		var others sync.WaitGroup
		others.Go(func() {
			if _, err := s.Find(ctx, "after", "ES256"); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, jwks.ErrUnavailable) {
				t.Errorf("who leaves: got %v, want DeadlineExceeded and ErrUnavailable", err)
			}
		})
		synctest.Wait()
		expect(t, s, "after", result{200, time.Second})
		others.Wait()
	})
}

// A client that goes on with a stale token spends little, and nothing of what a
// rotation needs.
func TestOneStaleClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		before := a.requests("/keys")
		for range 10 * 60 * 10 { // ten a second, for ten minutes
			expect(t, s, "stale", result{401, 0})
			time.Sleep(100 * time.Millisecond)
		}
		if got := a.requests("/keys") - before; got > 23 { // one every 30 s, and a few at first
			t.Errorf("one stale key id cost %d fetches in ten minutes, want at most 23", got)
		}
		a.rotate(ecJWK("b"))
		expect(t, s, "b", result{200, 0})
		// Should the authority bring the stale one back, it is found.
		a.rotate(ecJWK("stale"))
		start := time.Now()
		for answer(s, "stale") != 200 && time.Since(start) < 5*time.Minute {
			time.Sleep(time.Second)
		}
		if took := time.Since(start); took > 31*time.Second {
			t.Errorf("a key that was missing for long was found after %v, want within 30s", took)
		}
	})
}

// What is known to be missing waits for nobody.
func TestMissingKidDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		expect(t, s, "stale", result{401, 0})
		a.set(func() { a.latency = time.Second })
		var other sync.WaitGroup
		other.Go(func() { expect(t, s, "other", result{401, time.Second}) })
		synctest.Wait()
		expect(t, s, "stale", result{401, 0})
		other.Wait()
	})
}

// A key that is used before it is published is found within seconds.
func TestKeyIsPublishedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		expect(t, s, "late", result{401, 0})
		time.Sleep(time.Second)
		a.rotate(ecJWK("late"))
		start := time.Now()
		for answer(s, "late") != 200 && time.Since(start) < time.Minute {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("found after %v, want within 5s", took)
		}
	})
}

func TestFloodWhileTheAuthorityFails(t *testing.T) {
	for name, fail := range map[string]func(*authority){
		"down":             func(a *authority) { a.fail(refusing) },
		"500":              func(a *authority) { a.fail(status(500)) },
		"404":              func(a *authority) { a.fail(status(404)) },
		"hanging":          func(a *authority) { a.fail(hanging) },
		"key set down":     func(a *authority) { a.set(func() { a.keySet = refusing }) },
		"key set redirect": func(a *authority) { a.set(func() { a.keySet = redirect("http://id.example.com/") }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(ecJWK("good"))
				s := newSet(t, a, nil)
				ready(t, s)
				time.Sleep(2 * time.Minute) // the metadata may be asked for again
				fail(a)
				before := a.requests("")
				longest := flooding(s, 10_000, 30*time.Second, map[int]bool{503: true}, t)
				if got := a.requests("") - before; got > 10 {
					t.Errorf("it cost the authority %d requests, want at most 10", got)
				}
				if longest > 2*time.Second {
					t.Errorf("a junk kid waited %v, want at most 2s", longest)
				}
				expect(t, s, "good", result{200, 0})
			})
		})
	}
}

// Where only the metadata is away, the authority still says that it has no such
// key, and it is not asked more often.
func TestFloodWhileTheMetadataIsAway(t *testing.T) {
	for name, f := range map[string]fault{"down": refusing, "500": status(500), "404": status(404)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(ecJWK("good"))
				s := newSet(t, a, nil)
				ready(t, s)
				time.Sleep(2 * time.Minute)
				a.set(func() { a.metadata = f })
				before := a.requests("")
				flooding(s, 10_000, 30*time.Second, map[int]bool{401: true}, t)
				if got := a.requests("") - before; got > 10 {
					t.Errorf("it cost the authority %d requests, want at most 10", got)
				}
				a.rotate(ecJWK("good"), ecJWK("after"))
				start := time.Now()
				for answer(s, "after") != 200 && time.Since(start) < time.Minute {
					time.Sleep(100 * time.Millisecond)
				}
				if took := time.Since(start); took > 5*time.Second+100*time.Millisecond {
					t.Errorf("found after %v, want within 5s", took)
				}
			})
		})
	}
}

// An authority whose replicas do not agree yet shows one key set, then the other:
// what comes back is not new, and spends the budget like any other junk.
func TestReplicasThatDisagree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := ecJWK("one"), ecJWK("other")
		a := newAuthority(one)
		s := newSet(t, a, nil)
		ready(t, s)
		before := a.requests("/keys")
		for i := range 600 {
			if i%2 == 0 {
				a.rotate(other)
			} else {
				a.rotate(one)
			}
			_ = answer(s, "junk-"+fmt.Sprint(i))
			time.Sleep(50 * time.Millisecond)
		}
		if got := a.requests("/keys") - before; got > 13 { // "other" was new once
			t.Errorf("30s of it cost %d fetches, want at most 13", got)
		}
	})
}

// A flood in an outage does not lengthen what comes after it.
func TestRotationAfterAFloodInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("good"))
		s := newSet(t, a, nil)
		ready(t, s)
		a.fail(refusing)
		flooding(s, 3_000, 5*time.Minute, map[int]bool{503: true}, t)
		a.fail(nil)
		for i := 0; s.Status().Failures != 0; i++ {
			_ = answer(s, fmt.Sprint("more-junk-", i))
			time.Sleep(100 * time.Millisecond)
		}
		a.rotate(ecJWK("after"))
		start := time.Now()
		for answer(s, "after") != 200 && time.Since(start) < time.Minute {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(start); took > 5*time.Second+100*time.Millisecond {
			t.Errorf("found after %v, want within 5s", took)
		}
	})
}

// Behind a refresh that hangs, requests do not pile up.
func TestNobodyQueuesBehindAHangingRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("good"))
		s := newSet(t, a, nil)
		ready(t, s)
		a.fail(hanging)
		expect(t, s, "one", result{503, 2 * time.Second})
		time.Sleep(time.Second)
		expect(t, s, "two", result{503, 0})
	})
}

func TestNewKeyResetsTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("0"))
		s := newSet(t, a, nil)
		ready(t, s)
		for i := range 100 { // a rotation every second
			kid := fmt.Sprint(i + 1)
			a.rotate(ecJWK(kid))
			expect(t, s, kid, result{200, 0})
			time.Sleep(time.Second)
		}
	})
}

// A flood that goes on is answered ever more rarely.
func TestLongFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		before := a.requests("/keys")
		flooding(s, 18_000, 3*time.Minute, map[int]bool{401: true}, t)
		if got := a.requests("/keys") - before; got < 13 || got > 16 {
			t.Errorf("three minutes of junk cost %d fetches, want about 15", got)
		}
	})
}

// What the program asks for itself is not on the account of the tokens.
func TestRefreshIsNotOnTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		expect(t, s, "junk", result{401, 0})
		for range 20 {
			if err := s.Refresh(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		expect(t, s, "junk-1", result{401, 0})
		expect(t, s, "junk-2", result{401, 0})
		a.rotate(ecJWK("b"))
		expect(t, s, "b", result{401, 0}) // nothing is left
		time.Sleep(5 * time.Second)
		synctest.Wait()
		expect(t, s, "b", result{200, 0})
	})
}

// Beyond the budget, a refresh that is under way may still bring the key, and
// then there is nothing left to ask for.
func TestRefusedDemandDuringAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		for i := range 4 { // the fourth is refused, and made after five seconds
			expect(t, s, fmt.Sprint("junk-", i), result{401, 0})
		}
		a.rotate(ecJWK("b"))
		a.set(func() { a.latency = time.Second })
		time.Sleep(5500 * time.Millisecond)
		before := a.requests("")
		expect(t, s, "b", result{200, 500 * time.Millisecond})
		time.Sleep(time.Minute)
		if got := a.requests("") - before; got != 0 {
			t.Errorf("got %d more requests, want none", got)
		}
	})
}

// Also one that a scheduled refresh brought.
func TestScheduledNewKeyResetsTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, &jwks.Options{MinRefreshInterval: time.Second, MaxRefreshInterval: time.Second})
		ready(t, s)
		for i := range 3 {
			expect(t, s, fmt.Sprint("junk-", i), result{401, 0})
		}
		a.rotate(ecJWK("b"))
		expect(t, s, "b", result{401, 0}) // nothing is left
		time.Sleep(1200 * time.Millisecond)
		expect(t, s, "b", result{200, 0})
		a.rotate(ecJWK("c"))
		expect(t, s, "c", result{200, 0})
	})
}

func TestUnsupportedAlgorithmsCauseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		before := a.requests("")
		for _, alg := range []string{"", "none", "None", "HS256", "RS1", "es256", "ES256K", "RSA-OAEP", "ML-DSA-44"} {
			for _, kid := range []string{"", "a", "unknown"} {
				if keys, err := s.Find(context.Background(), kid, alg); !errors.Is(err, jwks.ErrKeyNotFound) {
					t.Errorf("Find(%q, %q): got %v, %v, want ErrKeyNotFound", kid, alg, keys, err)
				}
			}
		}
		if got := a.requests("") - before; got != 0 {
			t.Errorf("they caused %d requests", got)
		}
	})
}

// delayed answers after d, with what there was when it was asked.
func delayed(f fault, d time.Duration) fault {
	return func(req *http.Request) (*http.Response, error) {
		if err := sleep(req.Context(), d); err != nil {
			return nil, err
		}
		return f(req)
	}
}
