// Package sessiontest checks implementations of the stores of package session
// against their contracts.
package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

const (
	issuer = "https://id.example.com"
	keep   = time.Minute
	syncs  = 10 * time.Minute
	tick   = time.Microsecond // stores may round times to it
)

// access is a check of session id at an instant.
func access(id string, at time.Time) session.Access {
	return session.Access{
		Key: session.Key{Issuer: issuer, ID: id}, At: at, Address: "192.0.2.1",
		KeepAccess: keep, SyncInterval: syncs, IssuedAt: at,
	}
}

func adopting(id, subject string, at time.Time) session.Access {
	a := access(id, at)
	a.Adopt, a.Subject, a.ClientID, a.Tenant = true, subject, "app", "t1"
	return a
}

// TestStore runs the conformance tests of [session.Store]. open returns an
// empty store that is ready for use; it is called once for each test, and may
// register clean-up with t. Times given to the store lie up to a day from now.
func TestStore(t *testing.T, open func(t *testing.T) session.Store) {
	tests := []struct {
		name string
		test func(t *testing.T, s session.Store)
	}{
		{"absent is gone", testAbsent},
		{"issuers do not share sessions", testIssuers},
		{"touch once past KeepAccess", testTouch},
		{"one touch of many", testConcurrentTouch},
		{"sync measured from the last sync", testSync},
		{"sync behind others who want no events", testSyncBehindOthers},
		{"revoked stays revoked", testRevoked},
		{"revoke during touches", testRevokeDuringTouches},
		{"expiry", testExpiry},
		{"idle", testIdle},
		{"touches keep a session on its subject's list", testTouchKeepsListed},
		{"adopt", testAdopt},
		{"adopt after revoke", testAdoptRevoked},
		{"adopt after the subject's sessions were revoked", testAdoptSubject},
		{"adopt during revoke", testAdoptDuringRevoke},
		{"one adoption of many", testConcurrentAdopt},
		{"revoke a subject", testRevokeSubject},
		{"list", testList},
		{"put replaces", testReplace},
		{"odd names", testOddNames},
		{"watch", testWatch},
		{"cancelled context", testCancelled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.test(t, open(t)) })
	}
}

func put(t *testing.T, s session.Store, v session.Session) {
	t.Helper()
	if err := s.Put(t.Context(), v); err != nil {
		t.Fatalf("Put(%q): %v", v.ID, err)
	}
}

func check(t *testing.T, s session.Store, a session.Access) session.State {
	t.Helper()
	state, err := s.Check(t.Context(), a)
	if err != nil {
		t.Fatalf("Check(%q): %v", a.Key.ID, err)
	}
	return state
}

func wantAlive(t *testing.T, s session.Store, a session.Access, alive bool) {
	t.Helper()
	if got := check(t, s, a).Alive; got != alive {
		t.Errorf("session %q: got alive %v, want %v", a.Key.ID, got, alive)
	}
}

func now() time.Time { return time.Now().Truncate(tick) }

func testAbsent(t *testing.T, s session.Store) {
	if state := check(t, s, access("none", now())); state != (session.State{}) {
		t.Errorf("absent session: got %+v, want the zero State", state)
	}
}

