//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// BenchmarkOpenStreams holds 100,000 requests open, each with a token and a
// session of its own, and measures for twelve seconds what judging them again
// costs: memory for each, and the share of one core at the given interval.
//
//	go test -run '^$' -bench OpenStreams -benchtime 1x ./examples/sse
func BenchmarkOpenStreams(b *testing.B) {
	const n, watch = 100_000, 12 * time.Second
	issuer := jwtbearertest.NewIssuer(b)
	tokens := make([]string, n)
	var group sync.WaitGroup
	for w := range runtime.NumCPU() {
		group.Go(func() {
			for i := w; i < n; i += runtime.NumCPU() {
				sid := strconv.Itoa(i)
				tokens[i] = issuer.Token("api1", jwtbearertest.Algorithm("ES256"), jwtbearertest.Subject("user-"+sid), jwtbearertest.Claim("sid", sid), jwtbearertest.ExpiresIn(time.Hour))
			}
		})
	}
	group.Wait()

	var base float64
	for _, interval := range []time.Duration{0, 10 * time.Second, time.Second} {
		name := "without Recheck"
		var rules []jwtbearer.Rule
		if interval > 0 {
			name = fmt.Sprint("Recheck=", interval)
			rules = append(rules, jwtbearer.Recheck(interval))
		}
		b.Run(name, func(b *testing.B) {
			checker, err := session.New(session.NewMemory(nil), &session.Options{AdoptUnknown: true})
			if err != nil {
				b.Fatal(err)
			}
			defer checker.Close()
			verifier := issuer.Verifier(b, &jwtbearer.Options{Checkers: []jwtbearer.Checker{checker}})
			opened := make(chan struct{}, n)
			api := verifier.Require("api1", rules...)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				opened <- struct{}{}
				<-r.Context().Done()
			}))
			for b.Loop() {
				ctx, cancel := context.WithCancel(context.Background())
				var streams sync.WaitGroup
				before := memory()
				for _, token := range tokens {
					r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/events", nil)
					r.Header.Set("Authorization", "Bearer "+token)
					streams.Go(func() { api.ServeHTTP(discard{}, r) })
				}
				for range n {
					<-opened
				}
				each := (memory() - before) / n
				asked := checker.Stats().Alive
				spent := processorTime()
				begin := time.Now()
				<-time.After(watch)
				spent = processorTime() - spent
				took := time.Since(begin)
				asked = checker.Stats().Alive - asked
				cancel()
				streams.Wait()
				if interval == 0 {
					base = each
				}
				b.ReportMetric(each, "B/stream")
				b.ReportMetric(each-base, "B/stream-more")
				b.ReportMetric(float64(asked)/took.Seconds(), "checks/s")
				b.ReportMetric(100*spent.Seconds()/took.Seconds(), "%core")
			}
		})
	}
}

// memory is what heap and stacks hold.
func memory() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
