package main

import (
	"sync"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/tokencache"
	"github.com/dgraph-io/ristretto/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"
)

// The bounds that every cache is asked for.
const (
	maxEntries = 16384
	maxBytes   = 32 << 20
	overhead   = 200 // of an entry, beside its token
)

// A value stands for what is known of a verified token.
type value struct {
	expiry time.Time
	_      [8]uint64
}

type cache interface {
	get(token string) (*value, bool)
	put(token string, v *value)
	size() int // entries
	close()
}

type candidate struct {
	name string
	open func() cache
}

func candidates() []candidate {
	return []candidate{
		{"tokencache (ours)", func() cache {
			dead := func(v *value, now time.Time) bool { return now.After(v.expiry) }
			return &own{tokencache.New(maxEntries, maxBytes, dead)}
		}},
		{"otter v2", func() cache {
			c := otter.Must(&otter.Options[string, *value]{
				MaximumWeight: maxBytes,
				Weigher:       func(token string, _ *value) uint32 { return uint32(len(token) + overhead) },
			})
			return &otterCache{c}
		}},
		{"golang-lru v2", func() cache {
			c, err := lru.New[string, *value](maxEntries)
			if err != nil {
				panic(err)
			}
			return &lruCache{c}
		}},
		{"ristretto v2", func() cache {
			c, err := ristretto.NewCache(&ristretto.Config[string, *value]{
				NumCounters: 10 * maxEntries,
				MaxCost:     maxBytes,
				BufferItems: 64,
			})
			if err != nil {
				panic(err)
			}
			return &ristrettoCache{c}
		}},
		{"sync.Map", func() cache { return &syncMap{} }},
		{"RWMutex and map", func() cache { return &lockedMap{m: map[string]*value{}} }},
	}
}

type own struct{ c *tokencache.Cache[*value] }

func (o *own) get(token string) (*value, bool) { return o.c.Get(token) }
func (o *own) put(token string, v *value)      { o.c.Put(token, v, len(token)+overhead, time.Now()) }
func (o *own) size() int                       { return o.c.Stats().Entries }
func (o *own) close()                          {}

type otterCache struct{ c *otter.Cache[string, *value] }

func (o *otterCache) get(token string) (*value, bool) { return o.c.GetIfPresent(token) }
func (o *otterCache) put(token string, v *value)      { o.c.Set(token, v) }
func (o *otterCache) size() int                       { o.c.CleanUp(); return o.c.EstimatedSize() }
func (o *otterCache) close()                          { o.c.InvalidateAll(); o.c.StopAllGoroutines() }

type lruCache struct{ c *lru.Cache[string, *value] }

func (l *lruCache) get(token string) (*value, bool) { return l.c.Get(token) }
func (l *lruCache) put(token string, v *value)      { l.c.Add(token, v) }
func (l *lruCache) size() int                       { return l.c.Len() }
func (l *lruCache) close()                          {}

type ristrettoCache struct {
	c *ristretto.Cache[string, *value]
}

func (r *ristrettoCache) get(token string) (*value, bool) { return r.c.Get(token) }
func (r *ristrettoCache) put(token string, v *value)      { r.c.Set(token, v, int64(len(token)+overhead)) }
func (r *ristrettoCache) size() int {
	r.c.Wait()
	n := 0
	r.c.IterValues(func(*value) bool { n++; return false })
	return n
}
func (r *ristrettoCache) close() { r.c.Close() }

type syncMap struct{ m sync.Map }

func (s *syncMap) get(token string) (*value, bool) {
	v, ok := s.m.Load(token)
	if !ok {
		return nil, false
	}
	return v.(*value), true
}
func (s *syncMap) put(token string, v *value) { s.m.Store(token, v) }
func (s *syncMap) size() int {
	n := 0
	s.m.Range(func(_, _ any) bool { n++; return true })
	return n
}
func (s *syncMap) close() {}

type lockedMap struct {
	mu sync.RWMutex
	m  map[string]*value
}

func (l *lockedMap) get(token string) (*value, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	v, ok := l.m[token]
	return v, ok
}
func (l *lockedMap) put(token string, v *value) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// The simplest bound there is: an arbitrary one goes.
	if len(l.m) >= maxEntries {
		for victim := range l.m {
			delete(l.m, victim)
			break
		}
	}
	l.m[token] = v
}
func (l *lockedMap) size() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.m)
}
func (l *lockedMap) close() {}
