package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

// authorityCounts are how many authorities one verifier trusts.
var authorityCounts = []int{1, 10, 100, 1000}

// A joined is what a verifier of several authorities showed.
type joined struct {
	first, repeated series
	idle            int // goroutines that it keeps
}

// manyAuthorities measures ES256 tokens of more and more authorities that one
// verifier trusts. It is about us alone: with the others, that is the caller's code.
func (b *bench) manyAuthorities(ctx context.Context) error {
	if !b.oursTakesPart() {
		return nil
	}
	signers := make([]*signer, authorityCounts[len(authorityCounts)-1])
	for i := range signers {
		var err error
		if signers[i], err = newSigner(fmt.Sprintf("of-%d-%s", i, nonce(8)), "ES256"); err != nil {
			return err
		}
	}
	farm := newFarm(signers)
	defer farm.Close()
	per, rounds := b.plan.keyTokens, b.plan.rounds
	ours, err := b.tokens("ES256", per)
	if err != nil {
		return err
	}
	fl, err := newFloor(b.signers["ES256"], ours)
	if err != nil {
		return err
	}
	var entrants []entrant
	for _, n := range authorityCounts {
		b.say("%d authorities", n)
		before := goroutines()
		verifier, err := joinFarm(ctx, farm.URL, n)
		if err != nil {
			return err
		}
		g, err := ourGuard(verifier)
		if err != nil {
			return err
		}
		defer g.close()
		out := &joined{idle: goroutines() - before}
		b.joined[n] = out
		// As many tokens for every n, of all authorities in turn.
		first := per * (rounds + 1)
		tokens := make([]string, first+1000)
		for i := range tokens {
			if tokens[i], err = good(signers[i%n], fmt.Sprintf("%s/%d", farm.URL, i%n)); err != nil {
				return err
			}
		}
		check := func(i int) error {
			if _, err := g.verify(ctx, tokens[i]); err != nil {
				return fmt.Errorf("%d authorities: %w", n, err)
			}
			return nil
		}
		if _, err := perOp(per, check); err != nil { // warm
			return err
		}
		entrants = append(entrants, entrant{result: &out.first, slice: func(round int) (float64, error) {
			return perOp(per, func(i int) error { return check((round+1)*per + i) })
		}})
		again := make([]func(int) error, len(tokens)-first)
		for i := range again {
			if again[i], err = serve(g, tokens[first+i]); err != nil {
				return err
			}
		}
		entrants = append(entrants, entrant{result: &out.repeated, slice: func(int) (float64, error) {
			return perOp(4*len(again), func(i int) error { return again[i%len(again)](i) })
		}})
	}
	return interleave(rounds, func(int) (float64, error) { return perOp(per, fl.verify) }, entrants)
}

// newFarm serves an authority for each signer below one address.
func newFarm(signers []*signer) *httptest.Server {
	mux := http.NewServeMux()
	farm := httptest.NewServer(mux)
	mux.HandleFunc("GET /{number}/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		issuer := farm.URL + "/" + r.PathValue("number")
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"issuer": issuer, "jwks_uri": issuer + "/keys"})
	})
	mux.HandleFunc("GET /{number}/keys", func(w http.ResponseWriter, r *http.Request) {
		i, err := strconv.Atoi(r.PathValue("number"))
		if err != nil || i < 0 || i >= len(signers) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(keySet(signers[i].public()))
	})
	return farm
}

// joinFarm returns a verifier of the first n authorities, each of which is ready.
func joinFarm(ctx context.Context, url string, n int) (*jwtbearer.Verifier, error) {
	members := make([]*jwtbearer.Verifier, n)
	for i := range members {
		var err error
		if members[i], err = ourVerifier(ctx, fmt.Sprintf("%s/%d", url, i)); err != nil {
			for _, m := range members[:i] {
				m.Close()
			}
			return nil, err
		}
	}
	return jwtbearer.Join(members...)
}

func (b *bench) reportAuthorities(p *page) {
	if len(b.joined) == 0 {
		return
	}
	p.print("## Number of authorities\n\n")
	p.print("One bearerguard verifier that trusts so many authorities, each with a key of its own; ES256 tokens of all of them in turn. Repeated: %s tokens through the middleware. Goroutines do not count those of net/http.\n\n", thousands(1000))
	cells, first, repeated, kept := []string{"authorities"}, []string{"first-seen token"}, []string{"repeated token"}, []string{"goroutines kept"}
	for _, n := range authorityCounts {
		j := b.joined[n]
		cells = append(cells, thousands(float64(n)))
		first = append(first, x(&j.first))
		repeated = append(repeated, us(j.repeated.ns())+", "+x(&j.repeated))
		kept = append(kept, thousands(float64(j.idle)))
	}
	one, most := b.joined[authorityCounts[0]], b.joined[authorityCounts[len(authorityCounts)-1]]
	p.head(append(cells, "most against one")...)
	p.line(append(first, fmt.Sprintf("%.2fx", most.first.ratio()/one.first.ratio()))...)
	p.line(append(repeated, fmt.Sprintf("%.2fx", most.repeated.ratio()/one.repeated.ratio()))...)
	p.line(append(kept, "")...)
	p.print("\n")
}