func testIssuers(t *testing.T, s session.Store) {
	put(t, s, session.Session{Issuer: issuer, ID: "a", Subject: "u"})
	other := access("a", now())
	other.Key.Issuer = "https://other.example.com"
	wantAlive(t, s, access("a", now()), true)
	wantAlive(t, s, other, false)
	if err := s.Revoke(t.Context(), other.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RevokeSubject(t.Context(), other.Key.Issuer, "u", now()); err != nil {
		t.Fatal(err)
	}
	wantAlive(t, s, access("a", now()), true)
}

func testTouch(t *testing.T, s session.Store) {
	start := now()
	put(t, s, session.Session{Issuer: issuer, ID: "a", Created: start, LastAccess: start})
	for _, step := range []struct {
		after   time.Duration
		touched bool
	}{
		{tick, false},
		{keep - tick, false},
		{keep, false}, // exactly at the span: no write
		{keep + tick, true},
		{keep + 2*tick, false},
		{2*keep + tick, false},
		{2*keep + 2*tick, true},
		{keep, false}, // a clock that was set back writes nothing
	} {
		state := check(t, s, access("a", start.Add(step.after)))
		if !state.Alive || state.Touched != step.touched {
			t.Errorf("after %v: got alive %v, touched %v, want alive and touched %v", step.after, state.Alive, state.Touched, step.touched)
		}
	}
	state := check(t, s, access("a", start.Add(2*keep+3*tick)))
	if want := start.Add(2*keep + 2*tick); !state.LastAccess.Equal(want) {
		t.Errorf("last access: got %v, want %v", state.LastAccess, want)
	}
}

func testConcurrentTouch(t *testing.T, s session.Store) {
	start := now()
	put(t, s, session.Session{Issuer: issuer, ID: "a", Created: start, LastAccess: start, LastSync: start})
	var touched, due atomic.Int64
	at := start.Add(syncs + tick)
	parallel(100, func(int) {
		state, err := s.Check(t.Context(), access("a", at))
		if err != nil || !state.Alive {
			t.Errorf("got alive %v, error %v, want alive", state.Alive, err)
		}
		if state.Touched {
			touched.Add(1)
		}
		if state.SyncDue {
			due.Add(1)
		}
	})
	if touched.Load() != 1 || due.Load() != 1 {
		t.Errorf("100 parallel checks: got %d touches and %d syncs, want one each", touched.Load(), due.Load())
	}
}

func parallel(n int, f func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}

func testSync(t *testing.T, s session.Store) {
	start := now()
	put(t, s, session.Session{Issuer: issuer, ID: "a", Tenant: "t1", Created: start, LastAccess: start})
	var due []time.Duration
	for after := time.Duration(0); after <= 25*time.Minute; after += 30 * time.Second {
		if state := check(t, s, access("a", start.Add(after))); state.SyncDue {
			due = append(due, after)
			if state.Tenant != "t1" {
				t.Errorf("tenant: got %q, want t1", state.Tenant)
			}
		}
	}
	// Accesses are recorded every 90 s: the first one more than ten minutes
	// after the last sync claims the next.
	if want := []time.Duration{630 * time.Second, 1260 * time.Second}; !slices.Equal(due, want) {
		t.Errorf("syncs: got %v, want %v", due, want)
	}

	put(t, s, session.Session{Issuer: issuer, ID: "b", Created: start, LastAccess: start.Add(syncs - keep - tick), LastSync: start})
	if state := check(t, s, access("b", start.Add(syncs))); !state.Touched || state.SyncDue {
		t.Errorf("exactly at the interval: got touched %v, sync %v, want a touch alone", state.Touched, state.SyncDue)
	}
	put(t, s, session.Session{Issuer: issuer, ID: "c", Created: start, LastAccess: start.Add(syncs - keep - tick), LastSync: start})
	if state := check(t, s, access("c", start.Add(syncs+tick))); !state.SyncDue {
		t.Error("just past the interval: got no sync, want one")
	}
}

// testSyncBehindOthers: those who want no events, and ask first each time, take
// none from those who do.
func testSyncBehindOthers(t *testing.T, s session.Store) {
	start := now()
	put(t, s, session.Session{Issuer: issuer, ID: "a", Tenant: "t1", Created: start, LastAccess: start})
	var due []time.Duration
	for after := time.Duration(0); after <= 25*time.Minute; after += 2 * keep {
		first := access("a", start.Add(after))
		first.SyncInterval = math.MaxInt64
		if state := check(t, s, first); state.SyncDue || state.Touched != (after > 0) {
			t.Errorf("after %v, without events: got sync %v, touched %v, want no sync, touched %v", after, state.SyncDue, state.Touched, after > 0)
		}
		state := check(t, s, access("a", start.Add(after+tick)))
		if state.Touched {
			t.Errorf("after %v: got a touch, want none so soon", after)
		}
		if state.SyncDue {
			due = append(due, after)
			if state.Tenant != "t1" {
				t.Errorf("tenant: got %q, want t1", state.Tenant)
			}
		}
	}
	if want := []time.Duration{10 * time.Minute, 22 * time.Minute}; !slices.Equal(due, want) {
		t.Errorf("syncs: got %v, want %v", due, want)
	}
}

func testRevoked(t *testing.T, s session.Store) {
	put(t, s, session.Session{Issuer: issuer, ID: "a", Subject: "u"})
	put(t, s, session.Session{Issuer: issuer, ID: "b", Subject: "u"})
	for range 2 { // revoking twice is no error
		if err := s.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "a"}, session.Key{Issuer: issuer, ID: "unseen"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Revoke(t.Context()); err != nil {
		t.Errorf("revoking nothing: %v", err)
	}
	for _, key := range []session.Key{{}, {Issuer: issuer}, {ID: "b"}} { // of a token without a session, say
		if err := s.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "b"}, key); !errors.Is(err, session.ErrNoKey) {
			t.Errorf("revoking %+v: got error %v, want ErrNoKey", key, err)
		}
		if err := s.Put(t.Context(), session.Session{Issuer: key.Issuer, ID: key.ID}); !errors.Is(err, session.ErrNoKey) {
			t.Errorf("Put of %+v: got error %v, want ErrNoKey", key, err)
		}
	}
	wantAlive(t, s, access("a", now()), false)
	wantAlive(t, s, access("a", now().Add(2*keep)), false)
	wantAlive(t, s, access("b", now()), true)
	for _, id := range []string{"a", "unseen"} {
		if err := s.Put(t.Context(), session.Session{Issuer: issuer, ID: id}); !errors.Is(err, session.ErrEnded) {
			t.Errorf("Put of the revoked session %q: got error %v, want ErrEnded", id, err)
		}
		wantAlive(t, s, access(id, now()), false)
	}
}

