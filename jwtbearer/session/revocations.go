package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

// RevocationKind says which tokens a [Revocation] refuses.
type RevocationKind int

const (
	// RevokedToken refuses the token with the jti Value.
	RevokedToken RevocationKind = iota + 1
	// RevokedSubject refuses the tokens of the subject Value issued before an instant.
	RevokedSubject
	// RevokedClient refuses the tokens of the client Value issued before an instant.
	RevokedClient
)

// Revocation refuses tokens of one issuer.
type Revocation struct {
	Kind   RevocationKind
	Issuer string
	Value  string
	// Before is the instant before which refused tokens were issued; unused
	// for RevokedToken.
	Before time.Time
	// Until is when the revocation may be forgotten: all tokens that it refuses
	// have expired by then.
	Until time.Time
}

// Presented is what a [RevocationStore] is told of a token.
type Presented struct {
	Issuer   string
	ID       string // jti; empty when the token has none
	Subject  string // empty when the token has none
	ClientID string // empty when the token has none
	IssuedAt time.Time
	At       time.Time // now
}

// RevocationStore keeps revocations. All methods are safe for concurrent use
// and obey their context. Of several revocations of one subject or client the
// latest Before counts, and the latest Until. A token that does not say when it
// was issued was issued before every instant. A store may implement [Watcher].
type RevocationStore interface {
	// Revoke adds a revocation. When it returns, no Revoked that begins
	// afterwards misses it.
	Revoke(ctx context.Context, r Revocation) error
	// Revoked reports whether a token is refused, in one round trip.
	Revoked(ctx context.Context, p Presented) (bool, error)
}

// DefaultMaxTokenLife is [RevocationOptions.MaxTokenLife] where it is zero.
const DefaultMaxTokenLife = 24 * time.Hour

// RevocationOptions are the options of [NewRevocations]. The zero value is the
// safe choice.
type RevocationOptions struct {
	// MaxTokenLife is the longest life of a token, with the clock skew: for so
	// long a revocation is kept. Zero means 24 hours.
	MaxTokenLife time.Duration
	// InsecurePassUnknown, StoreTimeout, CacheLife, CacheSize and Logger are as
	// in [Options]. The cache holds tokens that were not revoked; any
	// revocation empties it.
	InsecurePassUnknown bool
	StoreTimeout        time.Duration
	CacheLife           time.Duration
	CacheSize           int
	Logger              *slog.Logger
}

// Revocations refuses revoked tokens. It implements [jwtbearer.Checker]. All
// methods are safe for concurrent use.
type Revocations struct {
	store   RevocationStore
	options RevocationOptions
	cache   *verdicts[presentedKey]
	outage  outage
	bounded bool
	unwatch func()
	once    sync.Once

	passed, revoked, unknown, cached atomic.Uint64
}

// presentedKey is a Presented without the instant of the question.
type presentedKey struct {
	issuer, id, subject, client string
	issuedAt                    int64
}

func (k presentedKey) clone() presentedKey {
	return presentedKey{strings.Clone(k.issuer), strings.Clone(k.id), strings.Clone(k.subject), strings.Clone(k.client), k.issuedAt}
}

// NewRevocations returns Revocations kept in store. It returns an error only
// for a mistake in opts; nil opts are the zero value.
func NewRevocations(store RevocationStore, opts *RevocationOptions) (*Revocations, error) {
	if store == nil {
		return nil, errors.New("session: the revocation store is nil: pass one, such as NewMemoryRevocations(0)")
	}
	v := &Revocations{store: store}
	if opts != nil {
		v.options = *opts
	}
	o := &v.options
	switch {
	case o.MaxTokenLife < 0:
		return nil, fmt.Errorf("session: RevocationOptions.MaxTokenLife is %v: it must not be negative", o.MaxTokenLife)
	case o.StoreTimeout < 0:
		return nil, fmt.Errorf("session: RevocationOptions.StoreTimeout is %v: it must not be negative", o.StoreTimeout)
	case o.CacheSize < 0:
		return nil, fmt.Errorf("session: RevocationOptions.CacheSize is %d: it must not be negative", o.CacheSize)
	}
	if o.MaxTokenLife == 0 {
		o.MaxTokenLife = DefaultMaxTokenLife
	}
	if o.StoreTimeout == 0 {
		o.StoreTimeout = 2 * time.Second
	}
	if o.CacheSize == 0 {
		o.CacheSize = 65536
	}
	_, local := store.(*MemoryRevocations)
	v.bounded = !local
	life, err := cacheLife("RevocationOptions.CacheLife", o.CacheLife, store, local)
	if err != nil {
		return nil, err
	}
	v.cache = newVerdicts(life, o.CacheSize, presentedKey.clone)
	v.outage = outage{what: "the revocation store", logger: o.Logger}
	if w, ok := store.(Watcher); ok && v.cache != nil {
		v.unwatch = w.Watch(Watch{Revoked: v.cache.clear, Connected: v.cache.setConnected})
	}
	return v, nil
}

