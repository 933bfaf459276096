package main

import (
	"context"
	"fmt"
)

// keyCounts are the sizes of the key set.
var keyCounts = []int{1, 10, 100, 1000}

// keySetSizes measures first-seen ES256 tokens against larger and larger key sets.
func (b *bench) keySetSizes(ctx context.Context) error {
	signing := b.signers["ES256"]
	others := make([]publicKey, keyCounts[len(keyCounts)-1])
	for i := range others {
		other, err := newSigner(fmt.Sprintf("other-%d-%s", i, nonce(8)), "ES256")
		if err != nil {
			return err
		}
		others[i] = other.public()
	}
	for _, count := range keyCounts {
		b.say("key set of %d", count)
		// The key that signs stands in the middle.
		set := append([]publicKey(nil), others[:count]...)
		set[count/2] = signing.public()
		p, err := newProvider(set...)
		if err != nil {
			return err
		}
		err = b.withKeyCount(ctx, p, signing, count)
		p.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) withKeyCount(ctx context.Context, p *provider, signing *signer, count int) error {
	per := b.plan.keyTokens
	tokens, err := mint(signing, p.issuer, per*(b.plan.keyRounds+1))
	if err != nil {
		return err
	}
	fl, err := newFloor(signing, tokens)
	if err != nil {
		return err
	}
	return b.withGuards(ctx, p, func(guards map[*row]*guard) error {
		var entrants []entrant
		for _, r := range b.active() {
			g := guards[r]
			check := func(i int) error {
				if _, err := g.verify(ctx, tokens[i]); err != nil {
					return fmt.Errorf("%s, %d keys: %w", r.name, count, err)
				}
				return nil
			}
			if _, err := perOp(per, check); err != nil { // warm: the set is fetched, its keys are parsed
				return err
			}
			r.keys[count] = &series{}
			entrants = append(entrants, entrant{result: r.keys[count], slice: func(round int) (float64, error) {
				return perOp(per, func(i int) error { return check((round+1)*per + i) })
			}})
		}
		return interleave(b.plan.keyRounds, func(round int) (float64, error) {
			return perOp(per, func(i int) error { return fl.verify((round+1)*per + i) })
		}, entrants)
	})
}
