package main

import (
	"io"
	"testing"
)

// The probes, against the library alone: what the command ends with an error
// for is also found without running it.
func TestEveryProbeIsRefused(t *testing.T) {
	b, err := newBench(shortPlan, []*contender{bearerguardContender()}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.admit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reason := b.rows[0].skipped; reason != "" {
		t.Fatal(reason)
	}
	if err := b.probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.probed) < 30 {
		t.Fatalf("%d probes ran", len(b.probed))
	}
	for _, name := range b.probed {
		if v := b.rows[0].probes[name]; v != refused {
			t.Errorf("%s: %v", name, v)
		}
	}
}
