// Command benchlimits fails when checking a token has become dearer than
// limits.json allows. Allocations are compared exactly and bytes nearly, since
// they are the same on every machine. Times are compared as ratios, most of them
// to the bare signature check of the standard library, measured in the same
// rounds. A ratio in limits.json is a measured one, and what it may be beside is
// the margin: machines are noisy and differ.
//
//	go run -C .ci/benchlimits .
//
// It compiles the benchmarks of package jwtbearer once, and runs them in several
// rounds so that a busy moment does not hit one of them only. While a limit is
// exceeded there are more rounds, up to a number: noise goes away, and a loss stays.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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
	Margin margin `json:"margin"`
	// Benchmarks are by name, without the number of processors.
	Benchmarks map[string]limit `json:"benchmarks"`
}

// margin is how far a figure may be above the one in the file.
type margin struct {
	// Times is by what a ratio may grow. Of a ratio above 1 only what exceeds 1 is
	// ours, so only that may.
	Times float64 `json:"times"`
	// Noise comes on top for a ratio above 1, whose excess may be next to nothing.
	Noise float64 `json:"noise"`
	// Bytes is a share, of 0 to 1: how much of a buffer is used again varies.
	Bytes float64 `json:"bytes"`
}

type limit struct {
	Floor  string  `json:"floor"`  // what the time is compared with
	Ratio  float64 `json:"ratio"`  // what it was of it
	Allocs int     `json:"allocs"` // the number of allocations, exactly
	Bytes  int     `json:"bytes"`  // what they take
}

// ratio is the most that a ratio may be.
func (m margin) ratio(measured float64) float64 {
	if measured > 1 {
		return 1 + m.Times*(measured-1) + m.Noise
	}
	return min(m.Times*measured, 1+m.Noise)
}

// bytes is the most that may be allocated.
func (m margin) bytes(measured int) int { return measured + int(m.Bytes*float64(measured)) }

// result is what several rounds showed.
type result struct {
	ns            []float64 // of each round
	bytes, allocs int       // the best
}

// ratio is how many times as long r took as floor. It is that of the best rounds
// or, if less, the median of those within the rounds: one lucky round of the floor
// makes the first too high, a machine that is busy all the time the second, and a
// loss both.
func (r result) ratio(floor result) float64 {
	within := make([]float64, min(len(r.ns), len(floor.ns)))
	for i := range within {
		within[i] = r.ns[i] / floor.ns[i]
	}
	slices.Sort(within)
	return min(slices.Min(r.ns)/slices.Min(floor.ns), within[len(within)/2])
}

const (
	minRounds = 8
	maxRounds = 24
)

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
	failures := compare(os.Stdout, l, results)
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
	for round := range maxRounds {
		if round >= minRounds && compare(io.Discard, l, results) == 0 {
			break
		}
		bench := exec.Command(binary, "-test.run=^$", "-test.bench="+pattern(l), "-test.benchtime=50ms", "-test.benchmem")
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

// pattern matches the benchmarks that limits name, and no others.
func pattern(l limits) string {
	names := make(map[string]bool)
	for name, one := range l.Benchmarks {
		for _, n := range []string{name, one.Floor} {
			// A pattern is matched level by level.
			names["^"+strings.ReplaceAll(regexp.QuoteMeta(n), "/", "$/^")+"$"] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), "|")
}

var line = regexp.MustCompile(`^(Benchmark\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op.*?\s(\d+) B/op\s+(\d+) allocs/op`)

// parse adds what a round printed to results.
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
		size, err := strconv.Atoi(m[3])
		if err != nil {
			return err
		}
		allocs, err := strconv.Atoi(m[4])
		if err != nil {
			return err
		}
		before, ok := results[m[1]]
		if ok {
			size, allocs = min(size, before.bytes), min(allocs, before.allocs)
		}
		results[m[1]] = result{append(before.ns, ns), size, allocs}
	}
	return s.Err()
}

// compare prints a table and returns how many limits do not hold.
func compare(w io.Writer, l limits, results map[string]result) (failures int) {
	const columns = "%-36s %10s %8s %8s %8s %8s %7s %7s%s\n"
	fmt.Fprintf(w, columns, "benchmark", "ns/op", "ratio", "at most", "bytes", "at most", "allocs", "exactly", "")
	for _, name := range slices.Sorted(maps.Keys(l.Benchmarks)) {
		want := l.Benchmarks[name]
		got, ok := results[name]
		floor, okFloor := results[want.Floor]
		if !ok || !okFloor {
			fmt.Fprintf(w, "%-36s was not measured, or %s was not\n", name, want.Floor)
			failures++
			continue
		}
		ratio, mostRatio, mostBytes := got.ratio(floor), l.Margin.ratio(want.Ratio), l.Margin.bytes(want.Bytes)
		verdict := ""
		if ratio > mostRatio {
			verdict += "  TOO SLOW"
			failures++
		}
		if got.bytes > mostBytes {
			verdict += "  TOO MANY BYTES"
			failures++
		}
		if got.allocs != want.Allocs {
			verdict += "  OTHER ALLOCATIONS"
			failures++
		}
		fmt.Fprintf(w, columns, strings.TrimPrefix(name, "Benchmark"), fmt.Sprintf("%.0f", slices.Min(got.ns)),
			fmt.Sprintf("%.4f", ratio), fmt.Sprintf("%.4f", mostRatio), fmt.Sprint(got.bytes), fmt.Sprint(mostBytes),
			fmt.Sprint(got.allocs), fmt.Sprint(want.Allocs), verdict)
	}
	return failures
}
