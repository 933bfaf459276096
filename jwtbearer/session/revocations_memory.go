package session

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// MemoryRevocations is a [RevocationStore] in the memory of this process. It
// holds a revocation until no token that it refuses can be alive, at most a
// given number of them, and takes about 200 bytes for one. All methods are safe
// for concurrent use.
type MemoryRevocations struct {
	max      int
	watchers watchers

	mu      sync.RWMutex
	revoked map[revocationKey]revocation
	sweepAt time.Time
}

type revocationKey struct {
	kind          RevocationKind
	issuer, value string
}

type revocation struct{ before, until time.Time }

// NewMemoryRevocations returns an empty store for at most max revocations; zero
// and less mean 1,048,576. When it is full of revocations still needed, Revoke
// returns an error wrapping [ErrFull] rather than forget one.
func NewMemoryRevocations(max int) *MemoryRevocations {
	if max <= 0 {
		max = 1 << 20
	}
	return &MemoryRevocations{max: max, revoked: make(map[revocationKey]revocation)}
}

// Revoke implements [RevocationStore].
func (m *MemoryRevocations) Revoke(_ context.Context, r Revocation) error {
	if err := m.add(r, time.Now()); err != nil {
		return err
	}
	m.watchers.revoked()
	return nil
}

func (m *MemoryRevocations) add(r Revocation, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	// Strings of a token share one allocation with the whole token, which the
	// map must not hold.
	key := revocationKey{r.Kind, strings.Clone(r.Issuer), strings.Clone(r.Value)}
	entry, ok := m.revoked[key]
	if !ok {
		// The sweep takes time in proportion to what is held, so it is done
		// once a minute, and where it may make the room that is needed.
		if full := len(m.revoked) >= m.max; full || now.After(m.sweepAt) {
			m.sweep(now)
		}
		if len(m.revoked) >= m.max {
			return fmt.Errorf("%w: it holds %d revocations", ErrFull, m.max)
		}
	}
	if r.Before.After(entry.before) {
		entry.before = r.Before
	}
	if r.Until.After(entry.until) {
		entry.until = r.Until
	}
	m.revoked[key] = entry
	return nil
}

func (m *MemoryRevocations) sweep(now time.Time) {
	m.sweepAt = now.Add(time.Minute)
	for key, entry := range m.revoked {
		if !now.Before(entry.until) {
			delete(m.revoked, key)
		}
	}
}

// Revoked implements [RevocationStore].
func (m *MemoryRevocations) Revoked(_ context.Context, p Presented) (bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if len(m.revoked) == 0 {
		return false, nil
	}
	for _, key := range [...]revocationKey{
		{RevokedToken, p.Issuer, p.ID}, {RevokedSubject, p.Issuer, p.Subject}, {RevokedClient, p.Issuer, p.ClientID},
	} {
		if key.value == "" {
			continue
		}
		entry, ok := m.revoked[key]
		if ok && p.At.Before(entry.until) && (key.kind == RevokedToken || p.IssuedAt.Before(entry.before)) {
			return true, nil
		}
	}
	return false, nil
}

// Watch implements [Watcher].
func (m *MemoryRevocations) Watch(w Watch) (stop func()) { return m.watchers.add(w) }

// Len returns how many revocations are held.
func (m *MemoryRevocations) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.revoked)
}
