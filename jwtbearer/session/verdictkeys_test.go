package session_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// TestVerdictsAreOfOneToken: that one token was not revoked says nothing about
// another one that differs in anything a revocation can name.
func TestVerdictsAreOfOneToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuedAt := time.Now()
		good := session.Presented{Issuer: issuer, ID: "j", Subject: "u", ClientID: "c", IssuedAt: issuedAt}
		for name, test := range map[string]struct {
			revoked session.Revocation
			token   session.Presented
		}{
			"of the jti":     {session.Revocation{Kind: session.RevokedToken, Issuer: issuer, Value: "j2"}, session.Presented{Issuer: issuer, ID: "j2", Subject: "u", ClientID: "c", IssuedAt: issuedAt}},
			"of the subject": {session.Revocation{Kind: session.RevokedSubject, Issuer: issuer, Value: "u2", Before: issuedAt.Add(time.Hour)}, session.Presented{Issuer: issuer, ID: "j", Subject: "u2", ClientID: "c", IssuedAt: issuedAt}},
			"of the client":  {session.Revocation{Kind: session.RevokedClient, Issuer: issuer, Value: "c2", Before: issuedAt.Add(time.Hour)}, session.Presented{Issuer: issuer, ID: "j", Subject: "u", ClientID: "c2", IssuedAt: issuedAt}},
			"of the instant": {session.Revocation{Kind: session.RevokedSubject, Issuer: issuer, Value: "u", Before: issuedAt}, session.Presented{Issuer: issuer, ID: "j", Subject: "u", ClientID: "c", IssuedAt: issuedAt.Add(-1)}},
			"of the issuer":  {session.Revocation{Kind: session.RevokedToken, Issuer: "https://other.test", Value: "j"}, session.Presented{Issuer: "https://other.test", ID: "j", Subject: "u", ClientID: "c", IssuedAt: issuedAt}},
		} {
			store := &countingRevocations{RevocationStore: session.NewMemoryRevocations(0)}
			v := newRevocations(t, store, nil)
			test.revoked.Until = time.Now().Add(time.Hour)
			if err := store.Revoke(t.Context(), test.revoked); err != nil {
				t.Fatal(err)
			}
			if err := v.CheckPresented(t.Context(), good); err != nil {
				t.Errorf("%s: the good token: %v", name, err)
			}
			if err := v.CheckPresented(t.Context(), test.token); !errors.Is(err, jwtbearer.ErrRevoked) {
				t.Errorf("%s: got %v, want ErrRevoked", name, err)
			}
		}
	})
}
