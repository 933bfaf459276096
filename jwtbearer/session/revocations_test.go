package session_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

type countingRevocations struct {
	session.RevocationStore
	asked atomic.Int64
	err   error
	watch session.Watch
}

func (s *countingRevocations) Revoked(ctx context.Context, p session.Presented) (bool, error) {
	s.asked.Add(1)
	if s.err != nil {
		return false, s.err
	}
	return s.RevocationStore.Revoked(ctx, p)
}

func (s *countingRevocations) Watch(w session.Watch) func() {
	s.watch = w
	return func() {}
}

func newRevocations(t *testing.T, store session.RevocationStore, opts *session.RevocationOptions) *session.Revocations {
	t.Helper()
	if opts == nil {
		opts = &session.RevocationOptions{Logger: quiet}
	}
	v, err := session.NewRevocations(store, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func TestRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemoryRevocations(0)
		v := newRevocations(t, m, &session.RevocationOptions{MaxTokenLife: time.Hour})
		token := func(id, subject, client string, age time.Duration) session.Presented {
			return session.Presented{Issuer: issuer, ID: id, Subject: subject, ClientID: client, IssuedAt: time.Now().Add(-age)}
		}
		if err := v.RevokeToken(t.Context(), issuer, "j1"); err != nil {
			t.Fatal(err)
		}
		if err := v.RevokeSubject(t.Context(), issuer, "u1", time.Now().Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
		if err := v.RevokeClient(t.Context(), issuer, "c1", time.Now().Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
		for name, test := range map[string]struct {
			token   session.Presented
			revoked bool
		}{
			"untouched":            {token("j", "u", "c", 2*time.Minute), false},
			"jti":                  {token("j1", "u", "c", 2*time.Minute), true},
			"old of the subject":   {token("j", "u1", "c", 2*time.Minute), true},
			"newer of the subject": {token("j", "u1", "c", time.Minute), false},
			"old of the client":    {token("j", "u", "c1", 2*time.Minute), true},
			"newer of the client":  {token("j", "u", "c1", time.Minute), false},
		} {
			err := v.CheckPresented(t.Context(), test.token)
			if test.revoked && !errors.Is(err, jwtbearer.ErrRevoked) || !test.revoked && err != nil {
				t.Errorf("%s: got %v, want revoked %v", name, err, test.revoked)
			}
		}
		if s := v.Stats(); s.Revoked != 3 || s.Passed != 3 {
			t.Errorf("Stats: got %+v, want three and three", s)
		}
		// Past the longest life of a token nothing is kept.
		time.Sleep(time.Hour - time.Nanosecond)
		if err := v.CheckPresented(t.Context(), token("j1", "", "", 0)); !errors.Is(err, jwtbearer.ErrRevoked) {
			t.Errorf("just within the life of a token: got %v, want ErrRevoked", err)
		}
		time.Sleep(time.Nanosecond)
		if err := v.CheckPresented(t.Context(), token("j1", "", "", 0)); err != nil {
			t.Errorf("past the life of a token: got %v, want nil", err)
		}
		if err := v.RevokeToken(t.Context(), issuer, "j2"); err != nil {
			t.Fatal(err)
		}
		if m.Len() != 1 {
			t.Errorf("got %d revocations, want 1", m.Len())
		}
	})
}

// TestRevocationsOfTheFuture: tokens issued until a later instant are refused for
// their whole life.
func TestRevocationsOfTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newRevocations(t, session.NewMemoryRevocations(0), &session.RevocationOptions{MaxTokenLife: time.Hour})
		if err := v.RevokeSubject(t.Context(), issuer, "u", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		token := session.Presented{Issuer: issuer, Subject: "u", IssuedAt: time.Now()}
		time.Sleep(59 * time.Minute)
		if err := v.CheckPresented(t.Context(), token); !errors.Is(err, jwtbearer.ErrRevoked) {
			t.Errorf("got %v, want ErrRevoked", err)
		}
	})
}

func TestRevocationsUnknown(t *testing.T) {
	store := &countingRevocations{RevocationStore: session.NewMemoryRevocations(0), err: errors.New("connection refused")}
	v := newRevocations(t, store, nil)
	if err := v.CheckPresented(t.Context(), session.Presented{Issuer: issuer, ID: "j"}); !isUnknown(err) {
		t.Errorf("got %v, want an error of no class", err)
	}
	open := newRevocations(t, store, &session.RevocationOptions{InsecurePassUnknown: true, Logger: quiet})
	if err := open.CheckPresented(t.Context(), session.Presented{Issuer: issuer, ID: "j"}); err != nil {
		t.Errorf("with InsecurePassUnknown: got %v, want nil", err)
	}
}

func TestRevocationsCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &countingRevocations{RevocationStore: session.NewMemoryRevocations(0)}
		v := newRevocations(t, store, nil)
		p := session.Presented{Issuer: issuer, ID: "j", Subject: "u", ClientID: "c", IssuedAt: time.Now()}
		asked := func(want int64) {
			t.Helper()
			if err := v.CheckPresented(t.Context(), p); err != nil {
				t.Errorf("got %v, want nil", err)
			}
			if got := store.asked.Load(); got != want {
				t.Errorf("the store was asked %d times, want %d", got, want)
			}
		}
		asked(1)
		asked(1)
		p.IssuedAt = p.IssuedAt.Add(time.Second) // another token
		asked(2)
		time.Sleep(session.DefaultCacheLife)
		asked(3)
		store.watch.Revoked()
		asked(4)
		store.watch.Connected(false)
		asked(5)
		asked(6)
		store.watch.Connected(true)
		asked(7)
		asked(7)
		if err := v.RevokeToken(t.Context(), issuer, "other"); err != nil { // at this process
			t.Fatal(err)
		}
		asked(8)
		if err := v.RevokeToken(t.Context(), issuer, "j"); err != nil {
			t.Fatal(err)
		}
		if err := v.CheckPresented(t.Context(), p); !errors.Is(err, jwtbearer.ErrRevoked) {
			t.Errorf("got %v, want ErrRevoked", err)
		}
	})
}

func TestNewRevocationsRefusesMistakes(t *testing.T) {
	m := session.NewMemoryRevocations(0)
	for name, test := range map[string]struct {
		store session.RevocationStore
		opts  session.RevocationOptions
		names string
	}{
		"no store":         {nil, session.RevocationOptions{}, "store"},
		"negative life":    {m, session.RevocationOptions{MaxTokenLife: -1}, "MaxTokenLife"},
		"negative timeout": {m, session.RevocationOptions{StoreTimeout: -1}, "StoreTimeout"},
		"negative size":    {m, session.RevocationOptions{CacheSize: -1}, "CacheSize"},
		"cache life":       {m, session.RevocationOptions{CacheLife: -2}, "CacheLife"},
	} {
		v, err := session.NewRevocations(test.store, &test.opts)
		if err == nil || v != nil || !strings.Contains(err.Error(), test.names) {
			t.Errorf("%s: got %v, error %v, want an error that names %s", name, v, err, test.names)
		}
	}
	v := newRevocations(t, m, nil)
	if err := v.RevokeToken(t.Context(), issuer, ""); err == nil {
		t.Error("an empty jti: got no error, want one")
	}
	if err := v.RevokeToken(t.Context(), "", "j"); err == nil {
		t.Error("an empty issuer: got no error, want one")
	}
	if err := v.CheckToken(t.Context(), nil, nil); err == nil {
		t.Error("no token: got no error, want one")
	}
}
