package tokencache_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/tokencache"
)

func never(int, time.Time) bool { return false }

func TestGetAndPut(t *testing.T) {
	c := tokencache.New(64, 1<<20, never)
	now := time.Now()
	if v, ok := c.Get("a"); ok || v != 0 {
		t.Errorf("an empty cache has %d, %v", v, ok)
	}
	c.Put("a", 1, 10, now)
	c.Put("b", 2, 20, now)
	for token, want := range map[string]int{"a": 1, "b": 2} {
		if v, ok := c.Get(token); !ok || v != want {
			t.Errorf("Get(%q): got %d, %v, want %d", token, v, ok, want)
		}
	}
	for _, token := range []string{"", "A", "a ", "ab"} {
		if _, ok := c.Get(token); ok {
			t.Errorf("Get(%q): got a value", token)
		}
	}
	if s := c.Stats(); s.Entries != 2 || s.Bytes != 30 || s.Misses != 5 {
		t.Errorf("got %+v, want 2 entries of 30 bytes and 5 misses", s)
	}
}

// TestPutReplaces: a token has one value and its size counts once.
func TestPutReplaces(t *testing.T) {
	c := tokencache.New(8, 1<<20, never)
	now := time.Now()
	for i := range 100 {
		c.Put("a", i, 10+i, now)
		if v, ok := c.Get("a"); !ok || v != i {
			t.Fatalf("got %d, %v, want %d", v, ok, i)
		}
		if s := c.Stats(); s.Entries != 1 || s.Bytes != 10+i {
			t.Fatalf("got %+v, want one entry of %d bytes", s, 10+i)
		}
	}
	// Also where the set is full.
	for i := range 100 {
		c.Put(fmt.Sprint("x", i), i, 1, now)
	}
	c.Put("x99", 7, 50, now)
	if v, ok := c.Get("x99"); !ok || v != 7 {
		t.Errorf("got %d, %v, want 7", v, ok)
	}
}

func TestBounds(t *testing.T) {
	for _, tt := range []struct {
		entries int
		bytes   int64
		size    int
		most    int // entries that there may be
	}{
		{8, 1 << 20, 10, 8},
		{9, 1 << 20, 10, 8},
		{15, 1 << 20, 10, 8},
		{16, 1 << 20, 10, 16},
		{1, 1 << 20, 10, 8},
		{0, 1 << 20, 10, 8},
		{1000, 1 << 20, 10, 512},
		{1024, 100, 10, 10},
		{1024, 10, 10, 1},
		{1024, 9, 10, 0},
		{1 << 14, 1000, 10, 100},
	} {
		c := tokencache.New(tt.entries, tt.bytes, never)
		now := time.Now()
		for i := range 5000 {
			c.Put(fmt.Sprint(i), i, tt.size, now)
			if s := c.Stats(); s.Entries > tt.most || int64(s.Bytes) > tt.bytes || s.Bytes != s.Entries*tt.size {
				t.Fatalf("%+v after %d tokens: %+v", tt, i+1, s)
			}
		}
		if s := c.Stats(); s.Entries < tt.most*9/10 {
			t.Errorf("%+v: only %d entries are in use", tt, s.Entries)
		}
		found := 0
		for i := range 5000 {
			if v, ok := c.Get(fmt.Sprint(i)); ok {
				found++
				if v != i {
					t.Fatalf("got the value of %d for %d", v, i)
				}
			}
		}
		if found != c.Stats().Entries {
			t.Errorf("%+v: %d tokens can be found, and %d are counted", tt, found, c.Stats().Entries)
		}
	}
}

// TestTooLargeATokenCostsNobodyElse: what can never fit is not made room for.
func TestTooLargeATokenCostsNobodyElse(t *testing.T) {
	c := tokencache.New(1024, 1000, never)
	now := time.Now()
	for i := range 50 {
		c.Put(fmt.Sprint(i), i, 10, now)
	}
	before := c.Stats()
	for i := range 100 {
		c.Put(fmt.Sprint("large", i), i, 1001, now)
	}
	if after := c.Stats(); after.Entries != before.Entries || after.Bytes != before.Bytes {
		t.Errorf("got %+v, want %+v", after, before)
	}
}

