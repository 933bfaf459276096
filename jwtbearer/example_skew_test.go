package jwtbearer_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// What the README says of the clock skew: it is a tolerance, so that a token of
// 60 s with a skew of 1 minute is accepted for 120 s; and it is not an interval
// between checks, so that the token is refused in the second after.
func TestClockSkewIsATolerance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		policy, err := issuer.Verifier(t, nil).Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		token := issuer.Token("api1", jwtbearertest.ExpiresIn(60*time.Second))
		issued := time.Now()
		for _, at := range []struct {
			age  time.Duration
			want error
		}{
			{0, nil},
			{59 * time.Second, nil},
			{61 * time.Second, nil},
			{120*time.Second - time.Nanosecond, nil},
			{120 * time.Second, jwtbearer.ErrExpired},
			{121 * time.Second, jwtbearer.ErrExpired},
		} {
			time.Sleep(time.Until(issued.Add(at.age)))
			if _, err := policy.Verify(t.Context(), token); !errors.Is(err, at.want) {
				t.Errorf("after %v: got %v, want %v", at.age, err, at.want)
			}
		}
	})
}
