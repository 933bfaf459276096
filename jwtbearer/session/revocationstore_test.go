package session_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// TestRevocationStoreSaysNothingOfTheToken: whatever the error of a store wraps, it
// is no verdict.
func TestRevocationStoreSaysNothingOfTheToken(t *testing.T) {
	for _, wrapped := range []error{jwtbearer.ErrInvalidToken, jwtbearer.ErrRevoked, jwtbearer.ErrInsufficientScope} {
		store := &countingRevocations{RevocationStore: session.NewMemoryRevocations(0), err: fmt.Errorf("store: %w", wrapped)}
		err := newRevocations(t, store, nil).CheckPresented(t.Context(), session.Presented{Issuer: issuer, ID: "j"})
		if !isUnknown(err) {
			t.Errorf("a store that returns %v: got %v, want an error of no class", wrapped, err)
		}
	}
}

// hangingRevocations is a store that answers nobody.
type hangingRevocations struct{ session.RevocationStore }

func (hangingRevocations) Revoked(ctx context.Context, _ session.Presented) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func TestHangingRevocationStoreIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newRevocations(t, hangingRevocations{session.NewMemoryRevocations(0)}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if err := v.CheckPresented(ctx, session.Presented{Issuer: issuer, ID: "j"}); !isUnknown(err) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want an error of no class", err)
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("took %v, want 2s", d)
		}
	})
}
