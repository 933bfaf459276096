//go:build integration

package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore/redistest"
	"github.com/bearerguard/bearerguard/jwtbearer/session/sessiontest"
)

func openCluster(t *testing.T, server *redistest.Server, opts *redisstore.Options) *redisstore.Store {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr()}, ContextTimeoutEnabled: true, DialTimeout: time.Second})
	t.Cleanup(func() { client.Close() })
	opts.Logger = quiet
	s, err := redisstore.New(client, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestCluster: a cluster refuses commands whose keys lie in several slots, also
// one of a single node.
func TestCluster(t *testing.T) {
	server := redistest.StartCluster(t)
	n := 0
	fresh := func(t *testing.T) *redisstore.Store {
		n++
		s := openCluster(t, server, &redisstore.Options{Prefix: fmt.Sprintf("app{t%d}:", n), IdleTimeout: 4 * time.Hour})
		initialize(t, s)
		return s
	}
	t.Run("sessions", func(t *testing.T) {
		sessiontest.TestStore(t, func(t *testing.T) session.Store { return fresh(t) })
	})
	t.Run("revocations", func(t *testing.T) {
		sessiontest.TestRevocationStore(t, func(t *testing.T) session.RevocationStore { return fresh(t).Revocations() })
	})
	t.Run("by default", func(t *testing.T) {
		a, b := openCluster(t, server, &redisstore.Options{}), openCluster(t, server, &redisstore.Options{})
		initialize(t, a)
		waitConnected(t, b, true)
		ended := make(chan session.Key, 8)
		b.Watch(session.Watch{Ended: func(keys ...session.Key) { ended <- keys[0] }})
		put(t, a, "s1")
		wantAlive(t, b, "s1", true)
		if err := a.Revoke(t.Context(), session.Key{Issuer: issuer, ID: "s1"}); err != nil {
			t.Fatal(err)
		}
		select {
		case key := <-ended:
			if key.ID != "s1" {
				t.Errorf("got %v, want s1", key)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the end of the session was not told")
		}
		wantAlive(t, b, "s1", false)
		if err := a.MarkUsed(t.Context(), issuer, "j", time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if used, err := b.Used(t.Context(), issuer, "j"); err != nil || !used {
			t.Errorf("Used: got %v, error %v, want true", used, err)
		}
	})
}
