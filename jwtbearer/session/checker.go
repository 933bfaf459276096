package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

const (
	// DefaultKeepAccess is [Options.KeepAccess] where it is zero.
	DefaultKeepAccess = time.Minute
	// DefaultSyncInterval is [Options.SyncInterval] where it is zero.
	DefaultSyncInterval = 10 * time.Minute
	// DefaultCacheLife is [Options.CacheLife] where it is zero, for stores that
	// push revocations.
	DefaultCacheLife = 5 * time.Second
	// MaxCacheLife bounds [Options.CacheLife].
	MaxCacheLife = 5 * time.Minute
	// NoCache as a cache life turns the cache off.
	NoCache time.Duration = -1
)

// Options of [New]. The zero value is the safe choice. Options must not be
// modified after they were passed to New.
type Options struct {
	// Missing says what becomes of tokens that name no session. The zero value
	// refuses them.
	Missing Missing
	// Clients are the client identifiers that Missing speaks of.
	Clients []string

	// AdoptUnknown records a session at the first genuine token that names it,
	// instead of refusing sessions that the store does not hold. A session then
	// ends only by being revoked: one that expired or was left idle is recorded
	// again at the next genuine token. See "Who creates sessions" in the package
	// documentation.
	AdoptUnknown bool

	// KeepAccess is how long an access stays recorded before the next one is
	// written: the last access of a session is known to within it. Zero means
	// one minute.
	KeepAccess time.Duration

	// SyncInterval is the shortest time between two sync events of a session,
	// measured from the last event. Zero means ten minutes.
	SyncInterval time.Duration
	// Sink is handed sync events, one at a time, by a goroutine of the Checker:
	// off the path of requests. Its error, its panic or its slowness fails no
	// request. Its context ends after SinkTimeout. Nil means no events.
	Sink func(ctx context.Context, e SyncEvent) error
	// SinkTimeout bounds one call of Sink. Zero means ten seconds.
	SinkTimeout time.Duration
	// SinkQueue is how many events may wait for Sink. More are dropped, and
	// counted in Stats. Zero means 1,024.
	SinkQueue int
	// DrainTimeout is how long Close waits for Sink to take what is queued.
	// Zero means five seconds.
	DrainTimeout time.Duration

	// InsecurePassUnknown lets requests pass while the store cannot tell
	// whether their session lives, instead of answering 503. While the store is
	// away, a signed-out user's tokens then work until they expire.
	InsecurePassUnknown bool
	// StoreTimeout bounds one call of the store. Zero means two seconds.
	StoreTimeout time.Duration

	// CacheLife is how long a verdict "alive" is believed without asking the
	// store again: the longest time for which this process may accept a session
	// after another process ended it. A store that pushes revocations (a
	// [Watcher]) usually ends it within milliseconds, and the cache is bypassed
	// while the push is not connected. Zero means five seconds for such a
	// store, and no cache for any other store; [NoCache] means none; the most
	// is five minutes. [Memory] needs no cache.
	CacheLife time.Duration
	// CacheSize is how many verdicts are kept. Zero means 65,536, about 8 MiB.
	CacheSize int

	// ClientAddress returns the client's address for sync events and the stored
	// session. Nil means the peer's address, r.RemoteAddr without the port; no
	// header is read. It is not called without a request.
	ClientAddress func(r *http.Request) string
	// TenantClaim names a string claim that holds the tenant. Empty means none.
	TenantClaim string

	// Logger takes a warning when the store goes away or a sink fails. Nil means
	// slog.Default. No session identifier is logged.
	Logger *slog.Logger
	// Unknown, if not nil, is called for each request whose session's state was
	// unknown, with whether it passed; concurrently.
	Unknown func(ctx context.Context, err error, passed bool)
}

// Checker refuses tokens whose session has ended. It implements
// [jwtbearer.Checker]. All methods are safe for concurrent use.
type Checker struct {
	store   Store
	options Options
	missing missingPolicy
	cache   *verdicts[Key]
	syncer  *syncer // nil without a sink
	outage  outage
	bounded bool // whether calls of the store are given a deadline
	unwatch func()
	once    sync.Once
	closed  error

	alive, gone, unknown, passed, skipped, refused, cached, touched atomic.Uint64
}

