package tokencache_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/tokencache"
)

// tokens are distinct texts of the length of a token of twelve claims.
func tokens(n int) []string {
	tail := strings.Repeat("x", 1080)
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%020d%s", i, tail)
	}
	return list
}

// BenchmarkGet is a hit, on one core and on all.
func BenchmarkGet(b *testing.B) {
	c := tokencache.New(1<<14, 32<<20, func(int, time.Time) bool { return false })
	list := tokens(1000)
	for i, t := range list {
		c.Put(t, i, len(t), time.Now())
	}
	b.Run("one", func(b *testing.B) {
		i := 0
		b.ReportAllocs()
		for b.Loop() {
			c.Get(list[i%len(list)])
			i++
		}
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				c.Get(list[i%len(list)])
			}
		})
	})
}

// BenchmarkFlood offers distinct tokens, up to a million, and reports what is
// kept and what it takes.
func BenchmarkFlood(b *testing.B) {
	for _, offered := range []int{10, 1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("offered=%d", offered), func(b *testing.B) {
			for b.Loop() {
				tail := strings.Repeat("x", 1080)
				c := tokencache.New(1<<14, 32<<20, func(int, time.Time) bool { return false })
				before := heap()
				now := time.Now()
				for i := range offered {
					c.Put(fmt.Sprintf("%020d%s", i, tail), i, 2300, now)
				}
				took := time.Since(now)
				st := c.Stats()
				b.ReportMetric(float64(took.Nanoseconds())/float64(offered), "ns/put")
				b.ReportMetric(float64(heap()-before)/(1<<20), "heap-MiB")
				b.ReportMetric(float64(st.Bytes)/(1<<20), "counted-MiB")
				b.ReportMetric(float64(st.Entries), "entries")
				runtime.KeepAlive(c)
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
