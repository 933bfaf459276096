package main

import (
	"io"
	"reflect"
	"testing"
)

func TestParse(t *testing.T) {
	results := make(map[string]result)
	for _, out := range []string{
		"goos: linux\nBenchmarkFloor/RS256-2   \t  47106\t     25984 ns/op\t    1376 B/op\t       9 allocs/op\nPASS\n",
		"BenchmarkFloor/RS256-2   \t  47106\t     24000.5 ns/op\t    1380 B/op\t       9 allocs/op\n",
		"BenchmarkFloor/RS256   \t  47106\t     26000 ns/op\t    1376 B/op\t       10 allocs/op\n",
	} {
		if err := parse([]byte(out), results); err != nil {
			t.Fatal(err)
		}
	}
	want := result{[]float64{25984, 24000.5, 26000}, 1376, 9}
	if !reflect.DeepEqual(results, map[string]result{"BenchmarkFloor/RS256": want}) {
		t.Errorf("got %v, want %v", results, want)
	}
}

func TestRatio(t *testing.T) {
	for _, tt := range []struct {
		name      string
		ns, floor []float64
		want      float64
	}{
		{"one round", []float64{12}, []float64{10}, 1.2},
		{"steady", []float64{12, 12, 12}, []float64{10, 10, 10}, 1.2},
		{"a busy round", []float64{12, 90, 12}, []float64{10, 10, 10}, 1.2},
		{"a lucky round of the floor", []float64{12, 12, 12}, []float64{10, 5, 10}, 1.2},
		{"all rounds but one busy", []float64{12, 40, 50}, []float64{10, 10, 20}, 1.2},
	} {
		if got := (result{ns: tt.ns}).ratio(result{ns: tt.floor}); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestMargin(t *testing.T) {
	m := margin{Times: 2, Noise: 0.1, Bytes: 0.05}
	for _, tt := range []struct{ measured, want float64 }{
		{0.01, 0.02},
		{0.5, 1},
		{0.9, 1.1}, // more than a whole signature check is never within the margin
		{1, 1.1},
		{1.05, 1.2},
		{1.13, 1.36},
		{3, 5.1},
	} {
		if got := m.ratio(tt.measured); got < tt.want-1e-9 || got > tt.want+1e-9 {
			t.Errorf("of a ratio of %v: got %v, want %v", tt.measured, got, tt.want)
		}
	}
	for _, tt := range []struct{ measured, want int }{{0, 0}, {19, 19}, {100, 105}, {2000, 2100}} {
		if got := m.bytes(tt.measured); got != tt.want {
			t.Errorf("of %d bytes: got %d, want %d", tt.measured, got, tt.want)
		}
	}
}

func TestCompare(t *testing.T) {
	l := limits{Margin: margin{Times: 2, Noise: 0.1, Bytes: 0.05},
		Benchmarks: map[string]limit{"BenchmarkX": {Floor: "BenchmarkF", Ratio: 1.2, Allocs: 3, Bytes: 100}}}
	floor := result{[]float64{10}, 0, 0}
	for _, tt := range []struct {
		name    string
		results map[string]result
		want    int
	}{
		{"as measured", map[string]result{"BenchmarkF": floor, "BenchmarkX": {[]float64{12}, 100, 3}}, 0},
		{"within the margin", map[string]result{"BenchmarkF": floor, "BenchmarkX": {[]float64{14.9}, 105, 3}}, 0},
		{"beyond the margin", map[string]result{"BenchmarkF": floor, "BenchmarkX": {[]float64{15.1}, 100, 3}}, 1},
		{"more bytes", map[string]result{"BenchmarkF": floor, "BenchmarkX": {[]float64{12}, 106, 3}}, 1},
		{"fewer bytes", map[string]result{"BenchmarkF": floor, "BenchmarkX": {[]float64{12}, 50, 3}}, 0},
		{"one allocation more", map[string]result{"BenchmarkF": floor, "BenchmarkX": {[]float64{12}, 100, 4}}, 1},
		{"one allocation less", map[string]result{"BenchmarkF": floor, "BenchmarkX": {[]float64{12}, 100, 2}}, 1},
		{"all", map[string]result{"BenchmarkF": floor, "BenchmarkX": {[]float64{50}, 200, 4}}, 3},
		{"not measured", map[string]result{"BenchmarkF": floor}, 1},
		{"floor not measured", map[string]result{"BenchmarkX": {[]float64{12}, 100, 3}}, 1},
	} {
		if got := compare(io.Discard, l, tt.results); got != tt.want {
			t.Errorf("%s: got %d failures, want %d", tt.name, got, tt.want)
		}
	}
}

func TestPattern(t *testing.T) {
	got := pattern(limits{Benchmarks: map[string]limit{
		"BenchmarkX/a.b/n=1": {Floor: "BenchmarkF/c"},
		"BenchmarkY":         {Floor: "BenchmarkF/c"},
	}})
	if want := `^BenchmarkF$/^c$|^BenchmarkX$/^a\.b$/^n=1$|^BenchmarkY$`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
