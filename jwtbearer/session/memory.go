package session

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DefaultIdleTimeout is how long a session that is not used lives where a
	// store's IdleTimeout is zero.
	DefaultIdleTimeout = 30 * 24 * time.Hour
	// DefaultRememberEnded is how long stores remember that a session was
	// revoked where their RememberEnded is zero.
	DefaultRememberEnded = 24 * time.Hour

	memoryShards = 256
)

// MemoryOptions are the options of [NewMemory]. The zero value is the safe choice.
type MemoryOptions struct {
	// IdleTimeout ends a session that was not used for so long, give or take
	// [Options.KeepAccess]. Zero means 30 days.
	IdleTimeout time.Duration
	// RememberEnded is how long a revoked session is remembered, so that it is
	// not created again by [Store.Put] or adopted: at least the longest life of
	// a token, with the clock skew. Where sessions are adopted, it begins again
	// at each token that still names the session. Zero means 24 hours.
	RememberEnded time.Duration
	// MaxSessions bounds the sessions held, revoked ones that are remembered
	// included; more are refused with [ErrFull]. A revocation is never refused,
	// and subjects whose sessions were ended are remembered in addition. Zero
	// means 4,194,304.
	MaxSessions int
}

// Memory is a [Store] in the memory of this process, for an API that runs in
// one process and may forget sessions when it ends. It is made for a million
// sessions and more: it is sharded, a check takes one short lock and no
// allocation, and the removal of ended sessions is spread over the writes, with
// no goroutine. A session with its subject takes about 700 bytes. All methods are safe for
// concurrent use.
type Memory struct {
	idle, remember time.Duration
	max            int64
	seed           maphash.Seed
	count          atomic.Int64
	shards         [memoryShards]memoryShard
	subjects       [memoryShards]subjectShard
	issuers        sync.Map // string to the copy of it that sessions share
	watchers       watchers
}

type memoryShard struct {
	mu       sync.Mutex
	sessions map[Key]*record
	sweepAt  int64
	_        [40]byte // keeps neighbours off one cache line
}

// record is a session, or the memory of one that was revoked.
type record struct {
	subject, client, tenant, device, address string
	// Nanoseconds since 1970; 0 is the zero time.
	created, access, synced, expires int64
	// ended is 0 for a living session, else when the record may be removed.
	ended int64
}

// NewMemory returns an empty store; nil opts are the zero value. Negative
// options are taken as zero.
func NewMemory(opts *MemoryOptions) *Memory {
	var o MemoryOptions
	if opts != nil {
		o = *opts
	}
	m := &Memory{idle: o.IdleTimeout, remember: o.RememberEnded, max: int64(o.MaxSessions), seed: maphash.MakeSeed()}
	if m.idle <= 0 {
		m.idle = DefaultIdleTimeout
	}
	if m.remember <= 0 {
		m.remember = DefaultRememberEnded
	}
	if m.max <= 0 {
		m.max = 1 << 22
	}
	for i := range memoryShards {
		m.shards[i].sessions = make(map[Key]*record)
		m.subjects[i].subjects = make(map[Key]*subject)
	}
	return m
}

// IdleTimeout returns the idle timeout in force.
func (m *Memory) IdleTimeout() time.Duration { return m.idle }

func (m *Memory) shard(key Key) *memoryShard {
	return &m.shards[m.shardIndex(key)]
}

func (m *Memory) shardIndex(key Key) uint64 { return maphash.String(m.seed, key.ID) % memoryShards }

// alive reports whether r lives at now.
func (m *Memory) alive(r *record, now int64) bool {
	return r.ended == 0 && (r.expires == 0 || now < r.expires) && now-r.access <= int64(m.idle)
}

