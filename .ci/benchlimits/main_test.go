package main

import "testing"

func TestParseKeepsTheBest(t *testing.T) {
	results := make(map[string]result)
	for _, out := range []string{
		"goos: linux\nBenchmarkFloor/RS256-2   \t  47106\t     25984 ns/op\t    1376 B/op\t       9 allocs/op\nPASS\n",
		"BenchmarkFloor/RS256-2   \t  47106\t     24000.5 ns/op\t    1376 B/op\t       9 allocs/op\n",
		"BenchmarkFloor/RS256   \t  47106\t     26000 ns/op\t    1376 B/op\t       10 allocs/op\n",
	} {
		if err := parse([]byte(out), results); err != nil {
			t.Fatal(err)
		}
	}
	if want := (result{24000.5, 9}); len(results) != 1 || results["BenchmarkFloor/RS256"] != want {
		t.Errorf("got %v, want %v", results, want)
	}
}

func TestCompare(t *testing.T) {
	l := limits{Margin: 1.5, Benchmarks: map[string]limit{"BenchmarkX": {Floor: "BenchmarkF", Ratio: 2, Allocs: 3}}}
	for _, tt := range []struct {
		name    string
		results map[string]result
		want    int
	}{
		{"within", map[string]result{"BenchmarkF": {10, 0}, "BenchmarkX": {20, 3}}, 0},
		{"within the margin", map[string]result{"BenchmarkF": {10, 0}, "BenchmarkX": {30, 3}}, 0},
		{"beyond the margin", map[string]result{"BenchmarkF": {10, 0}, "BenchmarkX": {31, 3}}, 1},
		{"one allocation more", map[string]result{"BenchmarkF": {10, 0}, "BenchmarkX": {20, 4}}, 1},
		{"one allocation less", map[string]result{"BenchmarkF": {10, 0}, "BenchmarkX": {20, 2}}, 1},
		{"both", map[string]result{"BenchmarkF": {10, 0}, "BenchmarkX": {50, 4}}, 2},
		{"not measured", map[string]result{"BenchmarkF": {10, 0}}, 1},
		{"floor not measured", map[string]result{"BenchmarkX": {10, 3}}, 1},
	} {
		if got := compare(l, tt.results); got != tt.want {
			t.Errorf("%s: got %d failures, want %d", tt.name, got, tt.want)
		}
	}
}
