package jwtbearer

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/tokencache"
)

// TenantOptions are the options of [NewTenants].
type TenantOptions struct {
	// Options are those of every tenant; nil is fine. MetadataURL and JWKSURL
	// may have the placeholder of the template too. Keys must be nil.
	Options *Options
	// Tenants are the tenants that are allowed, compared exactly.
	Tenants []string
	// AllowTenant, if not nil, is asked about tenants that are not listed in
	// Tenants. It is called for every token, on the request path, often with a
	// name taken from a token that nobody vouches for yet: it must be fast, safe
	// for concurrent use, and say yes only to tenants that are known to it, since
	// a yes makes this host fetch that tenant's keys. From its first no on, the
	// tenant's tokens are refused.
	AllowTenant func(tenant string) bool
	// TenantClaim is a claim that must name the tenant too, such as Entra's
	// "tid". Empty means that there is none.
	TenantClaim string
	// MaxLoaded is how many tenants have their keys held at a time. Zero means
	// 1,000. One whose tokens have never been good makes room, 10 seconds after it
	// was loaded, or else the one that was not used for longest, unless that was
	// within the last minute: a new tenant is answered by 503 then.
	MaxLoaded int
}

// minIdle is how long a tenant is left alone before it can be unloaded, so that
// a changing crowd does not make this host fetch all the time; minTrial is that of
// a tenant of which there was no good token yet, which anybody can have loaded.
const (
	minIdle  = time.Minute
	minTrial = 10 * time.Second
)

// NewTenants returns a verifier for an authority that has an issuer for each of
// its tenants. The template is such an issuer with a placeholder in braces for
// the tenant: "https://login.microsoftonline.com/{tenantid}/v2.0", or
// "https://{tenant}.id.example.com". A tenant's name is made of letters,
// digits, hyphen and underscore. Which tenants there are must be said, in
// [TenantOptions]; the metadata and keys of each are fetched when its first
// token comes, and held as if it had a verifier of its own.
func NewTenants(template string, opts *TenantOptions) (*Verifier, error) {
	if opts == nil || (len(opts.Tenants) == 0 && opts.AllowTenant == nil) {
		return nil, misconfigured("TenantOptions.Tenants", "none", "list the tenants, or set AllowTenant")
	}
	prefix, rest, ok := strings.Cut(template, "{")
	name, suffix, closed := strings.Cut(rest, "}")
	if !ok || !closed || name == "" || strings.ContainsAny(suffix, "{}") {
		return nil, misconfigured("template", template, "put one placeholder such as {tenant} into the issuer")
	}
	for _, tenant := range opts.Tenants {
		if !tenantName(tenant) {
			return nil, misconfigured("TenantOptions.Tenants", fmt.Sprintf("%q", tenant), "use letters, digits, hyphen and underscore")
		}
	}
	if opts.MaxLoaded < 0 {
		return nil, misconfigured("TenantOptions.MaxLoaded", opts.MaxLoaded, "give a positive number, or 0 for 1,000")
	}
	o := Options{}
	if opts.Options != nil {
		o = *opts.Options
	}
	if o.Keys != nil {
		return nil, misconfigured("Options.Keys", "set", "leave it nil: each tenant has keys of its own")
	}
	if o.Introspector != nil {
		return nil, misconfigured("Options.Introspector", "set", "leave it nil: an opaque token does not name its tenant")
	}
	v, err := newVerifier(&o)
	if err != nil {
		return nil, err
	}
	p, err := newProfile(&o)
	if err != nil {
		return nil, err
	}
	t := &tenants{
		template: template, prefix: prefix, suffix: strings.TrimSuffix(suffix, "/"), placeholder: "{" + name + "}",
		profile: p, options: o, listed: make(map[string]bool, len(opts.Tenants)), allow: opts.AllowTenant,
		claim: opts.TenantClaim, max: opts.MaxLoaded, live: make(map[string]*authority),
	}
	for _, tenant := range opts.Tenants {
		t.listed[tenant] = true
	}
	t.share(v.cache)
	if t.max == 0 {
		t.max = 1000
	}
	// A mistake in the template is to be an error here, and not a 503 later. The
	// name is nobody's, or somebody else's: nothing is to be fetched for it.
	probing := t.filled("tenant")
	probing.HTTPClient, probing.Logger = &http.Client{Transport: noNetwork{}}, slog.New(slog.DiscardHandler)
	probe, _, err := keySet(t.issuer("tenant"), &profile{skew: p.skew}, &probing)
	if err != nil {
		return nil, err
	}
	_ = probe.Close()
	v.tenants = []*tenants{t}
	return v, nil
}

// tenants are the authorities that a template stands for.
type tenants struct {
	template, prefix, suffix, placeholder string

	profile *profile
	options Options
	listed  map[string]bool
	allow   func(string) bool
	claim   string
	max     int

	liveMu  sync.RWMutex
	live    map[string]*authority
	closed  bool
	caches  []*tokencache.Cache[*verified] // that hold tokens of the tenants
	closing sync.WaitGroup                 // unloaded key sets
}

// tenant is what an authority is as one of many.
type tenant struct {
	name     string
	claim    string
	of       *tenants
	loaded   time.Time
	lastUsed atomic.Int64 // Unix seconds; 0: by no good token yet
	gone     atomic.Bool
}

// claimedBy reports whether the token names this tenant in the claim for it. A
// nil tenant has none.
func (t *tenant) claimedBy(token *Token) bool {
	return t == nil || t.claim == "" || token.StringClaim(t.claim) == t.name
}

// unloaded reports whether the authority was dropped to make room.
func (a *authority) unloaded() bool { return a.tenant != nil && a.tenant.gone.Load() }

