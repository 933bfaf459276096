package clockskew

import (
	"math"
	"sync"
	"time"
)

const (
	// minWrong is the offset below which no clock is called wrong: Date headers
	// are too coarse, and networks too slow, to speak of less.
	minWrong = 5 * time.Second
	// maxRoundTrip is the longest exchange that says anything about a clock.
	maxRoundTrip = time.Minute
	// maxStep is how far the wall clock and the monotonic clock may disagree
	// about the length of an exchange before our clock was set during it.
	maxStep = time.Second
)

// Offset is how far the authority's clock is ahead of this host's. It is for
// people to read: no decision about a token uses it, since whoever answers for
// the authority's address could then move our clock.
//
// The zero value is no measurement.
type Offset struct {
	// Ahead is the authority's clock minus ours: positive when ours is slow.
	Ahead time.Duration `json:"ahead_ns"`
	// Error is half the round trip plus one second, for the resolution of the
	// Date header. The true value is Ahead, give or take Error.
	Error time.Duration `json:"error_ns"`
	// At is when it was measured, by our clock. Zero: never.
	At time.Time `json:"at"`
}

// Meter collects measurements of the offset between this host's clock and the
// authority's, from the Date header of responses (RFC 9110, Section 6.6.1).
//
// The zero value is ready for use. All methods are safe for concurrent use. A
// Meter must not be copied after first use.
type Meter struct {
	mu       sync.Mutex
	latest   Offset
	previous Offset
}

// Observe takes one measurement: a request sent at sent whose response, received
// at received, carried date. Both instants are by this host's clock; to take them
// from [time.Now] is best, as its monotonic reading tells when that clock was set
// in between.
//
// A Date header has whole seconds, so the best guess at what the authority's
// clock said is date + 0.5 s, at the middle of the exchange. A response out of a
// cache carries the date of its making: leave those with an Age header out.
//
// What cannot be a measurement is ignored: a zero instant, a response before
// its request, an exchange of more than a minute or during which this host's
// clock was set, a date outside the years 1970 to 9999, an offset that a
// Duration does not hold.
func (m *Meter) Observe(sent, received, date time.Time) {
	o, ok := measure(sent, received, date)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.previous, m.latest = m.latest, o
}

// Offset returns the latest measurement, the zero Offset if there was none.
func (m *Meter) Offset() Offset {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.latest
}

// Wrong reports whether the last two measurements in a row both exceed, error
// bars deducted, the larger of tolerance and five seconds: whether tokens of
// this authority are, or are about to be, refused because of a clock. One
// measurement alone proves nothing; the next good one takes the verdict back.
func (m *Meter) Wrong(tolerance time.Duration) bool {
	limit := max(tolerance, minWrong)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.latest.beyond(limit) && m.previous.beyond(limit)
}

// beyond reports whether the offset is certainly more than limit, either way.
func (o Offset) beyond(limit time.Duration) bool {
	return o.Ahead.Abs()-o.Error > limit
}

// measure computes the offset of one exchange, false if it is none.
func measure(sent, received, date time.Time) (Offset, bool) {
	if sent.IsZero() || received.IsZero() ||
		date.Unix() < 0 || date.Unix() > maxSeconds {
		return Offset{}, false
	}
	// Round(0) takes the monotonic reading away. Where only one has one, both
	// differences are by the wall clock and agree.
	trip := received.Sub(sent)
	wall := received.Round(0).Sub(sent.Round(0))
	if trip < 0 || trip > maxRoundTrip || (wall-trip).Abs() > maxStep {
		return Offset{}, false
	}
	ahead := date.Add(500 * time.Millisecond).Sub(sent.Add(trip / 2))
	if ahead == math.MaxInt64 || ahead == math.MinInt64 {
		return Offset{}, false
	}
	return Offset{
		Ahead: ahead,
		Error: trip/2 + time.Second,
		At:    received.Round(0),
	}, true
}
