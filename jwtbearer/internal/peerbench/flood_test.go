package main

import (
	"io"
	"testing"
	"time"
)

// TestFloodsAreIndependent: a second flood of the same contender would find its
// budget spent, and show neither fetches nor what waiting for them takes.
func TestFloodsAreIndependent(t *testing.T) {
	p := shortPlan
	p.flood, p.patience = 200, time.Millisecond
	b, err := newBench(p, []*contender{bearerguardContender()}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.unknownKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, flood := range []string{"one caller", "several callers"} {
		if got := b.rows[0].flood.fetches[i]; got < 1 || got > 10 {
			t.Errorf("the flood by %s: got %d fetches, want 1 to 10", flood, got)
		}
	}
}
