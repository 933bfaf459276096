package session_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
	"github.com/bearerguard/bearerguard/jwtbearer/session/sessiontest"
)

func TestMemory(t *testing.T) {
	sessiontest.TestStore(t, func(*testing.T) session.Store {
		return session.NewMemory(&session.MemoryOptions{IdleTimeout: 4 * time.Hour})
	})
}

func TestMemoryRevocations(t *testing.T) {
	sessiontest.TestRevocationStore(t, func(*testing.T) session.RevocationStore { return session.NewMemoryRevocations(0) })
}

func TestMemoryForgetsEndedSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory(&session.MemoryOptions{IdleTimeout: time.Hour, RememberEnded: 2 * time.Hour})
		fill := func(prefix string, n int) {
			for i := range n {
				id := fmt.Sprint(prefix, i)
				if err := m.Put(t.Context(), session.Session{Issuer: "i", ID: id, Subject: id}); err != nil {
					t.Fatal(err)
				}
				if i%2 == 0 {
					if err := m.Revoke(t.Context(), session.Key{Issuer: "i", ID: id}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		fill("a", 10000)
		time.Sleep(90 * time.Minute) // the living ones are idle, the ended ones remembered
		fill("b", 10000)
		if n := m.Len(); n < 15000 || n > 15100 {
			t.Errorf("after the idle timeout: got %d sessions, want 15,000 and few more", n)
		}
		time.Sleep(61 * time.Minute)
		fill("c", 10000)
		if n := session.SubjectsLen(m); n < 5000 || n > 5100 {
			t.Errorf("got %d subjects with sessions, want 5,000 and few more", n)
		}
		if n := m.Len(); n < 15000 || n > 15100 {
			t.Errorf("after the memory of ended ones: got %d sessions, want 15,000 and few more", n)
		}
	})
}

// TestMemoryRemembersEndedSessionsInUse: a client that goes on with a revoked
// session does not outlast the memory of its end.
func TestMemoryRemembersEndedSessionsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory(&session.MemoryOptions{RememberEnded: time.Hour})
		c := newChecker(t, m, &session.Options{AdoptUnknown: true})
		if err := m.Revoke(t.Context(), key("a")); err != nil {
			t.Fatal(err)
		}
		fill := func(prefix string) {
			for i := range 5000 { // some in every shard, of which what may be forgotten is removed
				put(t, m, fmt.Sprint(prefix, i))
			}
		}
		for round := range 5 {
			time.Sleep(45 * time.Minute)
			fill(fmt.Sprint(round, "-"))
			if err := c.CheckFacts(t.Context(), facts("a"), nil); !errors.Is(err, jwtbearer.ErrSessionEnded) {
				t.Errorf("at %v: got %v, want ErrSessionEnded", time.Now(), err)
			}
		}
		held := m.Len()
		time.Sleep(time.Hour)
		fill("last-")
		if n := m.Len(); n != held-1+5000 {
			t.Errorf("unused for an hour: got %d sessions, want %d: it is to be forgotten", n, held-1+5000)
		}
	})
}

// TestMemoryForgetsEndedSubjects: that all sessions of a subject ended is not
// remembered for ever.
func TestMemoryForgetsEndedSubjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory(&session.MemoryOptions{RememberEnded: time.Hour})
		end := func(prefix string) {
			for i := range 10000 {
				if _, err := m.RevokeSubject(t.Context(), "i", fmt.Sprint(prefix, i), time.Now()); err != nil {
					t.Fatal(err)
				}
			}
		}
		end("a")
		time.Sleep(time.Hour)
		end("b")
		if n := session.SubjectsLen(m); n < 10000 || n > 10100 {
			t.Errorf("got %d subjects, want 10,000 and few more", n)
		}
	})
}

// TestMemoryRevokeSubjectCountsTheSecond: what was issued at the very instant is
// not adopted, since issuers count in whole seconds.
func TestMemoryRevokeSubjectCountsTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory(nil)
		if _, err := m.RevokeSubject(t.Context(), "i", "u", time.Now()); err != nil {
			t.Fatal(err)
		}
		for after, want := range map[time.Duration]bool{0: false, time.Nanosecond: true} {
			at := time.Now().Add(after)
			state, err := m.Check(t.Context(), session.Access{Key: session.Key{Issuer: "i", ID: fmt.Sprint(after)}, At: at, IssuedAt: at, Adopt: true, Subject: "u"})
			if err != nil || state.Alive != want {
				t.Errorf("issued %v after: got alive %v, error %v, want %v", after, state.Alive, err, want)
			}
		}
	})
}

