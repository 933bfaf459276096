package session_test

import (
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// TestReplaysAreOfOneIssuer: an authority chooses the identifiers of its own logout
// tokens, and must not be able to use up those of another one.
func TestReplaysAreOfOneIssuer(t *testing.T) {
	replays := session.NewMemoryReplays()
	if err := replays.MarkUsed(t.Context(), "https://a.test/x", "y:1", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		issuer, id string
		want       bool
	}{
		{"https://a.test/x", "y:1", true},
		{"https://a.test/x", "y:2", false},
		{"https://b.test/x", "y:1", false},
		{"https://a.test/xy", ":1", false},
		{"https://a.test/", "xy:1", false},
	} {
		if got, err := replays.Used(t.Context(), tt.issuer, tt.id); err != nil || got != tt.want {
			t.Errorf("%s of %s: got %v, error %v, want %v", tt.id, tt.issuer, got, err, tt.want)
		}
	}
}
