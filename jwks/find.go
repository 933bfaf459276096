package jwks

import (
	"context"
	"math"
	"time"
)

const (
	coldWait    = 5 * time.Second // for the first keys
	unknownWait = 2 * time.Second // for a key id that is not known
)

// Find returns the keys that may check a token's signature. The caller must not
// modify the slice.
//
// kid is the key id that the token names, "" if it names none; alg is the
// token's algorithm. With a kid, it is exactly one key: the one of that id which
// fits alg, never another. Without, it is at most four keys that fit alg, in the
// order of the key set. A key fits alg if its own alg is the same one or, where
// it has none, if its type and curve are those of alg (RFC 7518, Section 3.1).
//
// For a key that is held, Find neither waits nor allocates nor locks. If there
// are no keys yet, it waits for the fetch that is under way, five seconds at
// most. If there are but not this one, it asks for a refresh, within the budget
// that the package comment tells, and waits two seconds at most. Both waits end
// with ctx.
//
// The error matches [ErrKeyNotFound] if the authority does not have the key or
// a refresh is not due, and [ErrUnavailable] if that cannot be known now: no
// keys yet, the last refresh failed, the keys are older than
// [Options.MaxStaleness], the set is closed ([ErrClosed]), the wait was in vain.
// If ctx ended the wait, the error matches what ctx.Err returns too.
func (s *Set) Find(ctx context.Context, kid, alg string) ([]*Key, error) {
	a := algorithmOf(alg)
	if snap := s.current(); snap != nil {
		if keys := snap.find(kid, a); keys != nil {
			return keys, nil
		}
	}
	return s.await(ctx, slot{kid, a}, func(snap *snapshot) []*Key { return snap.find(kid, a) })
}

// Held returns the keys that [Set.Find] would return at once, nil if there are none,
// it would have to wait, or it could not know. It asks for no refresh. The caller
// must not modify the slice. It is safe for concurrent use.
func (s *Set) Held(kid, alg string) []*Key {
	snap := s.current()
	if snap == nil {
		return nil
	}
	return snap.find(kid, algorithmOf(alg))
}

// FindNew is for a token that names no key after all keys of [Set.Find] have
// failed to check its signature: perhaps the authority has a new one. It asks
// for a refresh as Find does for an unknown kid, out of the same budget, and
// returns the keys that fit alg and are not among tried, so few that tried and
// they together are at most four. The errors are those of Find.
func (s *Set) FindNew(ctx context.Context, alg string, tried []*Key) ([]*Key, error) {
	a := algorithmOf(alg)
	fresh := func(snap *snapshot) []*Key { return snap.untried(a, tried) }
	if snap := s.current(); snap != nil {
		if keys := fresh(snap); keys != nil {
			return keys, nil
		}
	}
	return s.await(ctx, slot{"", a}, fresh)
}

// Holds returns nil while key is in the set and the set may be used at now: it
// is how a cache of verified tokens learns that a key is gone. It is a few
// atomic reads. The error is [ErrKeyNotFound] for a key that is gone, was
// replaced, or belongs to another set, and matches [ErrUnavailable] if the set
// is past [Options.MaxStaleness] at now, or closed ([ErrClosed]).
//
// now is the wall-clock time by which the caller judges the token.
func (s *Set) Holds(key *Key, now time.Time) error {
	if key != nil && key.set == s && !key.retired.Load() && now.UnixNano() < s.until.Load() {
		return nil
	}
	if !s.usable(now) {
		return s.outage()
	}
	return ErrKeyNotFound
}

// current returns the snapshot if it may be used now.
func (s *Set) current() *snapshot {
	until := s.until.Load()
	if until == math.MaxInt64 {
		return s.snap.Load()
	}
	now := time.Now().UnixNano()
	if now > s.overdue.Load() {
		// Timers stand still while a host sleeps; its clock does not.
		s.nudge()
	}
	if now >= until {
		return nil
	}
	return s.snap.Load()
}

func (s *Set) usable(now time.Time) bool { return now.UnixNano() < s.until.Load() }

// outage returns why the set cannot be used.
func (s *Set) outage() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.outage()
}

