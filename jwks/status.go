package jwks

import (
	"slices"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
)

// Status is a snapshot of a set, for people and monitoring. It marshals to JSON
// and fits expvar:
//
//	expvar.Publish("keys", expvar.Func(func() any { return set.Status() }))
//
// It holds addresses without their queries and no key material.
type Status struct {
	// Issuer is the issuer as configured, TokenIssuer what tokens must carry.
	Issuer      string `json:"issuer"`
	TokenIssuer string `json:"token_issuer"`
	// MetadataURL and KeysURL are where the metadata and the keys were read last;
	// "" for what is not read. For a file, KeysURL is its path.
	MetadataURL string `json:"metadata_url,omitempty"`
	KeysURL     string `json:"keys_url,omitempty"`

	// Ready says whether keys are held and may be used.
	Ready  bool `json:"ready"`
	Closed bool `json:"closed,omitempty"`

	// LastSuccess is when the keys were last read, or found to be unchanged; Age
	// is how long that is ago. StaleAt is when the keys stop being used if they
	// are not read again; zero if they do not go stale.
	LastSuccess time.Time     `json:"last_success,omitzero"`
	Age         time.Duration `json:"age_ns,omitempty"`
	StaleAt     time.Time     `json:"stale_at,omitzero"`
	// LastAttempt is when the last attempt to read them began, NextRefresh when
	// the next one is due.
	LastAttempt time.Time `json:"last_attempt,omitzero"`
	NextRefresh time.Time `json:"next_refresh,omitzero"`

	// Failures counts the failed attempts in a row; 0 means that the last one was
	// good. LastError and LastErrorTime are of the last failure, even if it is over.
	Failures      int       `json:"failures"`
	LastError     string    `json:"last_error,omitempty"`
	LastErrorTime time.Time `json:"last_error_time,omitzero"`
	// MetadataError is why the last refresh could not read the metadata, though it
	// read the keys, at the address that the metadata had named before; "" if it
	// could. While it lasts, it is not known whether the key set has moved.
	MetadataError string `json:"metadata_error,omitempty"`

	// Keys are the keys in use, Skipped those of the last readable document that
	// are not, each in its order.
	Keys    []KeyStatus  `json:"keys"`
	Skipped []SkippedKey `json:"skipped,omitempty"`

	// Counts are totals since the set was made.
	Counts Counts `json:"counts"`

	// Clock is how far the authority's clock is ahead of this host's, zero if not
	// measured. ClockWrong says that it is further than tolerated.
	Clock      clockskew.Offset `json:"clock,omitzero"`
	ClockWrong bool             `json:"clock_wrong,omitempty"`
}

// KeyStatus describes a key in use.
type KeyStatus struct {
	KeyID     string `json:"kid,omitempty"`
	Algorithm string `json:"alg,omitempty"` // as the authority wrote it
}

// SkippedKey describes a key that is not used, and why.
type SkippedKey struct {
	Index     int    `json:"index"` // in the document, from 0
	KeyID     string `json:"kid,omitempty"`
	Type      string `json:"kty,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	Reason    string `json:"reason"` // for people; may change
	// Normal is true where there is nothing to do: a key for encryption, a type
	// that this version does not know. It is then not logged as a warning.
	Normal bool `json:"normal,omitempty"`
}

// Counts are totals since a set was made.
type Counts struct {
	Refreshes uint64 `json:"refreshes"` // attempts finished
	Failed    uint64 `json:"failed"`    // of these
	Forced    uint64 `json:"forced"`    // of these, because somebody asked
	Rotations uint64 `json:"rotations"` // of these, with keys that came or went, the first ones apart
	// Demands are calls that asked for a key that was not there and could cause a
	// refresh; Throttled are those for which there was no budget at that moment.
	Demands   uint64 `json:"demands"`
	Throttled uint64 `json:"throttled"`
}

// Status returns the state of the set at this moment.
func (s *Set) Status() Status {
	now := time.Now()
	status := Status{
		Issuer:     s.issuer,
		Clock:      s.clock.Offset(),
		ClockWrong: s.clock.Wrong(s.tolerance),
		Keys:       []KeyStatus{},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status.TokenIssuer = s.TokenIssuer()
	st := &s.state
	status.Ready = s.usable(now)
	status.Closed = st.closed
	status.MetadataURL, status.KeysURL = st.metadataURL, st.keysURL
	status.LastSuccess = st.succeeded
	if !st.succeeded.IsZero() {
		status.Age = now.Round(0).Sub(st.succeeded.Round(0)) // also while the host slept
		if s.staleness > 0 {
			status.StaleAt = st.succeeded.Add(s.staleness)
		}
	}
	status.LastAttempt = st.attempted
	if s.source != nil && !st.closed {
		status.NextRefresh = st.due
	}
	status.Failures = st.failures
	status.LastError, status.LastErrorTime = st.latestError, st.lastErrorAt
	if st.outdated != nil {
		status.MetadataError = st.outdated.Error()
	}
	status.Skipped = slices.Clone(st.skipped)
	status.Counts = st.counts
	if snap := s.snap.Load(); snap != nil {
		for _, key := range snap.keys {
			status.Keys = append(status.Keys, KeyStatus{key.id, key.alg})
		}
	}
	return status
}