// New returns a Checker that asks store. It returns an error only for a mistake
// in opts; nil opts are the zero value. Close ends what it starts; the store is
// the caller's to close.
func New(store Store, opts *Options) (*Checker, error) {
	if store == nil {
		return nil, errors.New("session: the store is nil: pass one, such as NewMemory(nil)")
	}
	c := &Checker{store: store}
	if opts != nil {
		c.options = *opts
	}
	o := &c.options
	for _, d := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{
		{"KeepAccess", &o.KeepAccess, DefaultKeepAccess},
		{"SyncInterval", &o.SyncInterval, DefaultSyncInterval},
		{"SinkTimeout", &o.SinkTimeout, 10 * time.Second},
		{"DrainTimeout", &o.DrainTimeout, 5 * time.Second},
		{"StoreTimeout", &o.StoreTimeout, 2 * time.Second},
	} {
		if *d.value < 0 {
			return nil, fmt.Errorf("session: Options.%s is %v: it must not be negative", d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.zero
		}
	}
	for _, n := range []struct {
		name  string
		value *int
		zero  int
	}{{"SinkQueue", &o.SinkQueue, 1024}, {"CacheSize", &o.CacheSize, 65536}} {
		if *n.value < 0 {
			return nil, fmt.Errorf("session: Options.%s is %d: it must not be negative", n.name, *n.value)
		}
		if *n.value == 0 {
			*n.value = n.zero
		}
	}
	var err error
	if c.missing, err = newMissingPolicy(o.Missing, o.Clients); err != nil {
		return nil, err
	}
	if s, ok := store.(idleTimeouter); ok && s.IdleTimeout() < 2*o.KeepAccess {
		return nil, fmt.Errorf("session: Options.KeepAccess is %v, but the store ends sessions idle for %v, and would end ones in use: make it half of that or less", o.KeepAccess, s.IdleTimeout())
	}
	if o.ClientAddress == nil {
		o.ClientAddress = remoteAddress
	}

	_, local := store.(*Memory)
	c.bounded = !local
	life, err := cacheLife("Options.CacheLife", o.CacheLife, store, local)
	if err != nil {
		return nil, err
	}
	c.cache = newVerdicts(life, o.CacheSize, Key.clone)
	c.outage = outage{what: "the session store", logger: o.Logger}
	if o.Sink != nil {
		c.syncer = newSyncer(o.Sink, o.SinkQueue, o.SinkTimeout, o.DrainTimeout, c.sinkFailed)
	}
	if w, ok := store.(Watcher); ok && c.cache != nil {
		c.unwatch = w.Watch(Watch{Ended: c.ended, Connected: c.cache.setConnected})
	}
	return c, nil
}

// cacheLife resolves the life of a cache of verdicts in front of store.
func cacheLife(field string, life time.Duration, store any, local bool) (time.Duration, error) {
	_, pushes := store.(Watcher)
	switch {
	case life == NoCache, life == 0 && (local || !pushes):
		return 0, nil
	case life == 0:
		return DefaultCacheLife, nil
	case life < 0, life > MaxCacheLife:
		return 0, fmt.Errorf("session: %s is %v: it must be at most %v, or NoCache", field, life, MaxCacheLife)
	}
	return life, nil
}

// CheckToken returns nil if the session that token names lives, an error
// wrapping [jwtbearer.ErrInvalidToken] if it is gone or missing, and another
// error if its state is unknown. r may be nil.
func (c *Checker) CheckToken(ctx context.Context, token *jwtbearer.Token, r *http.Request) error {
	if token == nil {
		return errors.New("session: there is no token")
	}
	f := facts{
		key:      Key{token.Issuer(), token.SessionID()},
		subject:  token.Subject(),
		client:   token.ClientID(),
		issuedAt: token.IssuedAt(),
	}
	if c.options.TenantClaim != "" {
		f.tenant = token.StringClaim(c.options.TenantClaim)
	}
	return c.check(ctx, &f, r)
}

// facts are what a check needs of a token.
type facts struct {
	key                     Key
	subject, client, tenant string
	issuedAt                time.Time
}

func (c *Checker) check(ctx context.Context, f *facts, r *http.Request) error {
	if f.key.ID == "" {
		if c.missing.passes(f.client) {
			c.skipped.Add(1)
			return nil
		}
		c.refused.Add(1)
		return errMissing
	}
	now := time.Now()
	generation, good := c.cache.good(f.key, now)
	if good {
		c.cached.Add(1)
		return nil
	}
	a := Access{
		Key: f.key, At: now,
		KeepAccess: c.options.KeepAccess, SyncInterval: c.options.SyncInterval,
		Subject: f.subject, ClientID: f.client, Tenant: f.tenant, IssuedAt: f.issuedAt,
		Adopt: c.options.AdoptUnknown,
	}
	if r != nil {
		a.Address = c.options.ClientAddress(r)
	}
	if !c.syncer.takes() {
		// An event claimed here would be lost to those who have a sink.
		a.SyncInterval = math.MaxInt64
	}
	state, err := c.ask(ctx, a)
	if err != nil {
		return c.unknownState(ctx, err)
	}
	c.outage.succeeded(ctx)
	if !state.Alive {
		c.gone.Add(1)
		return jwtbearer.ErrSessionEnded
	}
	c.alive.Add(1)
	if state.Touched {
		c.touched.Add(1)
	}
	if c.cache != nil {
		// The verdict must not hide the access that is to be recorded next.
		until := state.LastAccess.Add(c.options.KeepAccess)
		if !state.Expires.IsZero() && state.Expires.Before(until) {
			until = state.Expires
		}
		c.cache.put(f.key, generation, now, until)
	}
	if state.SyncDue && c.syncer != nil {
		tenant := state.Tenant
		if tenant == "" {
			tenant = f.tenant
		}
		c.syncer.add(SyncEvent{
			Issuer: f.key.Issuer, SessionID: f.key.ID, Subject: f.subject, ClientID: f.client,
			Tenant: tenant, Address: a.Address, At: now,
		})
	}
	return nil
}

func (c *Checker) ask(ctx context.Context, a Access) (State, error) {
	if c.bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.options.StoreTimeout)
		defer cancel()
	}
	return c.store.Check(ctx, a)
}

