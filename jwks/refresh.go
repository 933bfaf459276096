package jwks

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"
)

// The pace of attempts while they fail.
const (
	retryBase  = time.Second
	retryCold  = 2 * time.Second  // at most, while no keys were ever held
	retryLater = 30 * time.Second // at most, afterwards
)

// state is what the owner goroutine and its callers share, under Set.mu.
type state struct {
	closed   bool
	busy     bool      // an attempt is under way
	attempts uint64    // finished ones
	attempt  *flight   // the one under way, or else the one to come
	next     *flight   // who asked for a forced refresh that has not asked for the keys yet
	full     bool      // next must read everything anew
	refused  wish      // demands beyond the budget; made when it allows
	due      time.Time // when the next scheduled attempt is
	sent     time.Time // when the attempt under way asked for the keys, past every cache; else zero
	looked   time.Time // the same of the last good one
	budget   budget
	absent   absent

	failures    int   // in a row
	lastError   error // of the last attempt; nil if it was good; matches ErrUnavailable
	lastErrorAt time.Time
	latestError string     // of the last attempt that failed, kept after a recovery
	outdated    error      // why the last one could not read the metadata, though it read the keys
	former      []identity // keys that are gone, the latest last
	succeeded   time.Time
	attempted   time.Time
	skipped     []SkippedKey
	counts      Counts
	metadataURL string
	keysURL     string
}

// A flight is an attempt that callers wait for.
type flight struct {
	done  chan struct{}
	err   error     // set before done is closed
	begun time.Time // zero while it has not

	wanted wish
}

func newFlight() *flight { return &flight{done: make(chan struct{})} }

func (f *flight) land(err error) {
	f.err = err
	close(f.done)
}

// A wish is what somebody hopes that a refresh brings, within bounds.
type wish struct {
	keys []slot
	more bool // and something that cannot be told
}

func (w *wish) add(at slot) {
	const most = 16
	switch {
	case w.more || slices.Contains(w.keys, at):
	case at.id == "" || len(w.keys) == most:
		*w = wish{more: true}
	default:
		w.keys = append(w.keys, at)
	}
}

func (w *wish) empty() bool { return !w.more && len(w.keys) == 0 }

// met reports whether everything is there, so that no refresh is needed.
func (w *wish) met(snap *snapshot) bool {
	return !w.more && snap != nil && !slices.ContainsFunc(w.keys, func(at slot) bool { return snap.find(at.id, at.alg) == nil })
}

// outage is why the set cannot be used.
func (st *state) outage() error {
	switch {
	case st.closed:
		return ErrClosed
	case st.lastError != nil:
		return st.lastError
	case st.succeeded.IsZero():
		return errNotFetched
	}
	return &unavailable{errStale}
}

// verdict is the answer for a key that is not there when no refresh is made.
func (st *state) verdict() error {
	if st.lastError != nil {
		return st.lastError
	}
	return ErrKeyNotFound
}

// Refresh reads the keys now, everything anew and past every cache on the way,
// and returns when it is done: a key that the authority has taken away is
// refused from then on. Callers at the same time share refreshes, but none is
// given an answer that is older than its question. It is not part of the budget
// for unknown keys; who calls it decides how often.
//
// The error matches [ErrUnavailable] and says why; the keys in hand stay. If ctx
// ended first, it matches what ctx.Err returns too, and the refresh goes on. For
// static keys there is nothing to do.
func (s *Set) Refresh(ctx context.Context) error {
	s.mu.Lock()
	if s.state.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	if s.source == nil {
		s.mu.Unlock()
		return nil
	}
	if s.state.next == nil {
		s.state.next = newFlight()
	}
	s.state.full = true
	f := s.state.next
	s.nudge()
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return s.gaveUp(ctx)
	case <-s.ctx.Done():
		return ErrClosed
	}
}

// start begins the life of the owner goroutine, which makes every attempt, one
// after the other.
func (s *Set) start() {
	s.mu.Lock()
	s.state.due = time.Now()
	s.mu.Unlock()
	go s.own()
}

func (s *Set) own() {
	defer close(s.done)
	defer s.source.close()
	for s.ctx.Err() == nil {
		m, wait := s.look()
		if wait <= 0 {
			s.refresh(m)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-s.ctx.Done():
		case <-timer.C:
		case <-s.wake:
		}
		timer.Stop()
	}
}