func testRevokeDuringTouches(t *testing.T, s session.Store) {
	start := now()
	for round := range 20 {
		id := fmt.Sprint("r", round)
		put(t, s, session.Session{Issuer: issuer, ID: id, Subject: "u", Created: start, LastAccess: start})
		parallel(8, func(i int) {
			if i == 4 {
				if err := s.Revoke(t.Context(), session.Key{Issuer: issuer, ID: id}); err != nil {
					t.Error(err)
				}
			}
			// Each of these wants to write.
			if _, err := s.Check(t.Context(), access(id, start.Add(time.Duration(i+2)*2*keep))); err != nil {
				t.Error(err)
			}
		})
		wantAlive(t, s, access(id, start.Add(40*keep)), false)
	}
}

func testExpiry(t *testing.T, s session.Store) {
	start := now()
	expires := start.Add(time.Hour)
	put(t, s, session.Session{Issuer: issuer, ID: "a", Created: start, LastAccess: start, Expires: expires})
	state := check(t, s, access("a", start.Add(30*time.Minute)))
	if !state.Alive || !state.Touched || !state.Expires.Equal(expires) {
		t.Errorf("before expiry: got %+v, want alive, touched, expiring %v", state, expires)
	}
	// The touch did not move the end.
	wantAlive(t, s, access("a", expires.Add(-tick)), true)
	wantAlive(t, s, access("a", expires), false)
	wantAlive(t, s, access("a", expires.Add(time.Hour)), false)
}

func testIdle(t *testing.T, s session.Store) {
	limit, ok := s.(interface{ IdleTimeout() time.Duration })
	if !ok {
		t.Log("the store has no idle timeout")
		return
	}
	idle := limit.IdleTimeout()
	start := now()
	put(t, s, session.Session{Issuer: issuer, ID: "a", Subject: "u", Created: start, LastAccess: start})
	put(t, s, session.Session{Issuer: issuer, ID: "b", Subject: "u", Created: start, LastAccess: start})
	wantAlive(t, s, access("b", start.Add(idle)), true) // and touched
	wantAlive(t, s, access("a", start.Add(idle+tick)), false)
	wantAlive(t, s, access("b", start.Add(2*idle)), true)
}