// Check implements [Store].
func (m *Memory) Check(_ context.Context, a Access) (State, error) {
	now := nanos(a.At)
	s := m.shard(a.Key)
	s.mu.Lock()
	r := s.sessions[a.Key]
	if r == nil || r.ended == 0 && !m.alive(r, now) {
		s.mu.Unlock()
		if a.Adopt {
			return m.adopt(a)
		}
		return State{}, nil
	}
	defer s.mu.Unlock()
	if r.ended != 0 {
		if a.Adopt {
			// Forgotten, it would be adopted again by a client that goes on.
			r.ended = max(r.ended, now+int64(m.remember))
		}
		return State{}, nil
	}
	state := State{Alive: true}
	if now-r.access > int64(a.KeepAccess) {
		r.access = now
		if a.Address != r.address {
			r.address = strings.Clone(a.Address)
		}
		state.Touched = true
	}
	if now-r.synced > int64(a.SyncInterval) {
		r.synced = now
		state.SyncDue, state.Tenant = true, r.tenant
	}
	state.LastAccess, state.Expires = instant(r.access), instant(r.expires)
	return state, nil
}

// adopt creates the session that a names, unless it was revoked.
func (m *Memory) adopt(a Access) (State, error) {
	// Strings of a token share one allocation with the whole token: without
	// clones, a session would hold it for its life.
	key := Key{m.issuer(a.Key.Issuer), strings.Clone(a.Key.ID)}
	now := nanos(a.At)
	r := &record{
		subject: strings.Clone(a.Subject), client: strings.Clone(a.ClientID), tenant: strings.Clone(a.Tenant),
		address: strings.Clone(a.Address), created: now, access: now, synced: now,
	}
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.sessions[key]; old != nil {
		if old.ended != 0 {
			return State{}, nil
		}
		if m.alive(old, now) { // another request was faster
			return State{Alive: true, LastAccess: instant(old.access), Expires: instant(old.expires)}, nil
		}
	}
	if err := m.insert(s, key, r, now); err != nil {
		return State{}, err
	}
	// A RevokeSubject that ran meanwhile is either seen by index, or finds the
	// session in the index and waits for s.mu.
	if r.subject != "" && !m.index(Key{key.Issuer, r.subject}, key.ID, nanos(a.IssuedAt)) {
		delete(s.sessions, key)
		m.count.Add(-1)
		return State{}, nil
	}
	return State{Alive: true, LastAccess: a.At, Touched: true}, nil
}

// insert stores r under key, after removing what has ended; s.mu is held.
func (m *Memory) insert(s *memoryShard, key Key, r *record, now int64) error {
	m.sweep(s, now)
	if old, ok := s.sessions[key]; ok {
		if old.subject != r.subject {
			m.unindex(Key{key.Issuer, old.subject}, key.ID)
		}
	} else if m.count.Add(1) > m.max && r.ended == 0 { // a revocation is always kept
		m.count.Add(-1)
		return fmt.Errorf("%w: it holds %d sessions", ErrFull, m.max)
	}
	s.sessions[key] = r
	return nil
}

// sweep removes what has ended from s, at most once in a while; s.mu is held.
func (m *Memory) sweep(s *memoryShard, now int64) {
	if now < s.sweepAt {
		return
	}
	s.sweepAt = now + int64(min(m.idle, m.remember, 10*time.Minute)/2)
	for key, r := range s.sessions {
		if r.ended != 0 && now >= r.ended || r.ended == 0 && !m.alive(r, now) {
			delete(s.sessions, key)
			m.count.Add(-1)
			m.unindex(Key{key.Issuer, r.subject}, key.ID)
		}
	}
}