func (c *Checker) unknownState(ctx context.Context, err error) error {
	pass := c.options.InsecurePassUnknown
	c.unknown.Add(1)
	if pass {
		c.passed.Add(1)
	}
	// A caller who went away is no outage.
	if ctx.Err() == nil {
		c.outage.failed(ctx, err, pass)
	}
	if c.options.Unknown != nil {
		c.options.Unknown(ctx, err, pass)
	}
	if pass {
		return nil
	}
	// The store's error is text only: whatever it wraps, it must not pass for a
	// verdict on the token.
	return fmt.Errorf("%w: %v", errUnknown, err)
}

// errUnknown matches no class of jwtbearer, which therefore answers 503.
var errUnknown = errors.New("session: the state of the session is unknown")

func (c *Checker) ended(keys ...Key) {
	for _, key := range keys {
		c.cache.drop(key)
	}
}

func (c *Checker) sinkFailed(err error) {
	c.outage.log().Warn("session: a sync event was not taken", "error", err)
}

// Close ends the Checker's goroutine after handing queued sync events to the
// sink, within [Options.DrainTimeout]; it returns an error if some were
// dropped. Calls after the first return the same. A closed Checker still
// checks, without cache and sync events.
func (c *Checker) Close() error {
	c.once.Do(func() {
		c.cache.close()
		if c.unwatch != nil {
			c.unwatch()
		}
		if c.syncer != nil {
			c.closed = c.syncer.close()
		}
	})
	return c.closed
}

// Stats counts what a Checker did since it was made.
type Stats struct {
	Alive   uint64 // the store said so
	Cached  uint64 // alive by a recent verdict, without asking the store
	Gone    uint64
	Unknown uint64 // the store could not tell
	Passed  uint64 // of Unknown, passed by Options.InsecurePassUnknown
	Skipped uint64 // no session named, passed by Options.Missing
	Refused uint64 // no session named, refused by Options.Missing
	Touched uint64 // accesses recorded

	SyncSent, SyncFailed, SyncDropped uint64

	CacheEntries int
}

// Stats returns a snapshot.
func (c *Checker) Stats() Stats {
	s := Stats{
		Alive: c.alive.Load(), Cached: c.cached.Load(), Gone: c.gone.Load(),
		Unknown: c.unknown.Load(), Passed: c.passed.Load(),
		Skipped: c.skipped.Load(), Refused: c.refused.Load(), Touched: c.touched.Load(),
		CacheEntries: c.cache.len(),
	}
	if c.syncer != nil {
		s.SyncSent, s.SyncFailed, s.SyncDropped = c.syncer.sent.Load(), c.syncer.failures.Load(), c.syncer.dropped.Load()
	}
	return s
}