func (s *Set) gaveUp(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &gaveUp{ctx.Err(), s.state.lastError}
}

// await is the slow path of Find: it gets keys, if waiting can get them.
func (s *Set) await(ctx context.Context, at slot, find func(*snapshot) []*Key) ([]*Key, error) {
	snap := s.current()
	if snap == nil {
		if err := s.awaitKeys(ctx); err != nil {
			return nil, err
		}
		if snap = s.current(); snap == nil {
			return nil, s.outage()
		}
		if keys := find(snap); keys != nil {
			return keys, nil
		}
	}
	if at.alg == unsupported || s.source == nil {
		return nil, ErrKeyNotFound // no refresh can bring it
	}
	keys, underway, asked, err := s.demand(at, find)
	if keys != nil || err != nil {
		return keys, err
	}
	timer := time.NewTimer(unknownWait)
	defer timer.Stop()
	var outcome error
	for _, f := range [...]*flight{underway, asked} {
		if f == nil {
			continue
		}
		select {
		case <-f.done:
		case <-timer.C:
			return nil, errTooSlow
		case <-ctx.Done():
			return nil, s.gaveUp(ctx)
		case <-s.ctx.Done():
			return nil, ErrClosed
		}
		if snap := s.current(); snap != nil {
			if keys := find(snap); keys != nil {
				return keys, nil
			}
		}
		outcome = f.err
	}
	if outcome != nil {
		return nil, outcome
	}
	return nil, ErrKeyNotFound
}

// awaitKeys waits for the attempt under way while there are no keys to use.
// Between attempts it answers at once: who waits for an authority that is down
// is of use to nobody.
func (s *Set) awaitKeys(ctx context.Context) error {
	s.mu.Lock()
	st := &s.state
	if st.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	if s.usable(time.Now()) {
		s.mu.Unlock()
		return nil
	}
	attempt, wait := st.attempt, coldWait
	if attempt.begun.IsZero() {
		if st.attempts > 0 && time.Now().UnixNano() <= s.overdue.Load() {
			defer s.mu.Unlock()
			return st.outage()
		}
	} else if wait -= time.Since(attempt.begun); wait <= 0 {
		s.mu.Unlock()
		return errTooSlow
	}
	s.mu.Unlock()

	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-attempt.done:
		return attempt.err
	case <-timer.C:
		return errTooSlow
	case <-ctx.Done():
		return s.gaveUp(ctx)
	case <-s.ctx.Done():
		return ErrClosed
	}
}

// demand asks for a forced refresh. It returns the keys, if they have come in
// the meantime; or what to wait for: the attempt that is under way already,
// which may bring the key, and the one that was asked for, which must; or the
// answer, if there is nothing to wait for.
func (s *Set) demand(at slot, find func(*snapshot) []*Key) (keys []*Key, underway, asked *flight, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.state
	if st.closed {
		return nil, nil, nil, ErrClosed
	}
	// Between our first look and this moment a refresh may have brought the key:
	// then it is there, and "looked for and not found" would be wrong.
	if snap := s.snap.Load(); snap != nil {
		if keys := find(snap); keys != nil {
			return keys, nil, nil, nil
		}
	}
	now := time.Now()
	known := open
	if at.id != "" {
		known = st.absent.ask(at, now, st.looked, st.sent)
	}
	if known == missing {
		return nil, nil, nil, st.verdict()
	}
	if known == open {
		st.counts.Demands++
		st.budget.demand(now)
		switch {
		case st.next != nil || st.budget.take(now):
			if st.next == nil {
				st.next = newFlight()
				s.nudge()
			}
			st.next.wanted.add(at)
			asked = st.next
		default:
			st.counts.Throttled++
			if st.refused.empty() {
				s.nudge() // to make it as soon as the budget allows
			}
			st.refused.add(at)
		}
	}
	if st.busy {
		if now.Sub(st.attempt.begun) > unknownWait {
			return nil, nil, nil, errTooSlow // whoever waits for a refresh that hangs
		}
		return nil, st.attempt, asked, nil
	}
	if asked == nil {
		return nil, nil, nil, st.verdict()
	}
	return nil, nil, asked, nil
}

// nudge makes the owner goroutine look again.
func (s *Set) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