// Put implements [Store].
func (m *Memory) Put(_ context.Context, session Session) error {
	if session.Issuer == "" || session.ID == "" {
		return ErrNoKey
	}
	now := time.Now()
	if session.Created.IsZero() {
		session.Created = now
	}
	if session.LastAccess.IsZero() {
		session.LastAccess = now
	}
	if session.LastSync.IsZero() {
		session.LastSync = session.Created
	}
	key := Key{m.issuer(session.Issuer), strings.Clone(session.ID)}
	r := &record{
		subject: strings.Clone(session.Subject), client: strings.Clone(session.ClientID),
		tenant: strings.Clone(session.Tenant), device: strings.Clone(session.Device), address: strings.Clone(session.Address),
		created: nanos(session.Created), access: nanos(session.LastAccess),
		synced: nanos(session.LastSync), expires: nanos(session.Expires),
	}
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.sessions[key]; old != nil && old.ended != 0 {
		return ErrEnded
	}
	if err := m.insert(s, key, r, nanos(now)); err != nil {
		return err
	}
	if r.subject != "" {
		m.index(Key{key.Issuer, r.subject}, key.ID, 1<<63-1)
	}
	return nil
}

// Revoke implements [Store].
func (m *Memory) Revoke(_ context.Context, keys ...Key) error {
	if slices.ContainsFunc(keys, Key.incomplete) {
		return ErrNoKey
	}
	now := nanos(time.Now())
	for _, key := range keys {
		m.revoke(key, now)
	}
	m.watchers.ended(keys...)
	return nil
}

func (m *Memory) revoke(key Key, now int64) (wasAlive bool) {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.sessions[key]
	if r != nil && r.ended != 0 {
		return false
	}
	wasAlive = r != nil && m.alive(r, now)
	key = Key{m.issuer(key.Issuer), strings.Clone(key.ID)}
	_ = m.insert(s, key, &record{ended: now + int64(m.remember)}, now) // never ErrFull
	return wasAlive
}

// RevokeSubject implements [Store].
func (m *Memory) RevokeSubject(_ context.Context, issuer, subject string, until time.Time, except ...string) (int, error) {
	now := nanos(time.Now())
	ids := m.endSubject(Key{issuer, subject}, nanos(until), now)
	ended := 0
	keys := make([]Key, 0, len(ids))
	for _, id := range ids {
		if slices.Contains(except, id) {
			continue
		}
		key := Key{issuer, id}
		if m.revoke(key, now) {
			ended++
		}
		keys = append(keys, key)
	}
	m.watchers.ended(keys...)
	return ended, nil
}

// List implements [Store].
func (m *Memory) List(_ context.Context, issuer, subject string) ([]Session, error) {
	now := nanos(time.Now())
	var list []Session
	for _, id := range m.sessionsOf(Key{issuer, subject}) {
		key := Key{issuer, id}
		s := m.shard(key)
		s.mu.Lock()
		if r := s.sessions[key]; r != nil && m.alive(r, now) && r.subject == subject {
			list = append(list, Session{
				Issuer: issuer, ID: id, Subject: r.subject, ClientID: r.client, Tenant: r.tenant, Device: r.device, Address: r.address,
				Created: instant(r.created), LastAccess: instant(r.access), LastSync: instant(r.synced), Expires: instant(r.expires),
			})
		}
		s.mu.Unlock()
	}
	return list, nil
}

// Watch implements [Watcher].
func (m *Memory) Watch(w Watch) (stop func()) { return m.watchers.add(w) }

// Len returns how many sessions are held, with revoked ones that are remembered
// and ended ones that were not yet removed.
func (m *Memory) Len() int { return int(m.count.Load()) }

// issuer returns a copy of issuer that all sessions of the issuer share.
func (m *Memory) issuer(issuer string) string {
	if shared, ok := m.issuers.Load(issuer); ok {
		return shared.(string)
	}
	shared, _ := m.issuers.LoadOrStore(strings.Clone(issuer), strings.Clone(issuer))
	return shared.(string)
}

// nanos returns t in nanoseconds since 1970, 0 for the zero time. What lies
// beyond the range of an int64, the year 2262, is its end.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Year() > 2261:
		return 1<<63 - 1
	case t.Year() < 1678:
		return -1 << 63
	}
	return t.UnixNano()
}

// instant is the inverse of nanos.
func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}
