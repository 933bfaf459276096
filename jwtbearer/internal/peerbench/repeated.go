package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"time"
)

// A sink is a ResponseWriter that costs nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

func request(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "shop/1.0")
	return r
}

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// serve returns one call of the handler with the token, and refuses a handler
// that the token does not get through.
func serve(g *guard, token string) (func(int) error, error) {
	w, r := &sink{header: http.Header{}}, request(token)
	reached := ""
	g.wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached = g.subject(r.Context())
	})).ServeHTTP(w, r)
	if reached == "" {
		return nil, fmt.Errorf("a good token was answered %d, or left no subject", w.status)
	}
	handler := g.wrap(nothing)
	return func(int) error {
		handler.ServeHTTP(w, r)
		if w.status >= 300 {
			return fmt.Errorf("status %d", w.status)
		}
		return nil
	}, nil
}

// sliceSize is how many calls take about 8 ms.
func sliceSize(call func(int) error) (int, error) {
	for n := 16; ; n *= 4 {
		start := time.Now()
		if _, err := perOp(n, call); err != nil {
			return 0, err
		}
		if took := time.Since(start); took > time.Millisecond {
			return max(16, int(float64(n)*8e6/float64(took.Nanoseconds()))), nil
		}
	}
}

// repeatedToken measures one token, again and again, through the middleware.
func (b *bench) repeatedToken(ctx context.Context) error {
	for _, alg := range compared {
		b.say("repeated token through the middleware, %s", alg)
		tokens, err := b.tokens(alg, b.plan.tokens)
		if err != nil {
			return err
		}
		fl, err := newFloor(b.signers[alg], tokens)
		if err != nil {
			return err
		}
		err = b.withGuards(ctx, b.idp, func(guards map[*row]*guard) error {
			var entrants []entrant
			enter := func(name string, result *series, call func(int) error) error {
				n, err := sliceSize(call)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", name, alg, err)
				}
				entrants = append(entrants, entrant{result: result, slice: func(int) (float64, error) { return perOp(n, call) }})
				return nil
			}
			b.bare[alg] = &series{}
			w, r := &sink{header: http.Header{}}, request(tokens[0])
			var handler http.Handler = nothing
			if err := enter("unprotected", b.bare[alg], func(int) error { handler.ServeHTTP(w, r); return nil }); err != nil {
				return err
			}
			for _, r := range b.active() {
				call, err := serve(guards[r], tokens[0])
				if err != nil {
					return fmt.Errorf("%s, %s: %w", r.name, alg, err)
				}
				if r.again[alg], err = measureCost(1000, call); err != nil {
					return err
				}
				r.repeated[alg] = &series{}
				if err := enter(r.name, r.repeated[alg], call); err != nil {
					return err
				}
				if alg == "RS256" {
					if r.scaling, err = scaling(guards[r], tokens[:min(64, len(tokens))], b.plan.rounds/2); err != nil {
						return err
					}
				}
			}
			return interleave(b.plan.rounds, func(int) (float64, error) { return perOp(b.plan.tokens, fl.verify) }, entrants)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// scaling is how much more two callers on two cores get through than one.
func scaling(g *guard, tokens []string, rounds int) (float64, error) {
	if runtime.NumCPU() < 2 {
		return 0, nil
	}
	rate := func(callers int) (float64, error) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(callers))
		const slice = 20 * time.Millisecond
		counts, errs := make([]int, callers), make([]error, callers)
		var wg sync.WaitGroup
		var start time.Time
		begin := make(chan struct{})
		prepared := make([][]func(int) error, callers)
		for c := range callers {
			for _, token := range tokens {
				call, err := serve(g, token)
				if err != nil {
					return 0, err
				}
				prepared[c] = append(prepared[c], call)
			}
		}
		for c, calls := range prepared {
			wg.Go(func() {
				<-begin
				n := 0
				for errs[c] == nil && (n%64 != 0 || time.Since(start) < slice) {
					errs[c] = calls[n%len(calls)](n)
					n++
				}
				counts[c] = n
			})
		}
		start = time.Now()
		close(begin)
		wg.Wait()
		total := 0
		for c := range callers {
			if errs[c] != nil {
				return 0, errs[c]
			}
			total += counts[c]
		}
		return float64(total) / time.Since(start).Seconds(), nil
	}
	var ratios []float64
	for range max(rounds, 3) {
		one, err := rate(1)
		if err != nil {
			return 0, err
		}
		two, err := rate(2)
		if err != nil {
			return 0, err
		}
		ratios = append(ratios, two/one)
	}
	return quantile(ratios, 0.5), nil
}
