package jwtbearer

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/tokencache"
)

// Verifier decides whether requests may pass, by the tokens of one authority
// or of several ([Join], [NewTenants]). Make it with [New] and end it with
// [Verifier.Close]. All methods are safe for concurrent use.
type Verifier struct {
	// routes are the authorities by issuer, without one trailing slash.
	routes  map[string]*authority
	tenants []*tenants
	// members are what a joined verifier was made of.
	members []*Verifier

	cache        *tokencache.Cache[*verified] // nil if disabled
	cacheOptions CacheOptions
	headers      *headerCache
	flight       singleflight.Group // first uses of a token
	introspector *authority         // who is asked about opaque tokens; may be nil

	realm        string
	errorHandler func(w http.ResponseWriter, r *http.Request, status int, err error)
	events       Events       // for what cannot be ascribed to one authority
	log          *slog.Logger // nil: the default one
	hints        hints

	closed    atomic.Bool
	closeOnce sync.Once
	closeErr  error
}

// authority is an issuer with its keys and with what is demanded of its tokens.
type authority struct {
	issuer  string // as configured
	profile *profile
	keys    *jwks.Set
	owned   bool
	tenant  *tenant // nil if the issuer is a fixed one
}

// verified is what the cache holds: a token whose signature was checked.
type verified struct {
	token *Token
	until time.Time // when to check it again at the latest
}

// maxVerifiedAge is how long a signature check is believed.
const maxVerifiedAge = time.Hour

// New returns a verifier for the tokens of one authority: issuer is its
// identifier, the value of iss in its tokens, such as
// "https://id.example.com". Metadata and keys are fetched in the background
// from now on; New neither waits for them nor fails because the network does.
// Its errors are configuration mistakes and name field, value and fix.
func New(issuer string, opts *Options) (*Verifier, error) {
	if opts == nil {
		opts = &Options{}
	}
	v, err := newVerifier(opts)
	if err != nil {
		return nil, err
	}
	p, err := newProfile(opts)
	if err != nil {
		return nil, err
	}
	keys, owned, err := keySet(issuer, p, opts)
	if err != nil {
		return nil, err
	}
	a := &authority{issuer: issuer, profile: p, keys: keys, owned: owned}
	v.routes = map[string]*authority{routeKey(issuer): a}
	if p.introspector != nil {
		v.introspector = a
	}
	return v, nil
}

// newVerifier returns a verifier without authorities.
func newVerifier(o *Options) (*Verifier, error) {
	if !quotable(o.Realm) {
		return nil, misconfigured("Options.Realm", strconv.Quote(o.Realm), "use printable ASCII without quote and backslash")
	}
	v := &Verifier{realm: o.Realm, errorHandler: o.ErrorHandler, log: o.Logger, headers: newHeaderCache()}
	if o.Events != nil {
		v.events = *o.Events
	}
	cache, err := newCache(o.Cache)
	if err != nil {
		return nil, err
	}
	v.cache, v.cacheOptions = cache, o.Cache
	return v, nil
}

func newCache(o CacheOptions) (*tokencache.Cache[*verified], error) {
	entries, size := o.MaxEntries, o.MaxBytes
	switch {
	case o.Disabled && (entries != 0 || size != 0):
		return nil, misconfigured("Options.Cache.Disabled", true, "leave MaxEntries and MaxBytes zero with it")
	case o.Disabled:
		return nil, nil
	case entries < 0 || entries > 1<<24:
		return nil, misconfigured("Options.Cache.MaxEntries", entries, "give 1 to 16,777,216, 0 for the default, or set Disabled")
	case size < 0:
		return nil, misconfigured("Options.Cache.MaxBytes", size, "give a positive number, 0 for the default, or set Disabled")
	}
	if entries == 0 {
		entries = 1 << 14
	}
	if size == 0 {
		size = 32 << 20
	}
	return tokencache.New(entries, int64(size), dead), nil
}

// dead reports whether a cached token is of no more use to anybody, so that its
// place can be had.
func dead(e *verified, now time.Time) bool {
	t := e.token
	return !now.Before(e.until) || t.authority.unloaded() ||
		now.After(t.times.Expiry.Add(t.authority.profile.skew)) ||
		errors.Is(t.authority.keys.Holds(t.key, now), jwks.ErrKeyNotFound)
}

