// Command cachebench compares caches for verified tokens: what a hit costs, on
// one core and on two, what a flood of distinct tokens does to them, and what
// memory they really hold.
//
//	go run -C jwtbearer/internal/peerbench ./cachebench -out cachebench/results.md
//
// Two cores are needed for the columns about two. It takes half a minute.
package main

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/peerbench/machine"
)

const tokenSize = 1100

var (
	out    = flag.String("out", "", "write the tables to this `file`, not to standard output")
	rounds = flag.Int("rounds", 100, "`rounds` of the hits, interleaved")
	flood  = flag.Int("flood", 200_000, "distinct `tokens` of the flood")
)

// token returns the i-th token of a size; no two share memory. Like real ones
// they begin alike.
func token(i, size int) string {
	const header = "eyJhbGciOiJSUzI1NiIsImtpZCI6InNpZ25pbmctUlMyNTYiLCJ0eXAiOiJhdCtqd3QifQ."
	var b strings.Builder
	b.Grow(size)
	b.WriteString(header)
	state := uint64(i)*0x9e3779b97f4a7c15 + 1
	for b.Len() < size {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		b.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[state>>58])
	}
	return b.String()
}

func tokens(from, n, size int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = token(from+i, size)
	}
	return out
}

func main() {
	flag.Parse()
	var page bytes.Buffer
	fmt.Fprint(&page, "# Caches for verified tokens\n\n")
	fmt.Fprintf(&page, "`%s`, %s, on %s; load average at the start %s.\n\n",
		strings.Join(append([]string{"go run -C jwtbearer/internal/peerbench ./cachebench"}, os.Args[1:]...), " "),
		time.Now().Format(time.DateOnly), machine.Name(), machine.Load())
	hashes(&page)
	hits(&page)
	floods(&page)
	if err := write(*out, page.Bytes()); err != nil {
		fmt.Fprintln(os.Stderr, "cachebench:", err)
		os.Exit(1)
	}
}

func write(file string, data []byte) error {
	if file != "" {
		return os.WriteFile(file, data, 0o644)
	}
	_, err := os.Stdout.Write(data)
	return err
}

// hashes compares what finding the place of a token costs.
func hashes(w io.Writer) {
	seed, text := maphash.MakeSeed(), token(0, tokenSize)
	same := strings.Clone(text)
	var sum uint64
	equal := 0
	ways := []struct {
		name string
		call func()
	}{
		{"maphash.String", func() { sum += maphash.String(seed, text) }},
		{"maphash.Comparable", func() { sum += maphash.Comparable(seed, text) }},
		{"sha256.Sum256", func() { h := sha256.Sum256([]byte(text)); sum += uint64(h[0]) }},
		{"comparing two copies", func() {
			if text == same {
				equal++
			}
		}},
	}
	fmt.Fprintf(w, "## Finding the place of a token\n\nA token of %d bytes, ns, the best tenth of %d slices.\n\n| | |\n|---|---|\n", tokenSize, *rounds)
	took := make([][]float64, len(ways))
	for range *rounds {
		for i, each := range ways {
			const n = 20_000
			start := time.Now()
			for range n {
				each.call()
			}
			took[i] = append(took[i], float64(time.Since(start).Nanoseconds())/n)
		}
	}
	for i, each := range ways {
		fmt.Fprintf(w, "| %s | %.0f |\n", each.name, best(took[i]))
	}
	fmt.Fprintln(w)
	runtime.KeepAlive(sum + uint64(equal))
}

// hits compares Get for tokens that are there.
func hits(w io.Writer) {
	fields := candidates()
	type result struct{ few, many, two, gain []float64 }
	results := make([]result, len(fields))
	allocs := make([]float64, len(fields))
	few, many := tokens(0, 64, tokenSize), tokens(0, 4096, tokenSize)
	// A request brings its own copy: nothing may be found by its address.
	copyOf := func(in []string) []string {
		out := make([]string, len(in))
		for i := range in {
			out[i] = strings.Clone(in[i])
		}
		return out
	}
	askFew, askMany := copyOf(few), copyOf(many)
	askers := [][]string{copyOf(few), copyOf(few)}
	caches := make([]cache, len(fields))
	for i, f := range fields {
		caches[i] = f.open()
		defer caches[i].close()
		for _, t := range many {
			caches[i].put(t, &value{expiry: time.Now().Add(time.Hour)})
		}
		caches[i].size() // lets those that buffer catch up
	}
	const n = 10_000
	for round := range *rounds {
		for at := range fields {
			at = (at + round) % len(fields)
			c, r := caches[at], &results[at]
			r.few = append(r.few, perGet(c, askFew, n))
			r.many = append(r.many, perGet(c, askMany, n))
			one := parallel(c, askers[:1], 8*n)
			two := parallel(c, askers, 8*n)
			r.two = append(r.two, two)
			r.gain = append(r.gain, one/two)
		}
	}
	for i, c := range caches {
		allocs[i] = allocations(c, askFew)
	}
	fmt.Fprintln(w, "## Hits\n\nns, the best tenth of the slices; 1.1 kB tokens, asked for by copies. Two cores: ns for one Get when two cores share the work, and how much faster that is than one core just before, in the median.")
	fmt.Fprintln(w, "\n| | 64 tokens | 4,096 tokens | allocs | two cores, 64 tokens | faster than one |\n|---|---|---|---|---|---|")
	for i, f := range fields {
		r := results[i]
		fmt.Fprintf(w, "| %s | %.0f | %.0f | %.0f | %.0f | %.2fx |\n", f.name, best(r.few), best(r.many), allocs[i], best(r.two), median(r.gain))
	}
	fmt.Fprintln(w)
}

