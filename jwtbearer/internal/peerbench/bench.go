package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// The signature algorithms that are compared.
var compared = []string{"RS256", "ES256", "EdDSA"}

// Sizes of a run.
type plan struct {
	rounds      int           // of in-process slices
	tokens      int           // in a slice
	httpRounds  int           // of the whole server
	httpSlice   time.Duration // of load on one server
	connections int
	keyRounds   int
	keyTokens   int
	flood       int           // bad tokens
	patience    time.Duration // with a rotated key
	offers      []int         // of distinct tokens, to our memory of them
}

var (
	fullPlan = plan{rounds: 40, tokens: 100, httpRounds: 8, httpSlice: 250 * time.Millisecond, connections: 16,
		keyRounds: 24, keyTokens: 50, flood: 10_000, patience: 35 * time.Second,
		offers: []int{10, 1_000, 100_000, 1_000_000}}
	shortPlan = plan{rounds: 6, tokens: 40, httpRounds: 2, httpSlice: 150 * time.Millisecond, connections: 16,
		keyRounds: 3, keyTokens: 20, flood: 1_000, patience: 6 * time.Second,
		offers: []int{10, 1_000, 20_000}}
)

// A row is what one contender showed.
type row struct {
	*contender
	skipped  string // why it did not take part
	first    map[string]*series
	firstAt  map[string]cost
	repeated map[string]*series
	again    map[string]cost
	scaling  float64 // tokens a second of two callers to those of one
	server   map[string]*served
	keys     map[int]*series
	flood    *flooded
	probes   map[string]verdict
	idle     int // goroutines that it keeps
}

// A bench holds one run.
type bench struct {
	plan    plan
	rows    []*row
	signers map[string]*signer
	idp     *provider
	minted  map[string][]string
	floorAt map[string]cost
	floorNS map[string]float64
	bare    map[string]*series // the unprotected handler
	bareAt  map[string]*served
	joined  map[int]*joined // by the number of authorities
	held    []held
	probed  []string // the names of the probes, in order
	log     io.Writer
	started time.Time
}

func newBench(p plan, field []*contender, log io.Writer) (*bench, error) {
	b := &bench{
		plan:    p,
		signers: map[string]*signer{},
		minted:  map[string][]string{},
		floorAt: map[string]cost{},
		floorNS: map[string]float64{},
		bare:    map[string]*series{},
		bareAt:  map[string]*served{},
		joined:  map[int]*joined{},
		log:     log,
		started: time.Now(),
	}
	var published []publicKey
	for _, alg := range compared {
		s, err := newSigner("signing-"+alg+"-"+nonce(14), alg)
		if err != nil {
			return nil, err
		}
		b.signers[alg] = s
		published = append(published, s.public())
	}
	var err error
	if b.idp, err = newProvider(published...); err != nil {
		return nil, err
	}
	for _, c := range field {
		b.rows = append(b.rows, &row{
			contender: c,
			first:     map[string]*series{},
			firstAt:   map[string]cost{},
			repeated:  map[string]*series{},
			again:     map[string]cost{},
			server:    map[string]*served{},
			keys:      map[int]*series{},
			probes:    map[string]verdict{},
		})
	}
	return b, nil
}

func (b *bench) Close() error { return b.idp.Close() }

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, "%6.1fs  %s\n", time.Since(b.started).Seconds(), fmt.Sprintf(format, args...))
}

// tokens returns n distinct good tokens; the same ones each time.
func (b *bench) tokens(alg string, n int) ([]string, error) {
	if missing := n - len(b.minted[alg]); missing > 0 {
		more, err := mint(b.signers[alg], b.idp.issuer, missing)
		if err != nil {
			return nil, err
		}
		b.minted[alg] = append(b.minted[alg], more...)
	}
	return b.minted[alg][:n], nil
}

// active returns the rows that take part.
func (b *bench) active() []*row {
	var out []*row
	for _, r := range b.rows {
		if r.skipped == "" {
			out = append(out, r)
		}
	}
	return out
}

// oursTakesPart says whether what is about us alone is to be measured.
func (b *bench) oursTakesPart() bool {
	return slices.ContainsFunc(b.active(), func(r *row) bool { return r.ours })
}

// admit opens every contender once and lets it check one good token of each
// algorithm; what cannot is left out, and said to be.
func (b *bench) admit(ctx context.Context) error {
	for _, r := range b.rows {
		err := func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("panic: %v", p)
				}
			}()
			time.Sleep(50 * time.Millisecond) // for those of the one before to end
			before := goroutines()
			g, err := r.openWithin(ctx, b.idp, 10*time.Second)
			if err != nil {
				return err
			}
			defer g.close()
			for _, alg := range compared {
				token, err := good(b.signers[alg], b.idp.issuer)
				if err != nil {
					return err
				}
				subject, err := g.verify(ctx, token)
				if err != nil {
					return fmt.Errorf("%s: %w", alg, err)
				}
				if subject == "" {
					return fmt.Errorf("%s: no subject", alg)
				}
			}
			time.Sleep(50 * time.Millisecond) // for those that are about to end
			r.idle = goroutines() - before
			return nil
		}()
		if err != nil {
			r.skipped = err.Error()
			b.say("%s takes no part: %v", r.name, err)
		}
	}
	return nil
}

// goroutines counts those that serve no HTTP connection.
func goroutines() int {
	buf := make([]byte, 8<<20)
	n := 0
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if !strings.Contains(stack, "net/http.") {
			n++
		}
	}
	return n
}

// withGuards opens the contenders that take part and closes them after run.
func (b *bench) withGuards(ctx context.Context, p *provider, run func(map[*row]*guard) error) error {
	guards := map[*row]*guard{}
	defer func() {
		for _, g := range guards {
			g.close()
		}
	}()
	for _, r := range b.active() {
		g, err := r.openWithin(ctx, p, 10*time.Second)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		guards[r] = g
	}
	return run(guards)
}