// used notes that the authority's tenant is in use, by a token whose signature
// holds: junk must not keep the places that others need.
func (a *authority) used(now time.Time) {
	if a.tenant != nil && a.tenant.lastUsed.Load() != now.Unix() {
		a.tenant.lastUsed.Store(now.Unix())
	}
}

// allowed reports whether the authority is still one of those whose tokens are
// accepted.
func (a *authority) allowed() bool { return a.tenant == nil || a.tenant.of.allows(a.tenant.name) }

func (t *tenants) allows(name string) bool {
	return t.listed[name] || t.allow != nil && t.allow(name)
}

// share notes that a verifier keeps tokens of the tenants in this cache, which may
// be nil.
func (t *tenants) share(cache *tokencache.Cache[*verified]) {
	if cache == nil {
		return
	}
	t.liveMu.Lock()
	defer t.liveMu.Unlock()
	t.caches = append(t.caches, cache)
}

// match returns the name of the tenant whose issuer this is.
func (t *tenants) match(issuer string) (string, bool) {
	rest, ok := strings.CutPrefix(issuer, t.prefix)
	if !ok {
		return "", false
	}
	name, ok := strings.CutSuffix(strings.TrimSuffix(rest, "/"), t.suffix)
	return name, ok && tenantName(name)
}

// tenantName reports whether s can be put into the template and mean one label
// of a host, or one segment of a path, and nothing else.
func tenantName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

// authority returns the authority of a tenant, and loads it if it is allowed
// and there is room.
func (t *tenants) authority(name string) (*authority, *Error) {
	allowed, now := t.allows(name), time.Now()
	t.liveMu.RLock()
	a := t.live[name]
	t.liveMu.RUnlock()
	switch {
	case !allowed:
		if a != nil {
			t.expel(a)
		}
		return nil, refuse(ErrIssuer)
	case a != nil:
		return a, nil
	}
	t.liveMu.Lock()
	defer t.liveMu.Unlock()
	switch a := t.live[name]; {
	case t.closed:
		return nil, refuse(ErrClosed)
	case a != nil:
		return a, nil
	case len(t.live) >= t.max && !t.unloadOne(now):
		return nil, &Error{Reason: ErrKeysUnavailable, Detail: fmt.Sprintf("%d tenants of %s are in use", t.max, t.template)}
	}
	a, err := t.load(name, now)
	if err != nil {
		return nil, &Error{Reason: ErrKeysUnavailable, Err: err}
	}
	t.live[name] = a
	return a, nil
}

// load starts to fetch the keys of a tenant; it does not wait for them.
func (t *tenants) load(name string, now time.Time) (*authority, error) {
	o, issuer := t.filled(name), t.issuer(name)
	keys, _, err := keySet(issuer, t.profile, &o)
	if err != nil {
		return nil, err
	}
	return &authority{issuer: issuer, profile: t.profile, keys: keys, owned: true, tenant: &tenant{name: name, claim: t.claim, of: t, loaded: now}}, nil
}

// issuer returns the issuer of a tenant.
func (t *tenants) issuer(name string) string {
	return strings.ReplaceAll(t.template, t.placeholder, name)
}

// filled returns the options for a tenant.
func (t *tenants) filled(name string) Options {
	o := t.options
	o.MetadataURL = strings.ReplaceAll(o.MetadataURL, t.placeholder, name)
	o.JWKSURL = strings.ReplaceAll(o.JWKSURL, t.placeholder, name)
	return o
}

// noNetwork is a transport that reaches nobody.
type noNetwork struct{}

// RoundTrip implements [http.RoundTripper].
func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("jwtbearer: no network")
}

// unloadOne makes room for a tenant and reports whether it could: the oldest of
// those without a good token yet goes first, then the one that was not used for
// longest. The caller holds liveMu.
func (t *tenants) unloadOne(now time.Time) bool {
	var trial, idle *tenant
	for _, a := range t.live {
		one := a.tenant
		switch last := one.lastUsed.Load(); {
		case last == 0:
			if trial == nil || one.loaded.Before(trial.loaded) {
				trial = one
			}
		case idle == nil || last < idle.lastUsed.Load():
			idle = one
		}
	}
	switch {
	case trial != nil && now.Sub(trial.loaded) >= minTrial:
		t.unload(trial)
	case idle != nil && now.Unix()-idle.lastUsed.Load() >= int64(minIdle/time.Second):
		t.unload(idle)
	default:
		return false
	}
	return true
}

// expel drops a tenant that is allowed no more.
func (t *tenants) expel(a *authority) {
	t.liveMu.Lock()
	defer t.liveMu.Unlock()
	if !t.closed && t.live[a.tenant.name] == a {
		t.unload(a.tenant)
	}
}

// unload drops a tenant, and what is remembered of its tokens, which would keep
// its keys in memory. The caller holds liveMu.
func (t *tenants) unload(one *tenant) {
	a := t.live[one.name]
	delete(t.live, one.name)
	one.gone.Store(true)
	caches := t.caches
	t.closing.Go(func() {
		_ = a.keys.Close() // waits for a fetch to end
		for _, cache := range caches {
			cache.Sweep(time.Now())
		}
	})
}

// loaded returns the authorities that are loaded.
func (t *tenants) loaded() []*authority {
	t.liveMu.RLock()
	defer t.liveMu.RUnlock()
	list := make([]*authority, 0, len(t.live))
	for _, a := range t.live {
		list = append(list, a)
	}
	return list
}

// close ends the background work of all tenants and waits for it.
func (t *tenants) close() {
	t.liveMu.Lock()
	t.closed = true
	var sets []*jwks.Set
	for _, a := range t.live {
		sets = append(sets, a.keys)
	}
	t.liveMu.Unlock()
	for _, s := range sets {
		t.closing.Go(func() { _ = s.Close() })
	}
	t.closing.Wait()
}
