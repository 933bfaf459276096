package session_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// TestEndOfASubjectIsRemembered: old tokens bring back none of the sessions that
// were ended with the subject, however many other subjects are ended meanwhile, and
// also where the authority's clock is ahead.
func TestEndOfASubjectIsRemembered(t *testing.T) {
	const remember = time.Hour
	for name, ahead := range map[string]time.Duration{"now": 0, "ahead": 2 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := session.NewMemory(&session.MemoryOptions{RememberEnded: remember})
				ended := time.Now().Add(ahead)
				if _, err := m.RevokeSubject(t.Context(), "i", "u", ended); err != nil {
					t.Fatal(err)
				}
				adopted := func(id string, issuedAt time.Time) bool {
					t.Helper()
					state, err := m.Check(t.Context(), session.Access{
						Key: session.Key{Issuer: "i", ID: id}, At: time.Now(), IssuedAt: issuedAt, Adopt: true, Subject: "u", KeepAccess: time.Minute,
					})
					if err != nil {
						t.Fatal(err)
					}
					return state.Alive
				}
				for i := range 4 {
					time.Sleep((ahead+remember)/4 - time.Second)
					for j := range 2000 { // some in every shard, of which what may be forgotten is removed
						if _, err := m.RevokeSubject(t.Context(), "i", fmt.Sprint(i, "-", j), time.Now()); err != nil {
							t.Fatal(err)
						}
					}
					if id := fmt.Sprint("s", i); adopted(id, ended) {
						t.Errorf("%v later: a session was adopted from a token of before", time.Duration(i+1)*((ahead+remember)/4-time.Second))
					}
				}
				if !adopted("later", ended.Add(time.Second)) {
					t.Error("a session of a later sign-in was not adopted")
				}
			})
		})
	}
}

// TestFarTimes: what no int64 of nanoseconds holds is far away, and nothing else.
func TestFarTimes(t *testing.T) {
	m := session.NewMemory(nil)
	for year, alive := range map[int]bool{2261: true, 2262: true, 2500: true, 9999: true, 1600: false, 1677: false} {
		id := fmt.Sprint(year)
		if err := m.Put(t.Context(), session.Session{Issuer: "i", ID: id, Expires: time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)}); err != nil {
			t.Fatal(err)
		}
		state, err := m.Check(t.Context(), session.Access{Key: session.Key{Issuer: "i", ID: id}, At: time.Now(), KeepAccess: time.Minute})
		if err != nil || state.Alive != alive {
			t.Errorf("a session until %d: got alive %v, error %v, want %v", year, state.Alive, err, alive)
		}
	}
}