// routeKey is the form of an issuer by which its authority is found. Metadata
// may have one trailing slash more or less than the configured issuer; which of
// the two a token must have is checked later, exactly.
func routeKey(issuer string) string { return strings.TrimSuffix(issuer, "/") }

// authorities calls yield for each authority, loaded tenants included.
func (v *Verifier) authorities(yield func(*authority) bool) {
	for _, a := range v.routes {
		if !yield(a) {
			return
		}
	}
	for _, t := range v.tenants {
		for _, a := range t.loaded() {
			if !yield(a) {
				return
			}
		}
	}
}

// Ready returns nil if requests can be served: usable keys are held, of at
// least one authority. It answers at once. Since keys stay in use through an
// outage of the authority, so does readiness. A verifier for tenants is always
// ready, because it loads them when they are first needed. The error matches
// [ErrUnavailable], or [ErrClosed].
func (v *Verifier) Ready() error {
	if v.closed.Load() {
		return refuse(ErrClosed)
	}
	if len(v.tenants) > 0 {
		return nil
	}
	var errs []error
	for a := range v.authorities {
		err := a.keys.Ready()
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return &Error{Reason: ErrKeysUnavailable, Err: errors.Join(errs...)}
}

// WaitReady waits until [Verifier.Ready] returns nil, or ctx ends. The error
// matches [ErrUnavailable], and that of ctx.
func (v *Verifier) WaitReady(ctx context.Context) error {
	if v.Ready() == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var waiting int
	errs := make(chan error)
	for a := range v.authorities {
		waiting++
		go func() {
			err := a.keys.WaitReady(ctx)
			if err == nil {
				cancel() // one is enough: the others stop waiting
			}
			errs <- err
		}()
	}
	var failed []error
	ready := false
	for range waiting {
		if err := <-errs; err != nil {
			failed = append(failed, err)
		} else {
			ready = true
		}
	}
	switch {
	case ready:
		return nil
	case v.closed.Load():
		return refuse(ErrClosed)
	}
	return &Error{Reason: ErrKeysUnavailable, Err: errors.Join(failed...)}
}

// Refresh reads metadata and keys of every authority now and waits until that
// is done or ctx ends. A key that the authority has withdrawn is refused from
// then on. The error matches [ErrUnavailable]; keys in hand stay in use.
func (v *Verifier) Refresh(ctx context.Context) error {
	if v.closed.Load() {
		return refuse(ErrClosed)
	}
	var all []*authority
	for a := range v.authorities {
		all = append(all, a)
	}
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, a := range all {
		wg.Go(func() { errs[i] = a.keys.Refresh(ctx) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return &Error{Reason: ErrKeysUnavailable, Err: err}
	}
	return nil
}

// Status is a snapshot of a verifier, for people and dashboards.
type Status struct {
	// Authorities has one entry an authority, in the order of their issuers.
	Authorities []jwks.Status `json:"authorities"`
	// Cache is about the memory of verified tokens.
	Cache CacheStatus `json:"cache"`
}

// CacheStatus is a snapshot of the memory of verified tokens.
type CacheStatus struct {
	Entries int    `json:"entries"` // tokens in memory, some of which may be of no more use
	Bytes   int    `json:"bytes"`   // an estimate of the memory they take
	Hits    uint64 `json:"hits"`    // tokens that were found since the verifier was made, estimated by sampling
	Misses  uint64 `json:"misses"`  // tokens that were not
}

// Close ends the background work, waits for it, and closes the members of a
// joined verifier. Requests get 503 from then on. It may be called again; the
// error is always nil for now.
func (v *Verifier) Close() error {
	v.closed.Store(true)
	v.closeOnce.Do(func() {
		var errs []error
		for _, m := range v.members {
			errs = append(errs, m.Close())
		}
		for _, t := range v.tenants {
			t.close()
		}
		for _, a := range v.routes {
			if a.owned {
				errs = append(errs, a.keys.Close())
			}
		}
		v.closeErr = errors.Join(errs...)
	})
	return v.closeErr
}
