package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestListPackage(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a.go", `package a

import "time"

const Limit = 10 * time.Second
const hidden = 1
var ErrA, errB error
var Default = map[string]int{"x": 1}

// Options has a comment.
type Options struct {
	A, B int `+"`json:\"a\"`"+`
	F    func(a, b int,
		c string) error
	c int
	time.Time
}

type Rule interface {
	Apply(*Options) error
	apply()
}

type Pair[K comparable, V any] struct{ Key K }
type Same = Options
type private struct{ X int }

func New(o *Options) (*Pair[string, int], error) { return nil, nil }
func helper() {}
func (o *Options) Do(x ...int) {}
func (o Options) undone() {}
func (p private) Do() {}
func (p *Pair[K, V]) Get() V { return p.get() }
`)
	write("a_test.go", "package a\n\nfunc Tested() {}\n")
	write("a_windows.go", "package a\n\nfunc Elsewhere() {}\n")
	write("a_tagged.go", "//go:build integration\n\npackage a\n\nfunc Tagged() {}\n")

	want := []string{
		"const Limit = 10 * time.Second",
		"field Options.A int `json:\"a\"`",
		"field Options.B int `json:\"a\"`",
		"field Options.F func(a, b int, c string) error",
		"field Pair.Key K",
		"func New(o *Options) (*Pair[string, int], error)",
		"method (*Options) Do(x ...int)",
		"method (*Pair[K, V]) Get() V",
		"method (Rule) Apply(*Options) error",
		"type Options embeds time.Time",
		"type Options has unexported fields",
		"type Options struct",
		"type Pair[K comparable, V any] struct",
		"type Rule has unexported methods",
		"type Rule interface",
		"type Same = Options",
		"var Default",
		"var ErrA error",
	}
	got, err := listPackage(folder)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		for _, line := range got {
			if !slices.Contains(want, line) {
				t.Errorf("unexpected: %s", line)
			}
		}
		for _, line := range want {
			if !slices.Contains(got, line) {
				t.Errorf("missing: %s", line)
			}
		}
	}
}

func TestListPackageLeavesOut(t *testing.T) {
	for name, text := range map[string]string{
		"a program":  "package main\n\nfunc Exported() {}\n",
		"tests only": "",
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			file := "a.go"
			if text == "" {
				file, text = "a_test.go", "package a\n"
			}
			if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if got, err := listPackage(folder); err != nil || got != nil {
				t.Errorf("got %v, %v, want nothing", got, err)
			}
		})
	}
}

func TestDifference(t *testing.T) {
	got := difference([]byte("a\nb\nc\n"), []byte("a\nc\nd\n"))
	if want := []string{"- b", "+ d"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
