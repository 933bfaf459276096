package redisstore_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore"
)

// These tests need no server; those that do have the build tag integration.

func TestNewRefusesMistakes(t *testing.T) {
	good := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true})
	defer good.Close()
	deaf := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer deaf.Close()
	deafCluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}})
	defer deafCluster.Close()
	cluster := func(change func(*redis.ClusterOptions)) *redis.ClusterClient {
		o := &redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}, ContextTimeoutEnabled: true}
		change(o)
		c := redis.NewClusterClient(o)
		t.Cleanup(func() { c.Close() })
		return c
	}
	plain := cluster(func(*redis.ClusterOptions) {})
	replicas := cluster(func(o *redis.ClusterOptions) { o.ReadOnly = true })
	nearest := cluster(func(o *redis.ClusterOptions) { o.RouteByLatency = true })
	anyNode := cluster(func(o *redis.ClusterOptions) { o.RouteRandomly = true })
	for name, test := range map[string]struct {
		client redis.UniversalClient
		opts   *redisstore.Options
		names  string
	}{
		"no client":             {nil, nil, "client"},
		"contexts ignored":      {deaf, nil, "ContextTimeoutEnabled"},
		"contexts ignored, too": {deafCluster, nil, "ContextTimeoutEnabled"},
		"replicas are read":     {replicas, nil, "ReadOnly"},
		"the nearest is read":   {nearest, nil, "RouteByLatency"},
		"any node is read":      {anyNode, nil, "RouteRandomly"},
		"no hash tag":           {plain, &redisstore.Options{Prefix: "app:"}, "Prefix"},
		"an empty hash tag":     {plain, &redisstore.Options{Prefix: "{}app:"}, "Prefix"},
		"an open hash tag":      {plain, &redisstore.Options{Prefix: "{app:"}, "Prefix"},
		"a hash tag reversed":   {plain, &redisstore.Options{Prefix: "}app{:"}, "Prefix"},
		"timeout":               {good, &redisstore.Options{Timeout: -1}, "Timeout"},
		"idle timeout":          {good, &redisstore.Options{IdleTimeout: -1}, "IdleTimeout"},
		"remember":              {good, &redisstore.Options{RememberEnded: -1}, "RememberEnded"},
	} {
		s, err := redisstore.New(test.client, test.opts)
		if err == nil || s != nil || !strings.Contains(err.Error(), test.names) {
			t.Errorf("%s: got %v, error %v, want an error that names %s", name, s, err, test.names)
		}
	}
}

// deadServer returns the address of a server that accepts connections, and
// never answers.
func deadServer(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var held []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				for _, c := range held {
					c.Close()
				}
				return
			}
			held = append(held, conn)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// TestSilentServerIsUnknownInTime: every call ends within its time, and says
// neither "alive" nor "gone".
func TestSilentServerIsUnknownInTime(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: deadServer(t), ContextTimeoutEnabled: true, DialerRetries: 1})
	defer client.Close()
	s, err := redisstore.New(client, &redisstore.Options{Timeout: 100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	key := session.Key{Issuer: "i", ID: "s"}
	for name, call := range map[string]func(ctx context.Context) error{
		"Check": func(ctx context.Context) error {
			_, err := s.Check(ctx, session.Access{Key: key, At: time.Now(), KeepAccess: time.Minute})
			return err
		},
		"Put":           func(ctx context.Context) error { return s.Put(ctx, session.Session{Issuer: "i", ID: "s"}) },
		"Revoke":        func(ctx context.Context) error { return s.Revoke(ctx, key) },
		"RevokeSubject": func(ctx context.Context) error { _, err := s.RevokeSubject(ctx, "i", "u", time.Now()); return err },
		"List":          func(ctx context.Context) error { _, err := s.List(ctx, "i", "u"); return err },
		"Initialize":    func(ctx context.Context) error { return s.Initialize(ctx, time.Now()) },
		"Used":          func(ctx context.Context) error { _, err := s.Used(ctx, "i", "j"); return err },
		"MarkUsed":      func(ctx context.Context) error { return s.MarkUsed(ctx, "i", "j", time.Now().Add(time.Hour)) },
		"revoke a token": func(ctx context.Context) error {
			return s.Revocations().Revoke(ctx, session.Revocation{Kind: session.RevokedToken, Issuer: "i", Value: "j", Until: time.Now().Add(time.Hour)})
		},
		"revoked": func(ctx context.Context) error {
			_, err := s.Revocations().Revoked(ctx, session.Presented{Issuer: "i", ID: "j", At: time.Now()})
			return err
		},
	} {
		start := time.Now()
		if err := call(t.Context()); err == nil || errors.Is(err, session.ErrEnded) || errors.Is(err, session.ErrDataLost) {
			t.Errorf("%s: got %v, want a time-out", name, err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s: took %v, want about 100ms", name, d)
		}
	}
	start := time.Now()
	s.Close()
	s.Close()
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("Close took %v", d)
	}
}

// TestWatchBeforeConnection: a watcher is told that nothing is pushed yet.
func TestWatchBeforeConnection(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true, DialerRetries: 1})
	defer client.Close()
	s, err := redisstore.New(client, &redisstore.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var told []bool
	stop := s.Watch(session.Watch{Connected: func(connected bool) { told = append(told, connected) }})
	stop()
	if len(told) != 1 || told[0] {
		t.Errorf("got %v, want one false", told)
	}
}
