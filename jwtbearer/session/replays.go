package session

import (
	"context"
	"crypto/sha256"
	"strconv"
	"sync"
	"time"
)

// Replays remembers which logout tokens were used. All methods are safe for
// concurrent use and obey their context.
type Replays interface {
	// Claim reports whether the token that issuer calls id is used for the
	// first time, and remembers it until an instant.
	Claim(ctx context.Context, issuer, id string, until time.Time) (first bool, err error)
	// Release forgets a claimed token, so that it can be sent again.
	Release(ctx context.Context, issuer, id string) error
}

// maxReplays bounds the memory of used logout tokens in one process.
const maxReplays = 1 << 16

// memoryReplays is a Replays in this process. It forgets the oldest token
// before a new one is refused: only the authority can fill it.
type memoryReplays struct {
	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time
	order [][sha256.Size]byte // as claimed; released ones may still be in it
}

func newMemoryReplays() *memoryReplays {
	return &memoryReplays{until: make(map[[sha256.Size]byte]time.Time)}
}

func replayKey(issuer, id string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strconv.Itoa(len(issuer)) + ":" + issuer + id))
}

func (m *memoryReplays) Claim(_ context.Context, issuer, id string, until time.Time) (bool, error) {
	key := replayKey(issuer, id)
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.order) > 0 && (len(m.order) >= maxReplays || !now.Before(m.until[m.order[0]])) {
		delete(m.until, m.order[0])
		m.order = m.order[1:]
	}
	if known, ok := m.until[key]; ok && now.Before(known) {
		return false, nil
	}
	m.until[key] = until
	m.order = append(m.order, key)
	return true, nil
}

func (m *memoryReplays) Release(_ context.Context, issuer, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.until, replayKey(issuer, id))
	return nil
}
