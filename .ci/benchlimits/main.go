// Command benchlimits fails when checking a token has become dearer than
// limits.json allows. Allocations are compared exactly, since they are the same
// on every machine. Times are compared as ratios to the bare signature check of
// the standard library, measured in the same run, and generously: machines are
// noisy, and this is to find what has doubled.
//
//	go run -C .ci/benchlimits .
//
// It compiles the benchmarks of package jwtbearer once, runs them in several
// rounds so that a busy moment does not hit one of them only, and takes the
// best of each.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// limits is the form of limits.json.
type limits struct {
	// Margin is by what factor a ratio may exceed its limit.
	Margin float64 `json:"margin"`
	// Benchmarks are by name, without the number of processors.
	Benchmarks map[string]limit `json:"benchmarks"`
}

type limit struct {
	Floor  string  `json:"floor"`  // what the time is compared with
	Ratio  float64 `json:"ratio"`  // the most that it may be of it, margin apart
	Allocs int     `json:"allocs"` // the number of allocations, exactly
}

// result is the best of several runs.
type result struct {
	ns     float64
	allocs int
}

const rounds = 4

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchlimits:", err)
		os.Exit(1)
	}
}

func run() error {
	text, err := os.ReadFile("limits.json")
	if err != nil {
		return err
	}
	var l limits
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	results, err := measure(l)
	if err != nil {
		return err
	}
	failures := compare(l, results)
	if failures > 0 {
		return fmt.Errorf("%d limits exceeded", failures)
	}
	return nil
}

// measure runs the benchmarks that limits name.
func measure(l limits) (map[string]result, error) {
	dir, err := os.MkdirTemp("", "benchlimits")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "jwtbearer.test")
	build := exec.Command("go", "test", "-c", "-o", binary, "./jwtbearer")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	results := make(map[string]result)
	for range rounds {
		bench := exec.Command(binary, "-test.run=^$", "-test.bench="+pattern(l), "-test.benchtime=150ms", "-test.benchmem")
		out, err := bench.Output()
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, out)
		}
		if err := parse(out, results); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// pattern matches the functions of the benchmarks that limits name.
func pattern(l limits) string {
	functions := make(map[string]bool)
	for name, one := range l.Benchmarks {
		for _, n := range []string{name, one.Floor} {
			function, _, _ := strings.Cut(n, "/")
			functions[function] = true
		}
	}
	return "^(" + strings.Join(slices.Sorted(maps.Keys(functions)), "|") + ")$"
}

var line = regexp.MustCompile(`^(Benchmark\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op.*?\s(\d+) allocs/op`)

// parse keeps the best of what was measured before and of out.
func parse(out []byte, results map[string]result) error {
	s := bufio.NewScanner(bytes.NewReader(out))
	for s.Scan() {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		ns, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return err
		}
		allocs, err := strconv.Atoi(m[3])
		if err != nil {
			return err
		}
		if best, ok := results[m[1]]; ok {
			ns, allocs = min(ns, best.ns), min(allocs, best.allocs)
		}
		results[m[1]] = result{ns, allocs}
	}
	return s.Err()
}

// compare prints a table and returns how many limits do not hold.
func compare(l limits, results map[string]result) (failures int) {
	fmt.Printf("%-28s %12s %8s %8s %7s %7s\n", "benchmark", "ns/op", "ratio", "limit", "allocs", "limit")
	for _, name := range slices.Sorted(maps.Keys(l.Benchmarks)) {
		want := l.Benchmarks[name]
		got, ok := results[name]
		floor, okFloor := results[want.Floor]
		if !ok || !okFloor {
			fmt.Printf("%-28s was not measured, or %s was not\n", name, want.Floor)
			failures++
			continue
		}
		ratio := got.ns / floor.ns
		verdict := ""
		if ratio > want.Ratio*l.Margin {
			verdict += "  TOO SLOW"
			failures++
		}
		if got.allocs != want.Allocs {
			verdict += "  OTHER ALLOCATIONS"
			failures++
		}
		fmt.Printf("%-28s %12.0f %8.4f %8.4f %7d %7d%s\n", strings.TrimPrefix(name, "Benchmark"), got.ns, ratio, want.Ratio, got.allocs, want.Allocs, verdict)
	}
	return failures
}