// TestNothingHoldsTokens: strings cut from a token share its memory, which is up
// to 64 KiB; neither stores nor caches may hold it.
func TestNothingHoldsTokens(t *testing.T) {
	m := session.NewMemory(nil)
	c := newChecker(t, m, &session.Options{AdoptUnknown: true, CacheLife: time.Minute})
	store := &countingRevocations{RevocationStore: session.NewMemoryRevocations(0)}
	v := newRevocations(t, store, nil)
	heap := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	const tokens, size = 500, 64 << 10
	before := heap()
	for i := range tokens {
		token := fmt.Sprintf("%06d", i) + strings.Repeat("x", size)
		part := token[:6]
		f := session.Facts{Issuer: part, ID: part, Subject: part, Client: part, Tenant: part}
		if err := c.CheckFacts(t.Context(), f, nil); err != nil {
			t.Fatal(err)
		}
		if err := v.CheckPresented(t.Context(), session.Presented{Issuer: part, ID: part, Subject: part, ClientID: part}); err != nil {
			t.Fatal(err)
		}
		if err := store.Revoke(t.Context(), session.Revocation{Kind: session.RevokedToken, Issuer: part, Value: part, Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.RevokeSubject(t.Context(), part, part+"x", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if grown := int64(heap() - before); grown > tokens*size/4 {
		t.Errorf("%d tokens of %d bytes: %d bytes are still held", tokens, size, grown)
	}
	runtime.KeepAlive(m)
	runtime.KeepAlive(c)
	runtime.KeepAlive(v)
}

func TestMemoryIsBounded(t *testing.T) {
	m := session.NewMemory(&session.MemoryOptions{MaxSessions: 2})
	for _, id := range []string{"a", "b"} {
		if err := m.Put(t.Context(), session.Session{Issuer: "i", ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Put(t.Context(), session.Session{Issuer: "i", ID: "c"}); !errors.Is(err, session.ErrFull) {
		t.Errorf("a third session: got error %v, want ErrFull", err)
	}
	if _, err := m.Check(t.Context(), session.Access{Key: session.Key{Issuer: "i", ID: "c"}, At: time.Now(), Adopt: true}); !errors.Is(err, session.ErrFull) {
		t.Errorf("adopting a third session: got error %v, want ErrFull", err)
	}
	if err := m.Put(t.Context(), session.Session{Issuer: "i", ID: "b", Device: "new"}); err != nil {
		t.Errorf("replacing a session: %v", err)
	}
	// A revocation is kept whatever the bound.
	if err := m.Revoke(t.Context(), session.Key{Issuer: "i", ID: "unseen"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Put(t.Context(), session.Session{Issuer: "i", ID: "unseen"}); !errors.Is(err, session.ErrEnded) {
		t.Errorf("a revoked session: got error %v, want ErrEnded", err)
	}
}

func TestMemoryRevocationsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemoryRevocations(2)
		revoke := func(id string, life time.Duration) error {
			return m.Revoke(t.Context(), session.Revocation{Kind: session.RevokedToken, Issuer: "i", Value: id, Until: time.Now().Add(life)})
		}
		for _, err := range []error{revoke("a", time.Minute), revoke("b", time.Hour)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := revoke("c", time.Hour); !errors.Is(err, session.ErrFull) {
			t.Errorf("a third revocation: got error %v, want ErrFull", err)
		}
		if err := revoke("b", time.Hour); err != nil {
			t.Errorf("the same revocation again: %v", err)
		}
		time.Sleep(time.Minute)
		if err := revoke("c", time.Hour); err != nil {
			t.Errorf("a third revocation after the first was forgotten: %v", err)
		}
		if got := m.Len(); got != 2 {
			t.Errorf("got %d revocations, want 2", got)
		}
	})
}
