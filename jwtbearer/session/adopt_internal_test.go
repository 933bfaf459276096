package session

import (
	"testing"
	"time"
)

// TestAdoptAfterRevoke: a session that is revoked between the look at it and its
// adoption stays revoked. Nothing outside the package can get in between.
func TestAdoptAfterRevoke(t *testing.T) {
	m := NewMemory(nil)
	a := Access{Key: Key{"i", "s"}, At: time.Now(), IssuedAt: time.Now(), Subject: "u", KeepAccess: time.Minute, Adopt: true}
	if err := m.Revoke(t.Context(), a.Key); err != nil {
		t.Fatal(err)
	}
	if state, err := m.adopt(a); err != nil || state.Alive {
		t.Errorf("adopted: got %+v, error %v, want a session that is gone", state, err)
	}
	if state, err := m.Check(t.Context(), a); err != nil || state.Alive {
		t.Errorf("checked: got %+v, error %v, want a session that is gone", state, err)
	}
}