// look returns how long there is nothing to do, or if that is no time at all,
// what to do.
func (s *Set) look() (m mode, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, now := &s.state, time.Now()
	switch {
	case st.next != nil && st.full:
		return complete, 0
	case st.next != nil:
		return demanded, 0
	case !st.refused.empty() && st.budget.take(now):
		return demanded, 0
	}
	wait = st.due.Sub(now)
	if wall := st.due.Round(0).Sub(now.Round(0)); wall < wait {
		wait = wall // the host has slept
	}
	if wait <= 0 {
		return scheduled, 0
	}
	if !st.refused.empty() {
		wait = min(wait, max(st.budget.next(now).Sub(now), time.Nanosecond))
	}
	return scheduled, wait
}

// refresh makes one attempt.
func (s *Set) refresh(m mode) {
	var waiting []*flight // whom this attempt answers
	st := &s.state
	take := func() {
		if st.next != nil {
			waiting = append(waiting, st.next)
			st.next, st.full = nil, false
		}
	}

	s.mu.Lock()
	st.busy = true
	st.attempt.begun = time.Now()
	st.attempted = st.attempt.begun
	s.overdue.Store(math.MaxInt64)
	if m != scheduled {
		take()
	}
	s.mu.Unlock()

	sending := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !st.full { // who called Refresh in between wants the metadata anew, too
			take()
		}
		past := m != scheduled || len(waiting) > 0
		if past {
			st.sent = time.Now()
			st.refused = wish{}
		}
		return past
	}
	doc, fresh, err := s.load(m, sending)
	if s.ctx.Err() != nil {
		return // Close has woken everybody
	}
	if err == nil {
		err = doc.usable()
	}

	var news news
	s.mu.Lock()
	now := time.Now()
	st.counts.Refreshes++
	st.attempts++
	if m != scheduled || len(waiting) > 0 {
		st.counts.Forced++
	}
	if doc != nil {
		news.skipped = newlySkipped(st.skipped, doc.skipped)
		st.skipped = doc.skipped
	}
	if err != nil {
		s.failed(now, err, m, &news)
	} else {
		s.succeeded(now, doc, fresh, &news)
	}
	if newKeys := st.anyNew(news.added); newKeys || m == demanded {
		st.budget.done(newKeys)
	}
	st.retire(news.gone)
	st.metadataURL, st.keysURL = s.source.addresses()
	// What was asked for in the meantime may have come with this one.
	snap := s.snap.Load()
	if st.next != nil && !st.full && st.next.wanted.met(snap) {
		take()
	}
	if st.refused.met(snap) {
		st.refused = wish{}
	}
	landed := st.attempt
	st.attempt = newFlight()
	st.busy, st.sent = false, time.Time{}
	outcome := st.lastError
	s.mu.Unlock()

	landed.land(outcome)
	if m == complete && outcome == nil && doc.outdated != nil {
		outcome = &unavailable{doc.outdated} // they have asked for everything
	}
	for _, f := range waiting {
		f.land(outcome)
	}
	s.tell(&news)
}

// load reads the source. A panic, of a RoundTripper say, is a failed attempt:
// without the owner goroutine nothing would be refreshed ever again.
func (s *Set) load(m mode, sending func() bool) (doc *document, fresh freshFor, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.log(slog.LevelError, "a refresh of the keys panicked", slog.String("panic", fmt.Sprint(v)), slog.String("stack", string(debug.Stack())))
			doc, err = nil, fmt.Errorf("the refresh panicked: %v", v)
		}
	}()
	return s.source.load(s.ctx, m, sending)
}

// anyNew reports whether one of the keys was never here, as far as is known. An
// authority whose replicas do not agree shows old keys again and again, which is
// no reason to ask it more often. The caller holds mu.
func (st *state) anyNew(added []*Key) bool {
	return slices.ContainsFunc(added, func(key *Key) bool { return !slices.Contains(st.former, key.identity) })
}

// retire remembers keys that are gone. The caller holds mu.
func (st *state) retire(gone []*Key) {
	const most = 64
	for _, key := range gone {
		if !slices.Contains(st.former, key.identity) {
			st.former = append(st.former, key.identity)
		}
	}
	if extra := len(st.former) - most; extra > 0 {
		st.former = slices.Delete(st.former, 0, extra)
	}
}

