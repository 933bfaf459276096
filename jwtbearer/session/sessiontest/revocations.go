package sessiontest

import (
	"context"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// TestRevocationStore runs the conformance tests of [session.RevocationStore].
// open returns an empty store that is ready for use, as for [TestStore].
func TestRevocationStore(t *testing.T, open func(t *testing.T) session.RevocationStore) {
	start := now()
	until := start.Add(time.Hour)
	token := session.Presented{Issuer: issuer, ID: "j1", Subject: "u", ClientID: "app", IssuedAt: start, At: start}
	with := func(change func(*session.Presented)) session.Presented {
		p := token
		change(&p)
		return p
	}
	tests := []struct {
		name    string
		revoke  []session.Revocation
		token   session.Presented
		revoked bool
	}{
		{"nothing revoked", nil, token, false},
		{"its identifier", []session.Revocation{{Kind: session.RevokedToken, Value: "j1"}}, token, true},
		{"another identifier", []session.Revocation{{Kind: session.RevokedToken, Value: "j2"}}, token, false},
		{"no identifier", []session.Revocation{{Kind: session.RevokedToken, Value: "j1"}}, with(func(p *session.Presented) { p.ID = "" }), false},
		{"an identifier equal to a subject", []session.Revocation{{Kind: session.RevokedToken, Value: "u"}}, token, false},
		{"another issuer", []session.Revocation{{Kind: session.RevokedToken, Value: "j1"}}, with(func(p *session.Presented) { p.Issuer = "https://other.example.com" }), false},
		{"subject, issued before", []session.Revocation{{Kind: session.RevokedSubject, Value: "u", Before: start.Add(tick)}}, token, true},
		{"subject, issued at the instant", []session.Revocation{{Kind: session.RevokedSubject, Value: "u", Before: start}}, token, false},
		{"subject, issued after", []session.Revocation{{Kind: session.RevokedSubject, Value: "u", Before: start.Add(-tick)}}, token, false},
		{"subject, no issue time", []session.Revocation{{Kind: session.RevokedSubject, Value: "u", Before: start}}, with(func(p *session.Presented) { p.IssuedAt = time.Time{} }), true},
		{"another subject", []session.Revocation{{Kind: session.RevokedSubject, Value: "v", Before: start.Add(tick)}}, token, false},
		{"client, issued before", []session.Revocation{{Kind: session.RevokedClient, Value: "app", Before: start.Add(tick)}}, token, true},
		{"client, issued at the instant", []session.Revocation{{Kind: session.RevokedClient, Value: "app", Before: start}}, token, false},
		{"another client", []session.Revocation{{Kind: session.RevokedClient, Value: "other", Before: start.Add(tick)}}, token, false},
		{"an earlier instant does not undo a later one", []session.Revocation{
			{Kind: session.RevokedSubject, Value: "u", Before: start.Add(tick)},
			{Kind: session.RevokedSubject, Value: "u", Before: start.Add(-time.Hour)},
		}, token, true},
		{"a later instant counts", []session.Revocation{
			{Kind: session.RevokedSubject, Value: "u", Before: start.Add(-time.Hour)},
			{Kind: session.RevokedSubject, Value: "u", Before: start.Add(tick)},
		}, token, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := open(t)
			for _, r := range test.revoke {
				r.Issuer, r.Until = issuer, until
				if err := s.Revoke(t.Context(), r); err != nil {
					t.Fatalf("Revoke: %v", err)
				}
			}
			got, err := s.Revoked(t.Context(), test.token)
			if err != nil || got != test.revoked {
				t.Errorf("Revoked: got %v, error %v, want %v", got, err, test.revoked)
			}
		})
	}

	t.Run("watch", func(t *testing.T) {
		s := open(t)
		w, ok := s.(session.Watcher)
		if !ok {
			t.Log("the store pushes no revocations")
			return
		}
		told := make(chan struct{}, 16)
		defer w.Watch(session.Watch{Revoked: func() { told <- struct{}{} }})()
		if err := s.Revoke(t.Context(), session.Revocation{Kind: session.RevokedToken, Issuer: issuer, Value: "j1", Until: until}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-told:
		default:
			t.Error("the revocation was not told to a watcher in the same process")
		}
	})

	t.Run("cancelled context", func(t *testing.T) {
		s := open(t)
		if _, local := s.(*session.MemoryRevocations); local {
			return // does not wait for anything
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Revoked(ctx, token); err == nil {
			t.Error("Revoked: got no error, want one")
		}
	})
}
