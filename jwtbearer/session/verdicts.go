package session

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const verdictShards = 64

// verdicts remembers for a bounded time that keys are good. It holds no other
// verdict: a key that is gone is asked for each time, so that a session created
// a moment later is seen at once.
type verdicts[K comparable] struct {
	life      time.Duration
	maxShard  int
	clone     func(K) K // strings of a token share one allocation with the whole token, which the cache must not hold
	seed      maphash.Seed
	connected atomic.Bool // without it the cache is bypassed
	closed    atomic.Bool // bypassed for good
	shards    [verdictShards]verdictShard[K]
}

type verdictShard[K comparable] struct {
	mu sync.Mutex
	// generation counts revocations. A verdict that was asked for before a
	// revocation and arrives after it is not stored.
	generation uint64
	until      map[K]*int64
	_          [32]byte // keeps neighbours off one cache line
}

// newVerdicts returns nil, the cache that holds nothing, if life is not positive.
func newVerdicts[K comparable](life time.Duration, size int, clone func(K) K) *verdicts[K] {
	if life <= 0 {
		return nil
	}
	v := &verdicts[K]{life: life, maxShard: max(1, size/verdictShards), clone: clone, seed: maphash.MakeSeed()}
	for i := range v.shards {
		v.shards[i].until = make(map[K]*int64)
	}
	v.connected.Store(true)
	return v
}

func (v *verdicts[K]) usable() bool {
	return v != nil && v.connected.Load() && !v.closed.Load()
}

func (v *verdicts[K]) shard(key K) *verdictShard[K] {
	return &v.shards[maphash.Comparable(v.seed, key)%verdictShards]
}

// good reports whether key is known to be good at now. If it is not, generation
// is to be handed to put.
func (v *verdicts[K]) good(key K, now time.Time) (generation uint64, good bool) {
	if !v.usable() {
		return 0, false
	}
	s := v.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	until := s.until[key]
	if until == nil {
		return s.generation, false
	}
	// More than a life is left only if the clock was set back since.
	left := *until - now.UnixNano()
	return s.generation, left > 0 && left <= int64(v.life)
}

// put remembers until the instant until, at the longest for the cache's life,
// that key was good, unless a revocation came in since generation was read.
func (v *verdicts[K]) put(key K, generation uint64, now, until time.Time) {
	if !v.usable() {
		return
	}
	if latest := now.Add(v.life); until.IsZero() || until.After(latest) {
		until = latest
	}
	if !until.After(now) {
		return
	}
	s := v.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation != generation {
		return
	}
	end := until.UnixNano()
	if known := s.until[key]; known != nil {
		*known = end
		return
	}
	if len(s.until) >= v.maxShard {
		s.evict(now.UnixNano())
	}
	s.until[v.clone(key)] = &end
}

// evict makes room for one entry: it looks at a few entries and removes those
// that have expired, or one of them if none has.
func (s *verdictShard[K]) evict(now int64) {
	var victim K
	looked, removed := 0, 0
	for key, until := range s.until {
		victim = key
		if *until <= now {
			delete(s.until, key)
			removed++
		}
		if looked++; looked == 8 {
			break
		}
	}
	if removed == 0 {
		delete(s.until, victim)
	}
}

// drop forgets key at once.
func (v *verdicts[K]) drop(key K) {
	if v == nil {
		return
	}
	s := v.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	delete(s.until, key)
}

// clear forgets everything at once.
func (v *verdicts[K]) clear() {
	if v == nil {
		return
	}
	for i := range v.shards {
		s := &v.shards[i]
		s.mu.Lock()
		s.generation++
		clear(s.until)
		s.mu.Unlock()
	}
}

// setConnected bypasses the cache while revocations may be missed. It begins
// again empty, with what was asked for meanwhile left out.
func (v *verdicts[K]) setConnected(connected bool) {
	if v == nil {
		return
	}
	if !connected {
		v.connected.Store(false)
	}
	v.clear()
	if connected {
		v.connected.Store(true)
	}
}

// close bypasses the cache for good.
func (v *verdicts[K]) close() {
	if v != nil {
		v.closed.Store(true)
		v.clear()
	}
}

// len counts the entries, also expired ones.
func (v *verdicts[K]) len() int {
	if v == nil {
		return 0
	}
	n := 0
	for i := range v.shards {
		s := &v.shards[i]
		s.mu.Lock()
		n += len(s.until)
		s.mu.Unlock()
	}
	return n
}
