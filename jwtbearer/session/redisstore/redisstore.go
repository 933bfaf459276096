// Package redisstore keeps sessions and revocations in Redis, or a server that
// speaks its protocol and scripts such as Valkey, for APIs that run as several
// replicas.
//
//	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
//	store, err := redisstore.New(client, nil)
//	if err != nil { … }
//	defer store.Close()
//	// Once for a new server: err = store.Initialize(ctx, time.Time{})
//	checker, err := session.New(store, nil)
//
// A check is one round trip. A revocation is written and pushed to all replicas
// in one step; each of them drops its cached verdict on the push, within
// milliseconds. A push can get lost with a connection: a replica that is not
// subscribed does not use its cache, and an undetected loss is bounded by the
// life of cached verdicts, session.DefaultCacheLife.
//
// # A server that lost its data
//
// After a restart without its data, a server would answer "absent" for every
// session, and forget every revocation. The store therefore believes a server
// only if it holds a marker, which says since when it has known everything.
// Without the marker every check fails with [session.ErrDataLost]: unknown, 503,
// never 401. [Store.Initialize] writes the marker: once when a new server is
// taken into service, and again, after the sessions were put back, when it has
// lost its data. With [Options.AutoInitialize] the store does so itself; tokens
// issued before then stay unknown until they have expired or were renewed.
//
// A server that restarts from an old snapshot has the marker, but has forgotten
// what came after. So the store compares the server's run_id, whenever it
// connects its subscription, and until then, with the last one seen: if it
// changed and the server keeps no append-only file, the marker is removed.
// [Options.TrustRestarts] turns this off for servers known to keep every write.
//
// Run the server with "appendonly yes" and "maxmemory-policy noeviction":
// an evicted session is an ended one. With "appendfsync everysec" a crash may
// lose the last two seconds, with "always" nothing. A fail-over to a replica
// that was behind loses what the replica had not received. Nobody can see
// either: a session revoked in that time lives again, until its tokens expire.
//
// While the server is away, go-redis dials again and again: DialerRetries and
// MaxRetries of its options bound how long a request waits for its 503, next to
// [Options.Timeout].
package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

const (
	// DefaultPrefix is [Options.Prefix] where it is empty.
	DefaultPrefix = "{bearerguard}:"
	// DefaultTimeout is [Options.Timeout] where it is zero.
	DefaultTimeout = time.Second
)

// Options of [New]. The zero value is the safe choice.
type Options struct {
	// Prefix begins the name of every key and of the channel. Empty means
	// DefaultPrefix. All keys must lie in one hash slot of a Redis Cluster, so
	// a prefix needs a hash tag there, as the default has: "{…}" with something
	// in it.
	Prefix string
	// Timeout bounds every call of the server, next to the caller's context.
	// Zero means one second.
	Timeout time.Duration
	// IdleTimeout ends a session that was not used for so long, give or take
	// session.Options.KeepAccess. Zero means 30 days.
	IdleTimeout time.Duration
	// RememberEnded is how long a revoked session is remembered: at least the
	// longest life of a token, with the clock skew. Where sessions are adopted,
	// it begins again at each token that still names the session. Zero means 24
	// hours.
	RememberEnded time.Duration
	// AutoInitialize takes a server without the marker as complete from now on.
	// Where sessions are not adopted, sessions that such a server lost are then
	// refused with 401 as soon as their tokens were renewed.
	AutoInitialize bool
	// TrustRestarts says that the server keeps every write across restarts, and
	// turns the comparison of run_id off, and with it the need to call INFO.
	TrustRestarts bool
	// Logger takes a warning when the subscription is lost or data was lost. Nil
	// means slog.Default.
	Logger *slog.Logger
}

// Store is a [session.Store], a [session.Watcher] and a [session.Replays] in
// Redis. All methods are safe for concurrent use.
type Store struct {
	client   redis.UniversalClient
	prefix   string
	timeout  time.Duration
	idle     time.Duration
	remember time.Duration
	auto     bool
	trust    bool
	logger   *slog.Logger

	watchers watchers
	run      atomic.Pointer[string] // the run_id last found good
	cancel   context.CancelFunc
	done     chan struct{}
	close    sync.Once
}

