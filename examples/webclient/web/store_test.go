package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

func newStored(t *testing.T, s *sessionStore, id string, tokens renew.Tokens, lifetime time.Duration) time.Time {
	t.Helper()
	tokensJSON, _ := json.Marshal(tokens)
	personJSON, _ := json.Marshal(person{"https://id.test", "alice", "Alice"})
	deadline := time.Now().Add(lifetime).UTC()
	data, err := s.codec.Encode(deadline, map[string]any{valueTokens: tokensJSON, valuePerson: personJSON})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(id, data, deadline); err != nil {
		t.Fatal(err)
	}
	return deadline
}

func TestSessionStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		s := newSessionStore()
		first := renew.NewTokens("a1", "r1", "i1", time.Now(), time.Minute)
		second := renew.NewTokens("a2", "r2", "i2", time.Now(), time.Minute)
		deadline := newStored(t, s, "id", first, time.Hour)

		// scs would write its copy from the beginning of a request.
		stale, _, _ := s.Find("id")
		if err := s.Replace(ctx, "id", first, second); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit("id", stale, deadline); err == nil {
			t.Error("a stale copy overwrote renewed tokens")
		}
		if held, err := s.Load(ctx, "id"); err != nil || held != second {
			t.Errorf("got %v, want the second tokens", err)
		}
		if err := s.Replace(ctx, "id", first, first); !errors.Is(err, renew.ErrReplaced) {
			t.Errorf("Replace of old tokens: got %v", err)
		}
		if err := s.End(ctx, "id", first); !errors.Is(err, renew.ErrReplaced) {
			t.Errorf("End with old tokens: got %v", err)
		}
		if who, err := s.person("id"); err != nil || who.Subject != "alice" {
			t.Errorf("got %v %v", who, err)
		}
		data, _, _ := s.Find("id")
		if got, _, err := s.codec.Decode(data); err != nil || !got.Equal(deadline) {
			t.Errorf("got deadline %v %v, want %v", got, err, deadline)
		}
		if err := s.End(ctx, "id", second); err != nil {
			t.Errorf("End: got %v", err)
		}
		for name, err := range map[string]error{
			"Replace": s.Replace(ctx, "id", second, first),
			"End":     s.End(ctx, "id", second),
		} {
			if !errors.Is(err, renew.ErrSessionEnded) {
				t.Errorf("%s after the end: got %v", name, err)
			}
		}
		if _, ok, _ := s.Find("id"); ok {
			t.Error("the session is back")
		}

		newStored(t, s, "short", first, time.Hour)
		time.Sleep(time.Hour - 1)
		if _, err := s.Load(ctx, "short"); err != nil {
			t.Errorf("just before its expiry: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := s.Load(ctx, "short"); !errors.Is(err, renew.ErrSessionEnded) {
			t.Errorf("at its expiry: got %v", err)
		}
	})
}

func TestSessionStoreIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSessionStore()
		for n := range maxSessions {
			if err := s.Commit(strings.Repeat("x", n), nil, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Commit("one more", nil, time.Now().Add(time.Minute)); err == nil {
			t.Error("there is no bound")
		}
		time.Sleep(time.Minute)
		if err := s.Commit("one more", nil, time.Now().Add(time.Minute)); err != nil || len(s.sessions) != 1 {
			t.Errorf("after all have expired: %v, %d sessions", err, len(s.sessions))
		}
	})
}

func TestAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a attempts
		a.init()
		for n := range maxAttempts {
			if !a.add(strings.Repeat("x", n), attempt{browser: "b", began: time.Now()}) {
				t.Fatal("refused within the bound")
			}
		}
		if a.add("more", attempt{browser: "b", began: time.Now()}) {
			t.Error("there is no bound")
		}
		if _, ok := a.take("x", "another"); ok {
			t.Error("another browser took it")
		}
		if _, ok := a.take("x", "b"); !ok {
			t.Error("the browser could not take it, or the other one used it up")
		}
		if _, ok := a.take("x", "b"); ok {
			t.Error("it was taken twice")
		}
		time.Sleep(attemptLifetime)
		if _, ok := a.take("xx", "b"); !ok {
			t.Error("refused in time")
		}
		time.Sleep(time.Nanosecond)
		if _, ok := a.take("xxx", "b"); ok {
			t.Error("taken too late")
		}
		if !a.add("more", attempt{browser: "b", began: time.Now()}) || len(a.pending) != 1 {
			t.Errorf("the old ones are still there: %d", len(a.pending))
		}
	})
}

func TestFormOfLeavesTheBodyAlone(t *testing.T) {
	req, _ := http.NewRequest("POST", "https://id.test/token", strings.NewReader(url.Values{"grant_type": {"refresh_token"}}.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if got := formOf(req).Get("grant_type"); got != "refresh_token" {
		t.Errorf("got %q", got)
	}
	if err := req.ParseForm(); err != nil || req.PostForm.Get("grant_type") != "refresh_token" {
		t.Errorf("the body is gone: %v", err)
	}
	req.Header.Set("Content-Type", "text/plain")
	if formOf(req) != nil {
		t.Error("took a text for a form")
	}
}

func TestShorten(t *testing.T) {
	for raw, want := range map[string]string{
		"":                         "…",
		strings.Repeat("x", 23):    "…",
		"abcdefghijklmnopqrstuvwx": "abcd…uvwx",
	} {
		if got := shorten(raw); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

func TestTimelineIsBounded(t *testing.T) {
	var all visits
	all.init()
	v := newVisit()
	all.add(v)
	for range maxEntries + 50 {
		v.add(entry{})
	}
	if entries, _ := v.since(0); len(entries) != maxEntries || entries[0].ID != 51 {
		t.Errorf("got %d entries from %d on", len(entries), entries[0].ID)
	}
	if entries, _ := v.since(maxEntries + 48); len(entries) != 2 {
		t.Errorf("got %d entries, want the last 2", len(entries))
	}
	for range maxVisits + 10 {
		all.add(newVisit())
	}
	if len(all.all) > maxVisits {
		t.Errorf("got %d visits", len(all.all))
	}
	first := v.label('A', strings.Repeat("a", 30))
	if again := v.label('A', strings.Repeat("a", 30)); again != first || first.Name != "A1" {
		t.Errorf("got %v, then %v", first, again)
	}
	if other := v.label('A', strings.Repeat("b", 30)); other.Name != "A2" {
		t.Errorf("got %v", other)
	}
}