func testTouchKeepsListed(t *testing.T, s session.Store) {
	limit, ok := s.(interface{ IdleTimeout() time.Duration })
	if !ok {
		t.Log("the store has no idle timeout")
		return
	}
	start, step := now(), limit.IdleTimeout()*9/10
	put(t, s, session.Session{Issuer: issuer, ID: "a", Subject: "u", Created: start, LastAccess: start})
	at := start
	for range 3 {
		at = at.Add(step)
		a := access("a", at)
		a.Subject = "u"
		wantAlive(t, s, a, true)
	}
	wantAlive(t, s, adopting("b", "u", at), true) // and the list is put in order
	if _, err := s.RevokeSubject(t.Context(), issuer, "u", now()); err != nil {
		t.Fatal(err)
	}
	wantAlive(t, s, access("a", at), false)
	wantAlive(t, s, access("b", at), false)
}

func testAdopt(t *testing.T, s session.Store) {
	start := now()
	state := check(t, s, adopting("a", "u", start))
	if !state.Alive || !state.LastAccess.Equal(start) || !state.Expires.IsZero() {
		t.Errorf("first sight: got %+v, want alive", state)
	}
	wantAlive(t, s, access("a", start.Add(keep)), true) // is stored now
	list, err := s.List(t.Context(), issuer, "u")
	if err != nil || len(list) != 1 || list[0].ClientID != "app" || list[0].Tenant != "t1" || list[0].Address != "192.0.2.1" {
		t.Errorf("List: got %+v, error %v, want the adopted session", list, err)
	}
	if state := check(t, s, adopting("nobody", "", start)); !state.Alive {
		t.Error("a token without a subject: got gone, want adopted")
	}
	// A session that was put with an end begins again at its next token.
	put(t, s, session.Session{Issuer: issuer, ID: "b", Subject: "u", Created: start, LastAccess: start, Expires: start.Add(time.Hour)})
	wantAlive(t, s, adopting("b", "u", start.Add(time.Hour-tick)), true)
	wantAlive(t, s, access("b", start.Add(time.Hour)), false)
	wantAlive(t, s, adopting("b", "u", start.Add(time.Hour)), true)
	wantAlive(t, s, access("b", start.Add(time.Hour)), true)
}

func testAdoptRevoked(t *testing.T, s session.Store) {
	at := now()
	wantAlive(t, s, adopting("a", "u", at), true)
	if err := s.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "a"}, session.Key{Issuer: issuer, ID: "unseen"}); err != nil {
		t.Fatal(err)
	}
	wantAlive(t, s, adopting("a", "u", at.Add(2*keep)), false)
	wantAlive(t, s, adopting("unseen", "u", at.Add(2*keep)), false)
	wantAlive(t, s, adopting("b", "u", at), true)
}

func testAdoptSubject(t *testing.T, s session.Store) {
	revoke := func(until time.Time) {
		t.Helper()
		if _, err := s.RevokeSubject(t.Context(), issuer, "u", until); err != nil {
			t.Fatal(err)
		}
	}
	revoke(now())
	at := now()
	old := adopting("unseen", "u", at)
	old.IssuedAt = at.Add(-time.Hour)
	wantAlive(t, s, old, false)
	undated := adopting("unseen", "u", at)
	undated.IssuedAt = time.Time{}
	wantAlive(t, s, undated, false)
	other := adopting("theirs", "v", at)
	other.IssuedAt = at.Add(-time.Hour)
	wantAlive(t, s, other, true)
	next := adopting("next", "u", at)
	next.IssuedAt = at.Add(2 * time.Second)
	wantAlive(t, s, next, true)
	// The issuer's clock is ahead.
	ahead := at.Add(20 * time.Second)
	revoke(ahead)
	late := adopting("late", "u", at)
	late.IssuedAt = ahead
	wantAlive(t, s, late, false)
	revoke(at) // does not undo it
	wantAlive(t, s, late, false)
	later := adopting("later", "u", at)
	later.IssuedAt = ahead.Add(tick)
	wantAlive(t, s, later, true)
	// A session that the store knows ends whatever its tokens say.
	revoke(at)
	wantAlive(t, s, later, false)
}

func testAdoptDuringRevoke(t *testing.T, s session.Store) {
	for round := range 20 {
		subject := fmt.Sprint("u", round)
		at := now()
		parallel(8, func(i int) {
			if i == 4 {
				if _, err := s.RevokeSubject(t.Context(), issuer, subject, now()); err != nil {
					t.Error(err)
				}
				return
			}
			a := adopting(fmt.Sprint(subject, "-", i), subject, at)
			a.IssuedAt = at.Add(-time.Minute)
			if _, err := s.Check(t.Context(), a); err != nil {
				t.Error(err)
			}
		})
		for i := range 8 {
			a := adopting(fmt.Sprint(subject, "-", i), subject, now())
			a.IssuedAt = at.Add(-time.Minute)
			wantAlive(t, s, a, false)
		}
	}
}

