package session

import (
	"context"
	"net/http"
	"time"
)

// Facts are what a check needs of a token, for tests that need no token.
type Facts struct {
	Issuer, ID, Subject, Client, Tenant string
	IssuedAt                            time.Time
}

// CheckFacts is the core of CheckToken.
func (c *Checker) CheckFacts(ctx context.Context, f Facts, r *http.Request) error {
	return c.check(ctx, &facts{key: Key{f.Issuer, f.ID}, subject: f.Subject, client: f.Client, tenant: f.Tenant, issuedAt: f.IssuedAt}, r)
}

// CheckPresented is the core of Revocations.CheckToken.
func (v *Revocations) CheckPresented(ctx context.Context, p Presented) error { return v.check(ctx, p) }

// MaxReplays is the bound of the memory of used logout tokens.
const MaxReplays = maxReplays

// NewMemoryReplays returns the memory that a logout handler has by default.
func NewMemoryReplays() Replays { return newMemoryReplays() }

// ReplaysLen is how many tokens it holds.
func ReplaysLen(r Replays) int { return len(r.(*memoryReplays).until) }

// SubjectsLen is how many subjects m knows.
func SubjectsLen(m *Memory) (n int) {
	for i := range m.subjects {
		n += len(m.subjects[i].subjects)
	}
	return n
}

// Verdicts is a cache of verdicts that is told the time.
type Verdicts struct{ v *verdicts[string] }

// NewVerdicts returns an empty one.
func NewVerdicts(life time.Duration) Verdicts {
	return Verdicts{newVerdicts(life, 1024, func(s string) string { return s })}
}

// Put remembers that key is good.
func (v Verdicts) Put(key string, now time.Time) {
	generation, _ := v.v.good(key, now)
	v.v.put(key, generation, now, time.Time{})
}

// Good reports whether key is known to be good.
func (v Verdicts) Good(key string, now time.Time) bool {
	_, good := v.v.good(key, now)
	return good
}
