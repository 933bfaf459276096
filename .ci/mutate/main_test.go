package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestMutationsFit: a check whose text has changed must be written anew here.
func TestMutationsFit(t *testing.T) {
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range mutations {
		text, err := os.ReadFile(filepath.Join(root, m.file))
		if err != nil {
			t.Errorf("%s: %v", m.check, err)
		} else if n := bytes.Count(text, []byte(m.old)); n != 1 {
			t.Errorf("%s: its text stands %d times in %s", m.check, n, m.file)
		}
		if m.old == m.new || seen[m.check] {
			t.Errorf("%s: it changes nothing, or is there twice", m.check)
		}
		seen[m.check] = true
	}
}