// TestDeadGoFirst: an entry that is of no more use makes room before a live one.
func TestDeadGoFirst(t *testing.T) {
	for range 50 { // the way is chosen by chance
		c := tokencache.New(8, 1<<20, func(v int, _ time.Time) bool { return v < 0 })
		now := time.Now()
		for i := range 8 {
			v := i
			if i == 5 {
				v = -1
			}
			c.Put(fmt.Sprint(i), v, 1, now)
		}
		c.Put("new", 100, 1, now)
		for i := range 8 {
			if _, ok := c.Get(fmt.Sprint(i)); ok == (i == 5) {
				t.Fatalf("entry %d is there: %v", i, ok)
			}
		}
		if _, ok := c.Get("new"); !ok {
			t.Fatal("the new entry is not there")
		}
	}
}

// TestDeadIsToldTheTime of Put, and not the present.
func TestDeadIsToldTheTime(t *testing.T) {
	at := time.Unix(1000, 0)
	asked := 0
	c := tokencache.New(8, 1<<20, func(_ int, now time.Time) bool {
		asked++
		if !now.Equal(at) {
			t.Errorf("got %v, want %v", now, at)
		}
		return false
	})
	for i := range 9 {
		c.Put(fmt.Sprint(i), i, 1, at)
	}
	if asked == 0 {
		t.Error("nobody asked whether an entry is dead")
	}
}

// TestUsedStay: a crowd of tokens that are seen once does not push out those
// that are in use, by number and by bytes.
func TestUsedStay(t *testing.T) {
	for name, c := range map[string]*tokencache.Cache[int]{
		"by number": tokencache.New(1024, 1<<30, never),
		"by bytes":  tokencache.New(1<<14, 10*1024, never),
	} {
		now := time.Now()
		const inUse = 200
		for i := range inUse {
			c.Put(fmt.Sprint("used", i), i, 10, now)
		}
		lost := 0
		for round := range 200 {
			for i := range inUse {
				if _, ok := c.Get(fmt.Sprint("used", i)); !ok {
					lost++
					c.Put(fmt.Sprint("used", i), i, 10, now)
				}
			}
			for i := range 100 {
				c.Put(fmt.Sprint("junk", round, "-", i), i, 10, now)
			}
		}
		// A random choice would lose about a tenth of them each round.
		if lost > inUse*200/50 {
			t.Errorf("%s: %d of %d uses found their token gone", name, lost, inUse*200)
		}
	}
}

// TestAgainstAMap: what is found is what was stored last, whatever happened.
func TestAgainstAMap(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		entries, bytes := 1+g.IntN(100), int64(1+g.IntN(2000))
		c := tokencache.New(entries, bytes, func(v int, now time.Time) bool { return v%7 == 0 })
		last, sizes := map[string]int{}, map[string]int{}
		now := time.Now()
		for i := range 2000 {
			token := fmt.Sprint(g.IntN(150))
			if g.IntN(3) == 0 {
				if v, ok := c.Get(token); ok && v != last[token] {
					t.Fatalf("got %d, want %d", v, last[token])
				}
				continue
			}
			size := g.IntN(60)
			before, there := c.Get(token)
			c.Put(token, i+1, size, now)
			if v, ok := c.Get(token); ok && v == i+1 {
				last[token], sizes[token] = i+1, size
			} else if ok && (!there || v != before) {
				t.Fatalf("got %d, want %d or %d", v, i+1, before)
			}
			if s := c.Stats(); int64(s.Bytes) > bytes || s.Bytes < 0 || s.Entries < 0 || s.Entries > max(entries, 8) {
				t.Fatalf("bounds of %d entries, %d bytes: %+v", entries, bytes, s)
			}
		}
		var sum, found int
		for token := range last {
			if _, ok := c.Get(token); ok {
				found++
				sum += sizes[token]
			}
		}
		if s := c.Stats(); s.Entries != found || s.Bytes != sum {
			t.Errorf("%d entries of %d bytes are there, %+v are counted", found, sum, s)
		}
	}
}

