package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

func filled(b *testing.B, n int) *session.Memory {
	m := session.NewMemory(nil)
	for i := range n {
		id := strconv.Itoa(i)
		if err := m.Put(b.Context(), session.Session{Issuer: issuer, ID: "session-" + id, Subject: "user-" + id, ClientID: "app"}); err != nil {
			b.Fatal(err)
		}
	}
	return m
}

// BenchmarkCheckerMemory is the cost of a check per request: the store in
// memory, at different numbers of sessions, from one and from all cores.
func BenchmarkCheckerMemory(b *testing.B) {
	for _, n := range []int{1, 10_000, 1_000_000} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m := filled(b, n)
		runtime.GC()
		runtime.ReadMemStats(&after)
		c, err := session.New(m, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint("sessions=", n), func(b *testing.B) {
			benchmarkChecks(b, c, n)
			if n > 1 {
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/session")
			}
		})
		b.Run(fmt.Sprint("parallel/sessions=", n), func(b *testing.B) { benchmarkParallel(b, c, n) })
	}
}

// BenchmarkCheckerCached is the cost of a check with a verdict in the local
// cache, in front of a store that is never asked again.
func BenchmarkCheckerCached(b *testing.B) {
	for _, n := range []int{1, 10_000, 1_000_000} {
		c, err := session.New(remote{filled(b, n)}, &session.Options{CacheLife: session.MaxCacheLife, CacheSize: 2_000_000, KeepAccess: time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		for i := range n {
			if err := c.CheckFacts(b.Context(), benchFacts(i), nil); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprint("sessions=", n), func(b *testing.B) { benchmarkChecks(b, c, n) })
		b.Run(fmt.Sprint("parallel/sessions=", n), func(b *testing.B) { benchmarkParallel(b, c, n) })
	}
}

// remote hides that a store is in memory.
type remote struct{ session.Store }

func benchFacts(i int) session.Facts {
	return session.Facts{Issuer: issuer, ID: "session-" + strconv.Itoa(i), Subject: "user-" + strconv.Itoa(i), Client: "app"}
}

const sample = 4096 // distinct sessions asked for, spread over all of them

func samples(n int) []session.Facts {
	list := make([]session.Facts, sample)
	for i := range list {
		list[i] = benchFacts(i * 7919 % n)
	}
	return list
}

func benchmarkChecks(b *testing.B, c *session.Checker, n int) {
	list := samples(n)
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := c.CheckFacts(context.Background(), list[i%sample], request); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func benchmarkParallel(b *testing.B, c *session.Checker, n int) {
	list := samples(n)
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			if err := c.CheckFacts(context.Background(), list[i%sample], request); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkMemoryAdopt is the cost of recording a session at first sight, with
// the removal of old ones.
func BenchmarkMemoryAdopt(b *testing.B) {
	m := session.NewMemory(&session.MemoryOptions{MaxSessions: 1 << 30})
	c, err := session.New(m, &session.Options{AdoptUnknown: true})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := c.CheckFacts(context.Background(), benchFacts(i), nil); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
