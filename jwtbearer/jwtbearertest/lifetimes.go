package jwtbearertest

import (
	"cmp"
	"fmt"
	"time"
)

// Lifetimes are how long things live. In Options a zero field means the default
// that it names; in a Client it means what the issuer's Options say.
type Lifetimes struct {
	// AccessToken is how long an access token lives: 1 second to 24 hours, 60
	// seconds by default.
	AccessToken time.Duration
	// IDToken is how long an ID token lives: 1 second to 24 hours, 20 minutes by
	// default.
	IDToken time.Duration
	// Code is how long an authorization code can be redeemed: 1 second to 10
	// minutes (RFC 6749, Section 4.1.2), 5 minutes by default.
	Code time.Duration
	// RefreshToken is how long a refresh token lives unused: 1 second to 365 days, and
	// not more than RefreshTokenAbsolute; 14 days by default, or RefreshTokenAbsolute
	// if that is shorter. It does not matter in a Client with [AbsoluteExpiry].
	RefreshToken time.Duration
	// RefreshTokenAbsolute is how long after the sign-in refreshing ends, however
	// often it was done: 1 second to 365 days, 30 days by default.
	RefreshTokenAbsolute time.Duration
}

const day = 24 * time.Hour

var defaultLifetimes = Lifetimes{
	AccessToken:          time.Minute,
	IDToken:              20 * time.Minute,
	Code:                 5 * time.Minute,
	RefreshToken:         14 * day,
	RefreshTokenAbsolute: 30 * day,
}

// over fills in the zero fields of l from those of below.
func (l Lifetimes) over(below Lifetimes) Lifetimes {
	absolute := cmp.Or(l.RefreshTokenAbsolute, below.RefreshTokenAbsolute)
	return Lifetimes{
		AccessToken:          cmp.Or(l.AccessToken, below.AccessToken),
		IDToken:              cmp.Or(l.IDToken, below.IDToken),
		Code:                 cmp.Or(l.Code, below.Code),
		RefreshToken:         cmp.Or(l.RefreshToken, min(below.RefreshToken, absolute)),
		RefreshTokenAbsolute: absolute,
	}
}

// check refuses complete lifetimes that are out of bounds; where names the struct
// in the error.
func (l Lifetimes) check(where string) error {
	for _, field := range []struct {
		name     string
		value    time.Duration
		greatest time.Duration
	}{
		{"AccessToken", l.AccessToken, day},
		{"IDToken", l.IDToken, day},
		{"Code", l.Code, 10 * time.Minute},
		// It comes first because RefreshToken may have it for a default.
		{"RefreshTokenAbsolute", l.RefreshTokenAbsolute, 365 * day},
		{"RefreshToken", l.RefreshToken, 365 * day},
	} {
		if field.value < time.Second || field.value > field.greatest {
			return fmt.Errorf("jwtbearertest: %s.%s is %v: use %v to %v", where, field.name, field.value, time.Second, field.greatest)
		}
	}
	return nil
}

// checkSliding refuses complete lifetimes that contradict each other under
// SlidingExpiry.
func (l Lifetimes) checkSliding(where string) error {
	if l.RefreshToken > l.RefreshTokenAbsolute {
		return fmt.Errorf("jwtbearertest: %s.RefreshToken is %v, longer than RefreshTokenAbsolute, %v: use at most that", where, l.RefreshToken, l.RefreshTokenAbsolute)
	}
	return nil
}
