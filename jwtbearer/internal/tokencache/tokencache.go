// Package tokencache holds what was found out about tokens, keyed by the whole
// token.
//
// It is a set-associative table, like the cache of a processor: a token's hash
// selects one of the sets, and the token can be in that set's eight ways only.
// A reader loads at most eight pointers, takes no lock and allocates nothing;
// a writer replaces one pointer. So there is nothing that a flood of distinct
// tokens could stall, no list to keep in order, and no goroutine to stop.
//
// The hash is not a cryptographic one: it only selects the set, under a seed
// that is random for each cache, and the whole token is compared after it.
package tokencache

import (
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const ways = 8

// Cache maps tokens to values. It must be made by [New]; all methods are safe
// for concurrent use.
type Cache[V any] struct {
	seed     maphash.Seed
	dead     func(V, time.Time) bool
	maxBytes int64
	mask     uint64

	table atomic.Pointer[[]set[V]] // made at the first Put: many verifiers never see a token
	once  sync.Once

	bytes   atomic.Int64
	entries atomic.Int64
	hand    atomic.Uint64 // where the search for bytes to free goes on
	hits    atomic.Uint64
	misses  atomic.Uint64
}

type set[V any] [ways]atomic.Pointer[entry[V]]

type entry[V any] struct {
	hash  uint64
	token string
	value V
	size  int64
	used  atomic.Bool // since the last time that an eviction passed by
}

// sampling is how many hits are counted at a time, by chance: a counter that
// all cores write on every hit would cost more than the hit.
const sampling = 16

// New returns a cache of at most maxEntries entries, rounded down to a power of
// two of at least 8, whose sizes add up to at most maxBytes. Values for which
// dead returns true are the first to be replaced; dead must be fast and safe
// for concurrent use. Get does not ask it: who uses a value must judge it.
func New[V any](maxEntries int, maxBytes int64, dead func(v V, now time.Time) bool) *Cache[V] {
	sets := uint64(1)
	for sets*2*ways <= uint64(maxEntries) {
		sets *= 2
	}
	return &Cache[V]{seed: maphash.MakeSeed(), dead: dead, maxBytes: maxBytes, mask: sets - 1}
}

// hash is that of Go's maps, which for a text of this length is several times
// faster than maphash.String.
func hash(seed maphash.Seed, token string) uint64 { return maphash.Comparable(seed, token) }

// Get returns the value of token.
func (c *Cache[V]) Get(token string) (V, bool) {
	e := c.find(token)
	if e == nil {
		c.misses.Add(1)
		var none V
		return none, false
	}
	// Written only when it changes: a store on every hit would make the cores fight
	// for the line.
	if !e.used.Load() {
		e.used.Store(true)
	}
	if rand.Uint32()%sampling == 0 {
		c.hits.Add(sampling)
	}
	return e.value, true
}

// Peek is Get for a second look: it counts neither as a hit nor as a miss.
func (c *Cache[V]) Peek(token string) (V, bool) {
	if e := c.find(token); e != nil {
		return e.value, true
	}
	var none V
	return none, false
}

func (c *Cache[V]) find(token string) *entry[V] {
	table := c.table.Load()
	if table == nil {
		return nil
	}
	h := hash(c.seed, token)
	for i := range &(*table)[h&c.mask] {
		if e := (*table)[h&c.mask][i].Load(); e != nil && e.hash == h && e.token == token {
			return e
		}
	}
	return nil
}

// Sweep removes the dead entries. It looks at all of them.
func (c *Cache[V]) Sweep(now time.Time) {
	table := c.table.Load()
	if table == nil {
		return
	}
	for s := range *table {
		for i := range (*table)[s] {
			if e := (*table)[s][i].Load(); e != nil && c.dead(e.value, now) {
				c.remove(&(*table)[s][i], e)
			}
		}
	}
}

// Put stores the value of token, whose memory is size bytes; it replaces the
// value that token had. It may decide not to store it.
func (c *Cache[V]) Put(token string, value V, size int, now time.Time) {
	if int64(size) > c.maxBytes {
		return // there is no use in making room for it
	}
	c.once.Do(func() {
		table := make([]set[V], c.mask+1)
		c.table.Store(&table)
	})
	table := *c.table.Load()
	e := &entry[V]{hash: hash(c.seed, token), token: token, value: value, size: int64(size)}
	if c.bytes.Add(e.size) > c.maxBytes && !c.free(table, now) {
		c.bytes.Add(-e.size)
		return
	}
	s := &table[e.hash&c.mask]
	for range 3 { // a race for one way is rare, and losing it costs only a later miss
		slot, old := c.victim(s, e, now)
		if slot.CompareAndSwap(old, e) {
			if old != nil {
				c.bytes.Add(-old.size)
			} else {
				c.entries.Add(1)
			}
			return
		}
	}
	c.bytes.Add(-e.size)
}

// victim selects the way for e: that of the same token, else an empty one, else
// a dead one, else one that was not used since an eviction last passed by.
func (c *Cache[V]) victim(s *set[V], e *entry[V], now time.Time) (slot *atomic.Pointer[entry[V]], old *entry[V]) {
	empty := -1
	for i := range s {
		switch old := s[i].Load(); {
		case old == nil:
			if empty < 0 {
				empty = i
			}
		case old.hash == e.hash && old.token == e.token:
			return &s[i], old
		}
	}
	if empty >= 0 {
		return &s[empty], nil
	}
	start := int(rand.Uint32() % ways)
	unused := -1
	for i := range ways {
		i = (start + i) % ways
		old := s[i].Load()
		if old == nil || c.dead(old.value, now) {
			return &s[i], old
		}
		if unused < 0 && !old.used.Load() {
			unused = i
		}
	}
	if unused < 0 {
		// All were used: each gets one more chance, but for the first.
		for i := range s {
			if old := s[i].Load(); old != nil {
				old.used.Store(false)
			}
		}
		unused = start
	}
	return &s[unused], s[unused].Load()
}

// free removes entries until the sizes are within bounds again. It looks at a
// bounded number of sets, so that a Put is never slow, and reports whether it
// was enough.
func (c *Cache[V]) free(table []set[V], now time.Time) bool {
	for range 64 {
		s := &table[c.hand.Add(1)&c.mask]
		for i := range s {
			old := s[i].Load()
			if old == nil || (old.used.Swap(false) && !c.dead(old.value, now)) {
				continue
			}
			c.remove(&s[i], old)
			if c.bytes.Load() <= c.maxBytes {
				return true
			}
		}
	}
	return c.bytes.Load() <= c.maxBytes
}

func (c *Cache[V]) remove(slot *atomic.Pointer[entry[V]], old *entry[V]) {
	// Counted first, as Put counts last: what is counted is never more than what
	// the table has room for.
	c.entries.Add(-1)
	if slot.CompareAndSwap(old, nil) {
		c.bytes.Add(-old.size)
	} else {
		c.entries.Add(1)
	}
}

// Stats is what a cache holds and how it was used.
type Stats struct {
	Entries, Bytes int
	Hits           uint64 // an estimate, by sampling
	Misses         uint64
}

// Stats returns a snapshot. Entries and Bytes count the dead ones that were not
// replaced yet.
func (c *Cache[V]) Stats() Stats {
	return Stats{Entries: int(max(c.entries.Load(), 0)), Bytes: int(c.bytes.Load()), Hits: c.hits.Load(), Misses: c.misses.Load()}
}
