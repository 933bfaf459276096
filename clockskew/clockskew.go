// Package clockskew decides whether a token is alive at an instant, and
// measures how far this host's clock is from its authority's.
//
// Nothing in it reads a clock: every function is pure in (claims, now,
// tolerance), so that one decision sees one instant and tests need no clock of
// their own.
//
// # Tolerance
//
// A tolerance makes up for clocks that disagree. RFC 7519, Section 4.1.4 allows
// "some small leeway, usually no more than a few minutes". It widens the life of
// a token at both ends; it is not an interval at which tokens are checked. An
// access token that lives for 60 seconds, checked with a tolerance of one
// minute, is accepted for 120 seconds.
//
// # Boundaries
//
// At the very instant that a claim names:
//
//   - exp equal to now is expired, and so is exp + tolerance equal to now: the
//     token is good strictly before that instant (RFC 7519, Section 4.1.4: "on or
//     after which the JWT MUST NOT be accepted").
//   - nbf equal to now is valid, and so is nbf - tolerance equal to now
//     (RFC 7519, Section 4.1.5: "before which the JWT MUST NOT be accepted").
//   - iat is treated as nbf is: a token from the future is refused.
//   - an age that equals the maximum age plus tolerance is young enough.
package clockskew

import (
	"errors"
	"math"
	"time"
)

const (
	// DefaultTolerance is the tolerance that suits most systems.
	DefaultTolerance = time.Minute
	// MaxTolerance is the largest tolerance. RFC 7519, Section 4.1.4 speaks of
	// "no more than a few minutes"; whoever needs more has a clock to repair.
	MaxTolerance = 10 * time.Minute
)

// The reasons for which a token is not alive. Compare with [errors.Is].
var (
	// ErrNoExpiry is returned by [Check] for a token without exp. Such a token
	// would live until its key is retired.
	ErrNoExpiry = errors.New("clockskew: no expiration time")
	// ErrExpired is returned by [Check] from exp + tolerance on.
	ErrExpired = errors.New("clockskew: expired")
	// ErrNotYetValid is returned by [Check] before nbf - tolerance.
	ErrNotYetValid = errors.New("clockskew: not valid yet")
	// ErrIssuedInFuture is returned by [Check] before iat - tolerance.
	ErrIssuedInFuture = errors.New("clockskew: issued in the future")
	// ErrNoIssuedAt is returned by [CheckAge] for a token without iat: its age
	// cannot be told.
	ErrNoIssuedAt = errors.New("clockskew: no issue time")
	// ErrTooOld is returned by [CheckAge] for an age beyond the maximum.
	ErrTooOld = errors.New("clockskew: older than the maximum age")
)

// Times are the time claims of a token (RFC 7519, Sections 4.1.4 to 4.1.6).
//
// The zero [time.Time] is an absent claim. The NumericDate -62135596800, which
// is the first second of year 1, is the zero Time and so counts as absent; no
// decision differs by that: as exp it is refused either way, as nbf or iat it
// holds nothing back, and [CheckAge] refuses both.
type Times struct {
	Expiry    time.Time // exp; required by [Check]
	NotBefore time.Time // nbf; optional
	IssuedAt  time.Time // iat; optional
}

// Check reports whether a token is alive at now, give or take tolerance: nil if
// it is, else [ErrNoExpiry], [ErrExpired], [ErrNotYetValid] or
// [ErrIssuedInFuture], the first that applies in this order. It returns these
// very values, wrapped in nothing.
//
// A tolerance below 0 counts as 0 and one above [MaxTolerance] as MaxTolerance.
// The instants may be any at all: nothing overflows, whatever a token claims.
// Check allocates nothing.
func Check(t Times, now time.Time, tolerance time.Duration) error {
	tolerance = clamp(tolerance)
	switch {
	case t.Expiry.IsZero():
		return ErrNoExpiry
	case !now.Before(t.Expiry) && now.Sub(t.Expiry) >= tolerance:
		return ErrExpired
	case !t.NotBefore.IsZero() && early(now, t.NotBefore, tolerance):
		return ErrNotYetValid
	case !t.IssuedAt.IsZero() && early(now, t.IssuedAt, tolerance):
		return ErrIssuedInFuture
	}
	return nil
}

// CheckAge reports whether a token issued at issuedAt is at most maxAge old at
// now, give or take tolerance: nil if it is, else [ErrNoIssuedAt] for the zero
// issuedAt, or [ErrTooOld]. An issuedAt in the future is not too old; [Check]
// refuses it.
//
// A tolerance below 0 counts as 0 and one above [MaxTolerance] as MaxTolerance.
// With a maxAge below 0 every token is too old. So is, for any maxAge, a token
// whose age is more than a [time.Duration] holds (292 years). CheckAge
// allocates nothing.
func CheckAge(issuedAt, now time.Time, maxAge, tolerance time.Duration) error {
	if issuedAt.IsZero() {
		return ErrNoIssuedAt
	}
	if maxAge < 0 {
		return ErrTooOld
	}
	if now.Before(issuedAt) {
		return nil
	}
	// The tolerance is deducted from the age, which is not negative here, since
	// maxAge + tolerance could overflow.
	age := now.Sub(issuedAt)
	if age == math.MaxInt64 || age-clamp(tolerance) > maxAge {
		return ErrTooOld
	}
	return nil
}

// early reports whether now is before start by more than tolerance.
//
// Instants are subtracted, here and in Check, and tolerance is added to
// neither: [time.Time.Sub] stops at the ends of Duration, where a sum of a far
// instant and a tolerance would stop at the end of Time and shift the boundary.
func early(now, start time.Time, tolerance time.Duration) bool {
	return now.Before(start) && start.Sub(now) > tolerance
}

// clamp brings tolerance into 0..MaxTolerance.
func clamp(tolerance time.Duration) time.Duration {
	return min(max(tolerance, 0), MaxTolerance)
}