// RevokeToken refuses the token whose jti is id.
func (v *Revocations) RevokeToken(ctx context.Context, issuer, id string) error {
	return v.revoke(ctx, Revocation{Kind: RevokedToken, Issuer: issuer, Value: id})
}

// RevokeSubject refuses all tokens of subject issued before an instant, and
// those that do not say when they were issued. Issuers count in whole seconds,
// rounded down: unless before is a whole second itself, a token issued in the
// rest of its second is refused too.
func (v *Revocations) RevokeSubject(ctx context.Context, issuer, subject string, before time.Time) error {
	return v.revoke(ctx, Revocation{Kind: RevokedSubject, Issuer: issuer, Value: subject, Before: before})
}

// RevokeClient refuses all tokens of client issued before an instant, as
// RevokeSubject does.
func (v *Revocations) RevokeClient(ctx context.Context, issuer, client string, before time.Time) error {
	return v.revoke(ctx, Revocation{Kind: RevokedClient, Issuer: issuer, Value: client, Before: before})
}

func (v *Revocations) revoke(ctx context.Context, r Revocation) error {
	if r.Issuer == "" || r.Value == "" {
		return errors.New("session: a revocation needs an issuer and a value")
	}
	now := time.Now()
	r.Until = now.Add(v.options.MaxTokenLife)
	if r.Before.After(now) {
		// Tokens issued between now and Before are refused as well.
		r.Until = r.Before.Add(v.options.MaxTokenLife)
	}
	err := v.store.Revoke(ctx, r)
	v.cache.clear()
	return err
}

// CheckToken returns nil if nothing revokes token, [jwtbearer.ErrRevoked] if
// something does, and another error if the store cannot tell. r is not used.
func (v *Revocations) CheckToken(ctx context.Context, token *jwtbearer.Token, _ *http.Request) error {
	if token == nil {
		return errors.New("session: there is no token")
	}
	return v.check(ctx, Presented{
		Issuer: token.Issuer(), ID: token.ID(), Subject: token.Subject(), ClientID: token.ClientID(),
		IssuedAt: token.IssuedAt(),
	})
}

func (v *Revocations) check(ctx context.Context, p Presented) error {
	p.At = time.Now()
	key := presentedKey{p.Issuer, p.ID, p.Subject, p.ClientID, nanos(p.IssuedAt)}
	generation, good := v.cache.good(key, p.At)
	if good {
		v.cached.Add(1)
		return nil
	}
	revoked, err := v.ask(ctx, p)
	switch {
	case err != nil:
		v.unknown.Add(1)
		if ctx.Err() == nil {
			v.outage.failed(ctx, err, v.options.InsecurePassUnknown)
		}
		if v.options.InsecurePassUnknown {
			return nil
		}
		return fmt.Errorf("session: whether the token is revoked is unknown: %v", err)
	case revoked:
		v.revoked.Add(1)
		v.outage.succeeded(ctx)
		return jwtbearer.ErrRevoked
	}
	v.passed.Add(1)
	v.outage.succeeded(ctx)
	v.cache.put(key, generation, p.At, time.Time{})
	return nil
}

func (v *Revocations) ask(ctx context.Context, p Presented) (bool, error) {
	if v.bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, v.options.StoreTimeout)
		defer cancel()
	}
	return v.store.Revoked(ctx, p)
}

// Close stops listening to the store. Closed Revocations still check, without
// a cache.
func (v *Revocations) Close() error {
	v.once.Do(func() {
		v.cache.close()
		if v.unwatch != nil {
			v.unwatch()
		}
	})
	return nil
}

// RevocationStats counts what Revocations did since they were made.
type RevocationStats struct {
	Passed  uint64 // not revoked, the store said
	Cached  uint64 // not revoked by a recent verdict, without asking the store
	Revoked uint64
	Unknown uint64 // the store could not tell
}

// Stats returns a snapshot.
func (v *Revocations) Stats() RevocationStats {
	return RevocationStats{Passed: v.passed.Load(), Cached: v.cached.Load(), Revoked: v.revoked.Load(), Unknown: v.unknown.Load()}
}
