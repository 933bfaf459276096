package session_test

import (
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// TestVerdictsWhenTheClockIsSetBack: a verdict is not believed longer for it.
func TestVerdictsWhenTheClockIsSetBack(t *testing.T) {
	const life = 5 * time.Second
	start := time.Unix(1_700_000_000, 0)
	v := session.NewVerdicts(life)
	v.Put("a", start)
	for after, want := range map[time.Duration]bool{
		0:                      true,
		life - time.Nanosecond: true,
		life:                   false,
		-time.Nanosecond:       false,
		-time.Hour:             false,
	} {
		if got := v.Good("a", start.Add(after)); got != want {
			t.Errorf("%v after the verdict: got %v, want %v", after, got, want)
		}
	}
	back := start.Add(-time.Hour)
	v.Put("a", back)
	if !v.Good("a", back) || v.Good("a", back.Add(life)) {
		t.Error("a verdict by the new time: want it to be believed for its life")
	}
}
