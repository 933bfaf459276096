package main

import (
	"runtime"
	"slices"
	"time"
)

// A series is what the rounds of one measurement gave.
type series struct {
	ratios []float64 // to the floor measured just before and after
	nanos  []float64 // per operation
}

func (s *series) add(perOp, before, after float64) {
	s.nanos = append(s.nanos, perOp)
	s.ratios = append(s.ratios, perOp/((before+after)/2))
}

func (s *series) ratio() float64 { return quantile(s.ratios, 0.5) }
func (s *series) ns() float64    { return quantile(s.nanos, 0.5) }

// quantile returns 0 for no values at all.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 == len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// perOp times n calls and returns the nanoseconds of one.
func perOp(n int, call func(i int) error) (float64, error) {
	start := time.Now()
	for i := range n {
		if err := call(i); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n), nil
}

// An entrant is timed in slices, one a round.
type entrant struct {
	slice  func(round int) (perOp float64, err error)
	result *series
}

// interleave runs all entrants in every round, in an order that turns with the
// rounds, each between two slices of the floor: on a machine whose speed
// wanders, a slice can be compared with its neighbors and with nothing else.
func interleave(rounds int, floor func(round int) (float64, error), entrants []entrant) error {
	for round := range rounds {
		before, err := floor(round)
		if err != nil {
			return err
		}
		for i := range entrants {
			at := (i + round) % len(entrants)
			if round%2 == 1 {
				at = len(entrants) - 1 - at
			}
			took, err := entrants[at].slice(round)
			if err != nil {
				return err
			}
			after, err := floor(round)
			if err != nil {
				return err
			}
			entrants[at].result.add(took, before, after)
			before = after
		}
	}
	return nil
}

// A cost is what one operation allocates.
type cost struct{ allocs, bytes float64 }

func measureCost(n int, call func(i int) error) (cost, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		if err := call(i); err != nil {
			return cost{}, err
		}
	}
	runtime.ReadMemStats(&after)
	return cost{
		allocs: float64(after.Mallocs-before.Mallocs) / float64(n),
		bytes:  float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}, nil
}
