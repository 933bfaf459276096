package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A flooded is what a flood of tokens with unknown key ids did to a contender.
type flooded struct {
	fetches  [2]int64      // of the key set: by one caller; by 16, with a slow authority
	median   [2]float64    // nanoseconds of one bad token
	worst    [2]float64    // the longest of them
	accepted int           // bad tokens that got through
	found    [4]foundAfter // no attack; after one bad token; after either flood
}

// A foundAfter is how long a rotated key was refused.
type foundAfter struct {
	took  time.Duration
	never bool // within the patience of the plan
	na    bool // the contender has no set that refreshes itself
}

const (
	floodWorkers = 16
	floodLag     = 20 * time.Millisecond
)

// junk is a token that is right in everything but its key: nobody has it.
func junk(alg, issuer string, i int) string {
	stranger := header(&signer{kid: fmt.Sprintf("%d-%s", i, nonce(8)), alg: alg})
	sig := make([]byte, 256)
	rand.Read(sig)
	return b64.EncodeToString([]byte(stranger.String())) + "." + b64.EncodeToString([]byte(claims(issuer).String())) + "." + b64.EncodeToString(sig)
}

// unknownKeys floods each contender, rotates the provider's key, and looks how
// long a token signed with the new one is refused.
func (b *bench) unknownKeys(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, r := range b.active() {
		b.say("unknown key ids, %s", r.name)
		out := &flooded{}
		r.flood = out
		for scenario := range out.found {
			rotate, cleanup, err := b.scenario(ctx, r, out, scenario)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			if rotate == nil {
				out.found[scenario].na = true
				cleanup()
				continue
			}
			wg.Go(func() { // waiting for the new key takes long, and no processor
				defer cleanup()
				out.found[scenario] = rotate()
			})
		}
	}
	b.say("waiting for rotated keys to be found, at most %v", b.plan.patience)
	wg.Wait()
	return nil
}

// scenario attacks a fresh contender and returns what rotates its provider's key.
// Every flood needs one that has seen none yet: after the first, a contender with
// a budget has spent it, and the second would show one that cannot fetch.
func (b *bench) scenario(ctx context.Context, r *row, out *flooded, scenario int) (rotate func() foundAfter, cleanup func(), err error) {
	old, err := newSigner("old-"+nonce(4), "RS256")
	if err != nil {
		return nil, nil, err
	}
	p, err := newProvider(old.public())
	if err != nil {
		return nil, nil, err
	}
	g, err := r.openWithin(ctx, p, 10*time.Second)
	if err != nil {
		p.Close()
		return nil, nil, err
	}
	cleanup = func() { g.close(); p.Close() }
	fail := func(err error) (func() foundAfter, func(), error) { cleanup(); return nil, nil, err }

	token, err := good(old, p.issuer)
	if err != nil {
		return fail(err)
	}
	if _, err := g.verify(ctx, token); err != nil {
		return fail(err)
	}
	switch scenario {
	case 1:
		g.verify(ctx, junk("RS256", p.issuer, 0))
	case 2:
		b.flood(ctx, g, p, out, 0, 1, 0)
	case 3:
		b.flood(ctx, g, p, out, 1, floodWorkers, floodLag)
	}
	if _, err := g.verify(ctx, token); err != nil {
		return fail(fmt.Errorf("a good token after scenario %d: %w", scenario, err))
	}
	if r.static {
		return nil, cleanup, nil
	}
	renewed, err := newSigner("new-"+nonce(4), "RS256")
	if err != nil {
		return fail(err)
	}
	p.publish(renewed.public())
	start := time.Now()
	return func() foundAfter {
		wait, cancel := context.WithDeadline(ctx, start.Add(b.plan.patience))
		defer cancel()
		for {
			token, err := good(renewed, p.issuer)
			if err == nil {
				if _, err = g.verify(wait, token); err == nil {
					return foundAfter{took: time.Since(start)}
				}
			}
			select {
			case <-wait.Done():
				return foundAfter{never: true}
			case <-time.After(100 * time.Millisecond):
			}
		}
	}, cleanup, nil
}

// flood sends the bad tokens and counts what they cost.
func (b *bench) flood(ctx context.Context, g *guard, p *provider, out *flooded, at, workers int, lag time.Duration) {
	bad := make([]string, b.plan.flood)
	for i := range bad {
		bad[i] = junk("RS256", p.issuer, i)
	}
	p.lag.Store(int64(lag))
	defer p.lag.Store(0)
	before := p.fetches.Load()
	took := make([]float64, len(bad))
	var next, accepted atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(bad) {
					return
				}
				start := time.Now()
				if _, err := g.verify(ctx, bad[i]); err == nil {
					accepted.Add(1)
				}
				took[i] = float64(time.Since(start).Nanoseconds())
			}
		})
	}
	wg.Wait()
	out.fetches[at] = p.fetches.Load() - before
	out.median[at] = quantile(took, 0.5)
	out.worst[at] = quantile(took, 1)
	out.accepted += int(accepted.Load())
}
