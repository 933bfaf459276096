package jwks

import "time"

// The budget for refreshes that tokens ask for. Whoever can send a token can
// ask, so this is what protects the authority: three at once, then one per five
// seconds, and after ten in a row that brought nothing new, one per 10, 20 and
// at last 30 seconds. A flood of 30 s so costs 9 refreshes, and a key published
// during it or right after it is found within 5 s.
const (
	forcedBurst      = 3
	forcedSpacing    = 5 * time.Second
	forcedPatience   = 10
	maxForcedSpacing = 30 * time.Second
	quietPeriod      = 30 * time.Second
)

// A budget is a bucket of forcedBurst refreshes that fills up by one per
// spacing. The zero value is full. It is no clock: every method is told the time.
type budget struct {
	spent     int       // how many are missing in the bucket
	since     time.Time // when the next one began to fill up
	fruitless int       // forced refreshes in a row without a new key
	asked     time.Time // the latest demand
}

// demand notes that somebody asks. After a quiet period, what was fruitless
// before is forgotten.
func (b *budget) demand(now time.Time) {
	if now.Sub(b.asked) >= quietPeriod {
		b.fruitless = 0
	}
	b.asked = now
}

// take spends one refresh, if there is one.
func (b *budget) take(now time.Time) bool {
	b.fill(now)
	if b.spent >= forcedBurst {
		return false
	}
	if b.spent == 0 {
		b.since = now
	}
	b.spent++
	return true
}

// next returns when take will succeed; it may be past.
func (b *budget) next(now time.Time) time.Time {
	b.fill(now)
	if b.spent < forcedBurst {
		return now
	}
	return b.since.Add(b.spacing())
}

// fill puts back what has come in since.
func (b *budget) fill(now time.Time) {
	if b.spent == 0 {
		return
	}
	spacing := b.spacing()
	n := now.Sub(b.since) / spacing
	if n <= 0 {
		return
	}
	b.spent = max(0, b.spent-int(min(n, forcedBurst)))
	b.since = b.since.Add(n * spacing)
}

// done notes what a forced refresh brought. Any new key makes the budget whole
// again: it was worth asking.
func (b *budget) done(newKeys bool) {
	if newKeys {
		*b = budget{asked: b.asked}
		return
	}
	b.fruitless++
}

// recovered forgets what was fruitless while the authority was away: that says
// nothing about who asked.
func (b *budget) recovered() { b.fruitless = 0 }

// spacing is the time in which one refresh fills up.
func (b *budget) spacing() time.Duration {
	spacing := forcedSpacing
	for n := b.fruitless; n >= forcedPatience && spacing < maxForcedSpacing; n-- {
		spacing *= 2
	}
	return min(spacing, maxForcedSpacing)
}