func testConcurrentAdopt(t *testing.T, s session.Store) {
	at := now()
	var touched atomic.Int64
	parallel(50, func(int) {
		state, err := s.Check(t.Context(), adopting("a", "u", at))
		if err != nil || !state.Alive {
			t.Errorf("got alive %v, error %v, want alive", state.Alive, err)
		}
		if state.Touched {
			touched.Add(1)
		}
	})
	if touched.Load() != 1 {
		t.Errorf("50 parallel first sights: got %d writes, want 1", touched.Load())
	}
	if list, err := s.List(t.Context(), issuer, "u"); err != nil || len(list) != 1 {
		t.Errorf("List: got %d sessions, error %v, want one", len(list), err)
	}
}

func testRevokeSubject(t *testing.T, s session.Store) {
	for _, id := range []string{"a1", "a2", "a3"} {
		put(t, s, session.Session{Issuer: issuer, ID: id, Subject: "a"})
	}
	put(t, s, session.Session{Issuer: issuer, ID: "b1", Subject: "b"})
	put(t, s, session.Session{Issuer: issuer, ID: "n1"})
	if n, err := s.RevokeSubject(t.Context(), issuer, "a", now(), "a2", "unknown"); n != 2 || err != nil {
		t.Errorf("all but one: got %d, error %v, want 2", n, err)
	}
	for id, alive := range map[string]bool{"a1": false, "a2": true, "a3": false, "b1": true, "n1": true} {
		wantAlive(t, s, access(id, now()), alive)
	}
	if n, err := s.RevokeSubject(t.Context(), issuer, "a", now()); n != 1 || err != nil {
		t.Errorf("the last one: got %d, error %v, want 1", n, err)
	}
	if n, err := s.RevokeSubject(t.Context(), issuer, "a", now()); n != 0 || err != nil {
		t.Errorf("again: got %d, error %v, want 0", n, err)
	}
	wantAlive(t, s, access("a2", now()), false)
	// A sign-in afterwards is a new session.
	put(t, s, session.Session{Issuer: issuer, ID: "a4", Subject: "a"})
	wantAlive(t, s, access("a4", now()), true)
}