// TestFlood has many goroutines store and find at once. The bounds hold all the
// time, and the books are right in the end.
func TestFlood(t *testing.T) {
	for _, tt := range []struct {
		entries int
		bytes   int64
	}{{64, 1 << 30}, {1 << 12, 5000}, {8, 100}, {256, 2560}} {
		c := tokencache.New(tt.entries, tt.bytes, func(v int, _ time.Time) bool { return v%11 == 0 })
		const workers, rounds = 8, 3000
		stop := make(chan struct{})
		var watcher, wg sync.WaitGroup
		watcher.Go(func() {
			for {
				// What is being stored is counted before it is known to fit.
				if s := c.Stats(); int64(s.Bytes) > tt.bytes+workers*20 || s.Entries > tt.entries {
					t.Errorf("%+v: %+v", tt, s)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		for w := range workers {
			wg.Go(func() {
				g := rand.New(rand.NewPCG(uint64(w), 5))
				now := time.Now()
				for range rounds {
					n := g.IntN(400)
					token := fmt.Sprint(n)
					switch g.IntN(3) {
					case 0:
						c.Put(token, n, 1+n%20, now)
					default:
						if v, ok := c.Get(token); ok && v != n {
							t.Errorf("got the value of %d for %d", v, n)
						}
					}
				}
			})
		}
		wg.Wait()
		close(stop)
		watcher.Wait()
		s := c.Stats()
		if int64(s.Bytes) > tt.bytes || s.Entries > tt.entries || s.Bytes < 0 {
			t.Errorf("%+v: in the end %+v", tt, s)
		}
		var sum, found int
		for n := range 400 {
			if _, ok := c.Get(fmt.Sprint(n)); ok {
				found++
				sum += 1 + n%20
			}
		}
		// Two goroutines may have stored one token in two ways of its set.
		if found > s.Entries || sum > s.Bytes || found < s.Entries-workers || s.Entries > 0 && found == 0 {
			t.Errorf("%+v: %d entries of %d bytes are there, %+v are counted", tt, found, sum, s)
		}
	}
}

// TestHitsAreEstimated within what sampling one in sixteen gives.
func TestHitsAreEstimated(t *testing.T) {
	c := tokencache.New(8, 1<<20, never)
	c.Put("a", 1, 1, time.Now())
	const n = 200000
	for range n {
		c.Get("a")
	}
	if hits := c.Stats().Hits; hits < n*9/10 || hits > n*11/10 {
		t.Errorf("%d hits were counted as %d", n, hits)
	}
}

func TestGetAllocatesNothing(t *testing.T) {
	c := tokencache.New(64, 1<<20, never)
	c.Put("a", 1, 1, time.Now())
	if n := testing.AllocsPerRun(100, func() { c.Get("a"); c.Get("b") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPeekAndSweep(t *testing.T) {
	now := time.Now()
	c := tokencache.New(64, 1<<20, func(v int, _ time.Time) bool { return v%2 == 1 })
	c.Sweep(now) // before there is a table
	for i := range 40 {
		c.Put(fmt.Sprint(i), i, 10, now)
	}
	before := c.Stats()
	if v, ok := c.Peek("4"); !ok || v != 4 {
		t.Errorf("Peek: got %d, %t", v, ok)
	}
	if _, ok := c.Peek("none"); ok {
		t.Error("Peek found what is not there")
	}
	if after := c.Stats(); after != before {
		t.Errorf("Peek counts: %+v, before %+v", after, before)
	}
	c.Sweep(now)
	for i := range 40 {
		if _, ok := c.Peek(fmt.Sprint(i)); ok != (i%2 == 0) {
			t.Errorf("%d is there: %t", i, ok)
		}
	}
	if st := c.Stats(); st.Entries != 20 || st.Bytes != 200 {
		t.Errorf("got %+v, want 20 entries of 10 bytes", st)
	}
}