// failed notes an attempt that failed. The caller holds mu.
func (s *Set) failed(now time.Time, err error, m mode, news *news) {
	st := &s.state
	wrapped := &unavailable{err}
	st.failures++
	st.counts.Failed++
	st.lastError, st.lastErrorAt, st.latestError = wrapped, now, err.Error()
	delay := s.schedule.retry(st.failures, !st.succeeded.IsZero(), rand.Float64())
	if m == demanded {
		// Who sends junk must not be able to add these to what the budget allows.
		delay = max(delay, st.budget.spacing())
	}
	st.due = now.Add(delay)
	s.watch()
	// until is wall-clock time. Should the clock have been set back since, this
	// still ends what is too old.
	if s.staleness > 0 && !st.succeeded.IsZero() && now.Sub(st.succeeded) >= s.staleness {
		s.until.Store(math.MinInt64)
	}
	news.err, news.failures, news.next = wrapped, st.failures, st.due
	news.last = st.succeeded
}

// succeeded takes a good document over. The caller holds mu.
func (s *Set) succeeded(now time.Time, doc *document, fresh freshFor, news *news) {
	st := &s.state
	before := s.snap.Load()
	snap, added, gone := newSnapshot(s, before, doc)
	s.snap.Store(snap)
	for _, key := range gone {
		key.retired.Store(true)
	}
	news.first = before == nil
	news.added, news.gone = added, gone
	if st.outdated == nil {
		news.outdated = doc.outdated
	}
	st.outdated = doc.outdated
	news.recovered, news.down = st.failures, now.Sub(st.succeeded)
	news.keys = len(snap.keys)

	if st.failures > 0 {
		st.budget.recovered()
	}
	st.failures, st.lastError = 0, nil
	st.succeeded = now
	if !st.sent.IsZero() {
		st.looked = st.sent
	}
	if !news.first && len(added)+len(gone) > 0 {
		st.counts.Rotations++
	}
	st.due = now.Add(s.schedule.next(fresh, rand.Float64()))
	s.watch()
	news.next = st.due
	if !st.closed {
		until := int64(math.MaxInt64)
		if s.staleness > 0 {
			until = now.Add(s.staleness).UnixNano()
		}
		s.until.Store(until)
	}
}

// watch sets when a refresh counts as long overdue. The caller holds mu.
func (s *Set) watch() {
	if !s.state.closed {
		s.overdue.Store(s.state.due.Add(time.Minute).UnixNano())
	}
}

// A schedule bounds the time between two good refreshes.
type schedule struct {
	least, most time.Duration
	local       bool // a failure costs nobody anything: no back-off
}

// next returns the delay after a good refresh. random is in [0, 1): without it,
// all instances of a program that started together would ask together for ever.
func (p schedule) next(fresh freshFor, random float64) time.Duration {
	delay := p.most
	if fresh.said {
		delay = min(max(fresh.lifetime, p.least), p.most)
	}
	return delay + time.Duration(random*float64(delay)/10)
}

// retry returns the delay after the given number of failures in a row, at least
// one: exponential, with the upper half of it random.
func (p schedule) retry(failures int, held bool, random float64) time.Duration {
	if p.local {
		return p.least
	}
	most := retryCold
	if held {
		most = retryLater
	}
	delay := most
	if n := failures - 1; n < 10 {
		delay = min(retryBase<<n, most)
	}
	return delay/2 + time.Duration(random*float64(delay)/2)
}

// newlySkipped returns the keys that are skipped now and were not before.
func newlySkipped(before, after []SkippedKey) []SkippedKey {
	was := make(map[SkippedKey]bool, len(before))
	for _, key := range before {
		key.Index = 0
		was[key] = true
	}
	var fresh []SkippedKey
	for _, key := range after {
		at := key
		at.Index = 0
		if !was[at] {
			was[at] = true
			fresh = append(fresh, key)
		}
	}
	return fresh
}

// ids lists key ids for a log line or an event, sorted.
func ids(keys []*Key) []string {
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = key.id
	}
	slices.Sort(list)
	return list
}

// log writes to the logger of the set.
func (s *Set) log(level slog.Level, message string, attrs ...slog.Attr) {
	logger := s.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(context.Background(), level, "jwks: "+message, append([]slog.Attr{slog.String("issuer", s.issuer)}, attrs...)...)
}
