package jwks

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// Events are optional functions that are told what happens to a set; nil means
// not to be told.
//
// They are called by the one goroutine of the set that does its refreshes, one
// after the other, never at the same time for one set; for several sets that
// share an Events, at the same time. Requests do not wait for them, but the next
// refresh does: they should return soon, and must call neither [Set.Close] nor
// [Set.Refresh] of the set. A panic in one is caught and logged as an error; the
// set goes on. None is called after [Set.Close] has returned.
//
// [NewStatic] calls KeySkipped before it returns, and nothing else.
type Events struct {
	// Refreshed is called after each refresh that succeeded, also if it brought
	// nothing new.
	Refreshed func(RefreshedEvent)
	// Failed is called after each refresh that failed.
	Failed func(FailedEvent)
	// Rotated is called, after Refreshed, if keys came or went. It is not called
	// for the first keys.
	Rotated func(RotatedEvent)
	// KeySkipped is called for each key of a document that is not used and was not
	// already skipped for the same reason in the one before.
	KeySkipped func(KeySkippedEvent)
}

// RefreshedEvent tells of a refresh that succeeded.
type RefreshedEvent struct {
	Issuer string
	Keys   int       // keys in use
	Next   time.Time // when the next refresh is due
}

// FailedEvent tells of a refresh that failed. The keys in hand stay.
type FailedEvent struct {
	Issuer   string
	Err      error // matches ErrUnavailable
	Failures int   // in a row
	Next     time.Time
}

// RotatedEvent tells which keys came and went, by key id, sorted. A key whose
// value changed under the same id is in both.
type RotatedEvent struct {
	Issuer  string
	Added   []string
	Removed []string
}

// KeySkippedEvent tells of a key that is not used.
type KeySkippedEvent struct {
	Issuer string
	Key    SkippedKey
}

// news is what one attempt has to tell, once no lock is held.
type news struct {
	err      error
	failures int
	last     time.Time // of the last success
	next     time.Time

	first       bool
	keys        int
	added, gone []*Key
	outdated    error // of the metadata, if it could be read before
	recovered   int   // failures that are over
	down        time.Duration
	skipped     []SkippedKey
}

// tell logs the news and calls the events.
func (s *Set) tell(n *news) {
	if s.ctx.Err() != nil {
		return
	}
	s.tellSkipped(n.skipped)
	s.tellClock()
	if n.err != nil {
		// At growing spacing: a night of failures is a dozen lines.
		if n.failures&(n.failures-1) == 0 {
			attrs := []slog.Attr{slog.Any("error", n.err), slog.Int("failures", n.failures), slog.Time("next", n.next)}
			if !n.last.IsZero() {
				attrs = append(attrs, slog.Time("last_success", n.last))
				if s.staleness > 0 {
					attrs = append(attrs, slog.Time("usable_until", n.last.Add(s.staleness)))
				}
			}
			s.log(slog.LevelWarn, "reading the keys failed", attrs...)
		}
		if f := s.events.Failed; f != nil {
			s.guard("Failed", func() { f(FailedEvent{s.issuer, n.err, n.failures, n.next}) })
		}
		return
	}
	if n.outdated != nil {
		s.log(slog.LevelWarn, "reading the metadata failed; the keys are read where they were", slog.Any("error", n.outdated))
	}
	added, gone := ids(n.added), ids(n.gone)
	rotated := !n.first && len(added)+len(gone) > 0
	switch {
	case n.first:
		s.log(slog.LevelInfo, "keys read", slog.Int("keys", n.keys), slog.Int("failures_before", n.recovered), slog.Time("next", n.next))
	case n.recovered > 0:
		s.log(slog.LevelInfo, "keys can be read again", slog.Int("keys", n.keys), slog.Int("failures_before", n.recovered), slog.Duration("down", n.down))
	}
	if rotated {
		s.log(slog.LevelInfo, "keys changed", slog.Any("added", shorten(added)), slog.Any("removed", shorten(gone)), slog.Int("keys", n.keys))
	}
	if f := s.events.Refreshed; f != nil {
		s.guard("Refreshed", func() { f(RefreshedEvent{s.issuer, n.keys, n.next}) })
	}
	if f := s.events.Rotated; f != nil && rotated {
		s.guard("Rotated", func() { f(RotatedEvent{s.issuer, added, gone}) })
	}
}

// mostNamed bounds what one document can make of log lines.
const mostNamed = 10

func (s *Set) tellSkipped(skipped []SkippedKey) {
	warned := 0
	for _, key := range skipped {
		level := slog.LevelWarn
		if key.Normal {
			level = slog.LevelDebug
		} else if warned++; warned == mostNamed+1 {
			s.log(slog.LevelWarn, "more keys are skipped; the status has them all")
		}
		if warned <= mostNamed || key.Normal {
			s.log(level, "a key is not used", slog.String("kid", clip(key.KeyID)), slog.String("kty", clip(key.Type)), slog.Int("index", key.Index), slog.String("reason", key.Reason))
		}
		if f := s.events.KeySkipped; f != nil {
			s.guard("KeySkipped", func() { f(KeySkippedEvent{s.issuer, key}) })
		}
	}
}

// tellClock says once that this host's clock is off, and again only after it
// was right in between.
func (s *Set) tellClock() {
	wrong := s.clock.Wrong(s.tolerance)
	if wrong && !s.clockWrong {
		offset := s.clock.Offset()
		s.log(slog.LevelWarn, "this host's clock and the authority's differ; tokens will be refused as expired or not yet valid",
			slog.Duration("authority_ahead", offset.Ahead), slog.Duration("give_or_take", offset.Error))
	}
	s.clockWrong = wrong
}

// redirected logs a redirect that is followed, each once.
func (s *Set) redirected(what, from, to string) {
	const most = 16
	key := [3]string{what, from, to}
	if s.redirects[key] || len(s.redirects) >= most {
		return
	}
	if s.redirects == nil {
		s.redirects = make(map[[3]string]bool)
	}
	s.redirects[key] = true
	s.log(slog.LevelWarn, "the authority redirects; configure the address it redirects to", slog.String("document", what), slog.String("from", from), slog.String("to", to))
}

// guard calls a function of Events. Its panic must not end the goroutine that
// keeps the keys fresh, and with it the program.
func (s *Set) guard(name string, call func()) {
	defer func() {
		if v := recover(); v != nil {
			s.log(slog.LevelError, "an event function panicked", slog.String("event", name), slog.String("panic", fmt.Sprint(v)), slog.String("stack", string(debug.Stack())))
		}
	}()
	call()
}

func clip(s string) string {
	const most = 100
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

func shorten(ids []string) []string {
	short := make([]string, 0, min(len(ids), mostNamed+1))
	for i, id := range ids {
		if i == mostNamed {
			return append(short, "…")
		}
		short = append(short, clip(id))
	}
	return short
}