// New returns a Store that uses client, which stays the caller's to close. It
// returns an error only for a mistake in the options; it does not wait for the
// server, and works as soon as the server does.
//
// The client must obey the deadlines of contexts: ContextTimeoutEnabled in its
// options must be set. One for a Redis Cluster must read from masters only: what a
// replica has not received yet, it would deny.
func New(client redis.UniversalClient, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if client == nil {
		return nil, errors.New("redisstore: the client is nil")
	}
	if !obeysContext(client) {
		return nil, errors.New("redisstore: the client ignores the deadlines of contexts: set ContextTimeoutEnabled in its options")
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{
		{"Timeout", &o.Timeout, DefaultTimeout},
		{"IdleTimeout", &o.IdleTimeout, session.DefaultIdleTimeout},
		{"RememberEnded", &o.RememberEnded, session.DefaultRememberEnded},
	} {
		if *d.value < 0 {
			return nil, fmt.Errorf("redisstore: Options.%s is %v: it must not be negative", d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.zero
		}
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		c := cluster.Options()
		switch {
		case c.ReadOnly, c.RouteByLatency, c.RouteRandomly:
			return nil, errors.New("redisstore: the client reads from replicas, which may not know of a revocation yet: unset ReadOnly, RouteByLatency and RouteRandomly in its options")
		case !hashTag(o.Prefix):
			return nil, fmt.Errorf("redisstore: Options.Prefix is %q: in a Redis Cluster it needs a hash tag, such as {app}", o.Prefix)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s := &Store{
		client: client, prefix: o.Prefix, timeout: o.Timeout, idle: o.IdleTimeout, remember: o.RememberEnded,
		auto: o.AutoInitialize, trust: o.TrustRestarts, logger: o.Logger, done: make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.listen(ctx)
	return s, nil
}

func obeysContext(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		return c.Options().ContextTimeoutEnabled
	}
	return true
}

// hashTag reports whether prefix puts all keys that begin with it into one slot.
func hashTag(prefix string) bool {
	_, tag, _ := strings.Cut(prefix, "{")
	return strings.IndexByte(tag, '}') > 0
}

// Close ends the subscription and waits for it. Watchers are told that they are
// not connected. A closed Store still answers.
func (s *Store) Close() error {
	s.close.Do(func() {
		s.cancel()
		<-s.done
	})
	return nil
}

// IdleTimeout returns the idle timeout in force.
func (s *Store) IdleTimeout() time.Duration { return s.idle }

// Initialize takes the server as one that has known everything since an
// instant: every session and every revocation of tokens issued since then. The
// zero instant means always; it is right for a new server, and after all
// sessions and revocations were put back.
func (s *Store) Initialize(ctx context.Context, since time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.trusted(ctx); err != nil {
		return err
	}
	if err := s.client.Set(ctx, s.marker(), micros(since), 0).Err(); err != nil {
		return fmt.Errorf("redisstore: %w", err)
	}
	return nil
}

func (s *Store) marker() string { return s.prefix + "complete-since" }

// name is the key of kind for what issuer calls id. It is a hash: identifiers
// have any length and any characters, and issuers must not reach into each
// other's names.
func (s *Store) name(kind, issuer, id string) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%d:%s%s", len(issuer), issuer, id)
	return s.prefix + kind + ":" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (s *Store) sessionKey(key session.Key) string { return s.name("s", key.Issuer, key.ID) }

// micros is t as the scripts take it: microseconds since 1970, which a Lua
// number holds exactly; 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	const limit = 1 << 52 // the year 2112
	return max(-limit, min(limit, t.UnixMicro()))
}

// instant is the inverse of micros, for what the server holds as text.
func instant(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("redisstore: the server holds a time that is no number")
	}
	if n == 0 {
		return time.Time{}, nil
	}
	return time.UnixMicro(n), nil
}
