package jwks

import (
	"hash/maphash"
	"time"
)

// What is remembered of key ids that the authority does not have: 1,024 of
// them, 24 KiB, whatever is thrown at it.
const (
	absentSlots  = 1 << 10
	absentFirst  = 5 * time.Second
	absentLonger = maxForcedSpacing // who guesses the next key's id can delay it no longer than a flood can
)

// absent remembers key ids that were asked for and not found, so that a client
// with a stale token does not spend the budget that a rotation needs. It knows
// them by a keyed hash: nobody can aim at another id's place, and no id is kept.
// An entry that is pushed out by another costs one refresh at most.
type absent struct {
	seed  maphash.Seed
	start time.Time
	slots []absentID // made on first use
}

type absentID struct {
	hash   uint64
	asked  time.Duration // since start; when it was first asked for, or again after until
	until  time.Duration // it is not asked for again before; 0: not looked for yet
	misses uint8
}

func newAbsent(now time.Time) absent { return absent{seed: maphash.MakeSeed(), start: now} }

// What is known of a key that the set does not have.
type absence int

const (
	open     absence = iota // nobody has looked for it yet, or long ago
	underway                // the refresh under way looks for it
	missing                 // it has been looked for
)

// ask notes that a key is asked for which the set does not have. lookedFor is
// when the last good forced refresh asked the authority for its keys, sent when
// the one under way did, if it did.
func (a *absent) ask(at slot, now, lookedFor, sent time.Time) absence {
	if a.slots == nil {
		a.slots = make([]absentID, absentSlots)
	}
	sum := maphash.String(a.seed, at.id) + uint64(at.alg)*0x9e3779b97f4a7c15
	entry := &a.slots[sum%absentSlots]
	since := now.Sub(a.start) + 1 // never 0
	if entry.hash != sum || entry.asked == 0 {
		*entry = absentID{hash: sum, asked: since}
		return open
	}
	if looked := lookedFor.Sub(a.start) + 1; looked < entry.asked {
		if sent.Sub(a.start)+1 >= entry.asked {
			// It was asked for before the authority was, so the answer holds for it.
			return underway
		}
		return open
	} else if entry.until == 0 {
		entry.until = looked + min(absentFirst<<entry.misses, absentLonger)
	}
	if since < entry.until {
		return missing
	}
	*entry = absentID{hash: sum, asked: since, misses: min(entry.misses+1, 4)}
	return open
}
