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
//
// A token is marked after it was obeyed, and not before: one whose logout failed
// half-way, or was never answered, can be sent again. Two requests with one token
// at the same time may both be obeyed.
type Replays interface {
	// Used reports whether the token that issuer calls id was marked.
	Used(ctx context.Context, issuer, id string) (bool, error)
	// MarkUsed remembers a token until an instant. To mark it again is no error.
	MarkUsed(ctx context.Context, issuer, id string, until time.Time) error
}

// maxReplays bounds the memory of used logout tokens in one process.
const maxReplays = 1 << 16

// memoryReplays is a Replays in this process. It forgets the oldest token
// before a new one is refused: only the authority can fill it.
type memoryReplays struct {
	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time
	order [][sha256.Size]byte // as marked
}

func newMemoryReplays() *memoryReplays {
	return &memoryReplays{until: make(map[[sha256.Size]byte]time.Time)}
}

func replayKey(issuer, id string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strconv.Itoa(len(issuer)) + ":" + issuer + id))
}

func (m *memoryReplays) Used(_ context.Context, issuer, id string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Before(m.until[replayKey(issuer, id)]), nil
}

func (m *memoryReplays) MarkUsed(_ context.Context, issuer, id string, until time.Time) error {
	key := replayKey(issuer, id)
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.until[key]; known {
		m.until[key] = until
		return nil
	}
	for len(m.order) > 0 && (len(m.order) >= maxReplays || !now.Before(m.until[m.order[0]])) {
		delete(m.until, m.order[0])
		m.order = m.order[1:]
	}
	m.until[key] = until
	m.order = append(m.order, key)
	return nil
}
