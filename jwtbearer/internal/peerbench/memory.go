package main

import (
	"context"
	"fmt"
	"runtime"
)

// A held is what our memory of tokens came to.
type held struct {
	offered, entries int
	heap, counted    float64 // MiB
}

// tokenMemory offers more and more distinct tokens to fresh verifiers of ours with
// the bounds of the zero Options.
func (b *bench) tokenMemory(ctx context.Context) error {
	if !b.oursTakesPart() {
		return nil
	}
	for _, offered := range b.plan.offers {
		b.say("%s distinct tokens", thousands(float64(offered)))
		h, err := b.offer(ctx, offered)
		if err != nil {
			return err
		}
		b.held = append(b.held, h)
	}
	return nil
}

func (b *bench) offer(ctx context.Context, offered int) (held, error) {
	verifier, err := ourVerifier(ctx, b.idp.issuer)
	if err != nil {
		return held{}, err
	}
	g, err := ourGuard(verifier)
	if err != nil {
		return held{}, err
	}
	defer g.close()
	before := heap()
	const batch = 10_000 // all at once would take a gigabyte
	for left := offered; left > 0; left -= batch {
		tokens, err := mint(b.signers["EdDSA"], b.idp.issuer, min(left, batch))
		if err != nil {
			return held{}, err
		}
		for _, token := range tokens {
			if _, err := g.verify(ctx, token); err != nil {
				return held{}, fmt.Errorf("of %d tokens: %w", offered, err)
			}
		}
	}
	const mib = 1 << 20
	cache := verifier.Status().Cache
	return held{offered, cache.Entries, float64(heap()-before) / mib, float64(cache.Bytes) / mib}, nil
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func (b *bench) reportMemory(p *page) {
	if len(b.held) == 0 {
		return
	}
	p.print("## Memory of verified tokens\n\n")
	p.print("A bearerguard verifier to which so many distinct EdDSA tokens were offered, with the default bounds of 16,384 tokens and 32 MiB. On the heap: how much more was live after the last one than before the first.\n\n")
	p.head("offered", "remembered", "MiB counted", "MiB on the heap")
	for _, h := range b.held {
		p.line(thousands(float64(h.offered)), thousands(float64(h.entries)), fmt.Sprintf("%.2f", h.counted), fmt.Sprintf("%.2f", h.heap))
	}
	p.print("\n")
}
