package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// TestRevocationsLastForTheLongest: who revokes again with less does not take away
// what was revoked before, and a token is not revoked by what it does not say.
func TestRevocationsLastForTheLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemoryRevocations(0)
		revoke := func(kind session.RevocationKind, value string, life time.Duration) {
			t.Helper()
			r := session.Revocation{Kind: kind, Issuer: issuer, Value: value, Before: time.Now().Add(time.Hour), Until: time.Now().Add(life)}
			if err := m.Revoke(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		wants := func(what string, p session.Presented, want bool) {
			t.Helper()
			p.Issuer, p.IssuedAt, p.At = issuer, time.Now(), time.Now()
			if got, err := m.Revoked(t.Context(), p); err != nil || got != want {
				t.Errorf("%s: got %v, error %v, want %v", what, got, err, want)
			}
		}
		revoke(session.RevokedToken, "j", time.Hour)
		revoke(session.RevokedToken, "j", time.Minute)
		revoke(session.RevokedSubject, "", time.Hour)
		wants("a token without a subject", session.Presented{ID: "other"}, false)
		time.Sleep(2 * time.Minute)
		revoke(session.RevokedToken, "another", time.Hour) // removes what has ended
		wants("revoked for an hour, and then for a minute", session.Presented{ID: "j"}, true)
		time.Sleep(time.Hour)
		wants("after an hour", session.Presented{ID: "j"}, false)
	})
}