func testList(t *testing.T, s session.Store) {
	start := now()
	want := session.Session{
		Issuer: issuer, ID: "a1", Subject: "a", ClientID: "app", Tenant: "t1", Device: "telephone", Address: "192.0.2.7",
		Created: start.Add(-time.Hour), LastAccess: start, LastSync: start.Add(-time.Minute), Expires: start.Add(time.Hour),
	}
	put(t, s, want)
	put(t, s, session.Session{Issuer: issuer, ID: "a2", Subject: "a"})
	put(t, s, session.Session{Issuer: issuer, ID: "a3", Subject: "a", Expires: start.Add(-time.Second)})
	put(t, s, session.Session{Issuer: issuer, ID: "a4", Subject: "a"})
	put(t, s, session.Session{Issuer: issuer, ID: "b1", Subject: "b"})
	if err := s.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "a4"}); err != nil {
		t.Fatal(err)
	}
	list, err := s.List(t.Context(), issuer, "a")
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list, func(a, b session.Session) int { return cmpString(a.ID, b.ID) })
	if len(list) != 2 || list[0].ID != "a1" || list[1].ID != "a2" {
		t.Fatalf("got %+v, want a1 and a2", list)
	}
	got := list[0]
	for _, v := range []struct {
		name      string
		got, want *time.Time
	}{{"Created", &got.Created, &want.Created}, {"LastAccess", &got.LastAccess, &want.LastAccess}, {"LastSync", &got.LastSync, &want.LastSync}, {"Expires", &got.Expires, &want.Expires}} {
		if !v.got.Equal(*v.want) {
			t.Errorf("%s: got %v, want %v", v.name, *v.got, *v.want)
		}
		*v.got = *v.want
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if list[1].Created.IsZero() || list[1].LastAccess.IsZero() || !list[1].Expires.IsZero() {
		t.Errorf("defaults: got %+v, want times of now and no expiry", list[1])
	}
	if list, err := s.List(t.Context(), issuer, "nobody"); err != nil || len(list) != 0 {
		t.Errorf("nobody: got %v, error %v, want none", list, err)
	}
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func testReplace(t *testing.T, s session.Store) {
	put(t, s, session.Session{Issuer: issuer, ID: "a", Subject: "u", Device: "old", Expires: now().Add(time.Hour)})
	put(t, s, session.Session{Issuer: issuer, ID: "a", Subject: "v", Device: "new"})
	if list, err := s.List(t.Context(), issuer, "u"); err != nil || len(list) != 0 {
		t.Errorf("the old subject: got %v, error %v, want none", list, err)
	}
	list, err := s.List(t.Context(), issuer, "v")
	if err != nil || len(list) != 1 || list[0].Device != "new" || !list[0].Expires.IsZero() {
		t.Errorf("the new subject: got %+v, error %v, want the replaced session", list, err)
	}
	if n, err := s.RevokeSubject(t.Context(), issuer, "u", now()); n != 0 || err != nil {
		t.Errorf("revoking the old subject: got %d, error %v, want 0", n, err)
	}
	wantAlive(t, s, access("a", now()), true)
}

func testOddNames(t *testing.T, s session.Store) {
	odd := []string{" ", "a b", "a\x00b", "a", "b", "ä", "{}", "*", "a:b", "\xff", string(make([]byte, 4096)), "sub\"ject"}
	for _, id := range odd {
		put(t, s, session.Session{Issuer: issuer, ID: id, Subject: "u" + id})
	}
	for _, id := range odd {
		wantAlive(t, s, access(id, now()), true)
		if list, err := s.List(t.Context(), issuer, "u"+id); err != nil || len(list) != 1 || list[0].ID != id {
			t.Errorf("List of %q: got %d sessions, error %v, want its own", id, len(list), err)
		}
	}
	for i, id := range odd {
		if n, err := s.RevokeSubject(t.Context(), issuer, "u"+id, now()); n != 1 || err != nil {
			t.Errorf("RevokeSubject of %q: got %d, error %v, want 1", id, n, err)
		}
		for j, other := range odd {
			wantAlive(t, s, access(other, now()), j > i)
		}
	}
	for _, bad := range []session.Session{{ID: "a"}, {Issuer: issuer}} {
		if err := s.Put(t.Context(), bad); err == nil {
			t.Errorf("Put(%+v): got no error, want one", bad)
		}
	}
}

func testWatch(t *testing.T, s session.Store) {
	w, ok := s.(session.Watcher)
	if !ok {
		t.Log("the store pushes no revocations")
		return
	}
	var mu sync.Mutex
	seen := map[session.Key]bool{}
	stop := w.Watch(session.Watch{Ended: func(keys ...session.Key) {
		mu.Lock()
		defer mu.Unlock()
		for _, key := range keys {
			seen[key] = true
		}
	}})
	put(t, s, session.Session{Issuer: issuer, ID: "a", Subject: "u"})
	put(t, s, session.Session{Issuer: issuer, ID: "b", Subject: "v"})
	if err := s.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RevokeSubject(t.Context(), issuer, "v", now()); err != nil {
		t.Fatal(err)
	}
	// A watcher in the process that revokes has been told when the call returns.
	mu.Lock()
	for _, id := range []string{"a", "b"} {
		if !seen[session.Key{Issuer: issuer, ID: id}] {
			t.Errorf("the end of %q was not told", id)
		}
	}
	mu.Unlock()
	stop()
}

func testCancelled(t *testing.T, s session.Store) {
	if _, local := s.(*session.Memory); local {
		return // does not wait for anything
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if state, err := s.Check(ctx, access("a", now())); err == nil {
		t.Errorf("Check: got %+v and no error, want an error", state)
	}
	if err := s.Revoke(ctx, session.Key{Issuer: issuer, ID: "a"}); err == nil {
		t.Error("Revoke: got no error, want one")
	}
}