func perGet(c cache, keys []string, n int) float64 {
	start := time.Now()
	for i := range n {
		c.get(keys[i%len(keys)])
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

// parallel returns the nanoseconds of one Get when each of callers does n.
func parallel(c cache, callers [][]string, n int) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(len(callers)))
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for _, keys := range callers {
		wg.Go(func() {
			<-begin
			for i := range n {
				c.get(keys[i%len(keys)])
			}
		})
	}
	start := time.Now()
	close(begin)
	wg.Wait()
	return float64(time.Since(start).Nanoseconds()) / float64(n*len(callers))
}

func allocations(c cache, keys []string) float64 {
	var before, after runtime.MemStats
	const n = 100_000
	runtime.ReadMemStats(&before)
	for i := range n {
		c.get(keys[i%len(keys)])
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / n
}

// floods pours distinct tokens into each cache.
func floods(w io.Writer) {
	fmt.Fprintf(w, "## Floods\n\n%d distinct tokens of 1.1 kB, and a tenth as many of 16 kB; the caches were asked for %d entries or %d MiB, whichever they can be asked for. A hit meanwhile is that of another caller, who asks for one token all the time. Hot: 64 tokens, each read once in 1,024 insertions and put again when it is gone. Visible: of 10,000 tokens put into an empty cache, how many the next Get finds.\n", *flood, maxEntries, maxBytes>>20)
	fmt.Fprintln(w, "\n| | insertion, median ns | allocs | 99.9 % | longest | a hit meanwhile, 99.9 % | hot tokens hit | visible at once | entries, MiB held: 1.1 kB tokens | 16 kB tokens | goroutines |\n|---|---|---|---|---|---|---|---|---|---|---|")
	for _, f := range candidates() {
		small := pour(f, *flood, tokenSize)
		large := pour(f, *flood/10, 16<<10)
		fmt.Fprintf(w, "| %s | %.0f | %.1f | %s | %s | %s | %.1f %% | %.1f %% | %d, %.0f | %d, %.0f | %d |\n",
			f.name, small.perPut, small.allocs, us(small.slow), us(small.slowest), us(small.slowHit), 100*small.hot, 100*visible(f),
			small.entries, small.mib, large.entries, large.mib, small.goroutines)
	}
}

type poured struct {
	perPut, allocs, slow, slowest, slowHit, hot, mib float64
	entries, goroutines                              int
}

func pour(f candidate, n, size int) (p poured) {
	before, idle := heap(), runtime.NumGoroutine()
	c := f.open()
	expiry := time.Now().Add(time.Hour)
	hot := tokens(-64, 64, size)
	for _, t := range hot {
		c.put(strings.Clone(t), &value{expiry: expiry})
	}
	c.size()

	// One other caller hits a hot token all the while.
	var stop atomic.Bool
	var others []float64
	var wg sync.WaitGroup
	wg.Go(func() {
		one := strings.Clone(hot[0])
		for i := 0; !stop.Load(); i++ {
			start := time.Now()
			c.get(one)
			if took := float64(time.Since(start).Nanoseconds()); i%16 == 0 {
				others = append(others, took)
			}
			if i%256 == 0 {
				time.Sleep(50 * time.Microsecond) // a caller, not a second flood
			}
		}
	})

	const chunk = 2048
	took := make([]float64, 0, n)
	var mallocs uint64
	asked, found := 0, 0
	var stats runtime.MemStats
	for from := 0; from < n; from += chunk {
		batch := tokens(1_000_000+from, chunk, size)
		values := make([]*value, chunk) // each on its own: one that is kept must not keep others
		for i := range values {
			values[i] = &value{expiry: expiry}
		}
		runtime.ReadMemStats(&stats)
		mallocs -= stats.Mallocs
		for i, t := range batch {
			start := time.Now()
			c.put(t, values[i])
			took = append(took, float64(time.Since(start).Nanoseconds()))
			if i%16 == 0 { // 64 in 1,024
				at := (from + i) / 16 % len(hot)
				asked++
				if _, ok := c.get(hot[at]); ok {
					found++
				} else {
					c.put(strings.Clone(hot[at]), &value{expiry: expiry})
				}
			}
		}
		runtime.ReadMemStats(&stats)
		mallocs += stats.Mallocs
	}
	stop.Store(true)
	wg.Wait()
	p.allocs = float64(mallocs) / float64(len(took))
	slices.Sort(took)
	p.perPut = took[len(took)/2]
	p.slow, p.slowest = took[len(took)*999/1000], took[len(took)-1]
	slices.Sort(others)
	p.slowHit = others[len(others)*999/1000]
	p.hot = float64(found) / float64(asked)
	p.entries = c.size()
	p.goroutines = runtime.NumGoroutine() - idle
	took, others = nil, nil
	p.mib = float64(heap()-before) / (1 << 20)
	runtime.KeepAlive(c)
	c.close()
	return p
}

// visible returns the share of tokens that are found right after they were put.
func visible(f candidate) float64 {
	c := f.open()
	defer c.close()
	const n = 10_000
	found := 0
	for i := range n {
		t := token(i, tokenSize)
		c.put(t, &value{expiry: time.Now().Add(time.Hour)})
		if _, ok := c.get(t); ok {
			found++
		}
	}
	return float64(found) / n
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// best is the tenth that went best: what disturbs a slice of a millisecond can
// only make it longer, and on a shared machine most are disturbed.
func best(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/10]
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func us(ns float64) string {
	if ns >= 1e6 {
		return fmt.Sprintf("%.1f ms", ns/1e6)
	}
	return fmt.Sprintf("%.1f µs", ns/1e3)
}
