package main

import (
	"context"
	"fmt"
)

// firstSeen measures what a token costs that was never seen before.
func (b *bench) firstSeen(ctx context.Context) error {
	for _, alg := range compared {
		b.say("first-seen token, %s", alg)
		per := b.plan.tokens
		counted := 200
		tokens, err := b.tokens(alg, counted+b.plan.rounds*per)
		if err != nil {
			return err
		}
		fl, err := newFloor(b.signers[alg], tokens)
		if err != nil {
			return err
		}
		err = b.withGuards(ctx, b.idp, func(guards map[*row]*guard) error {
			if b.floorAt[alg], err = measureCost(counted, fl.verify); err != nil {
				return err
			}
			var entrants []entrant
			for _, r := range b.active() {
				g := guards[r]
				check := func(token string) error {
					if _, err := g.verify(ctx, token); err != nil {
						return fmt.Errorf("%s, %s: %w", r.name, alg, err)
					}
					return nil
				}
				// The tokens counted here are not seen again, so that no memory of them helps.
				if r.firstAt[alg], err = measureCost(counted, func(i int) error { return check(tokens[i]) }); err != nil {
					return err
				}
				r.first[alg] = &series{}
				entrants = append(entrants, entrant{result: r.first[alg], slice: func(round int) (float64, error) {
					from := counted + round*per
					return perOp(per, func(i int) error { return check(tokens[from+i]) })
				}})
			}
			var floors []float64
			err := interleave(b.plan.rounds, func(round int) (float64, error) {
				from := counted + round*per
				ns, err := perOp(per, func(i int) error { return fl.verify(from + i) })
				floors = append(floors, ns)
				return ns, err
			}, entrants)
			b.floorNS[alg] = quantile(floors, 0.5)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
