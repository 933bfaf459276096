package jwks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
)

// Defaults of [Options].
const (
	DefaultMinRefreshInterval = 5 * time.Minute
	DefaultMaxRefreshInterval = time.Hour
	DefaultMaxStaleness       = 24 * time.Hour
)

// Options of [New]. The zero value is the safe choice. They must not be
// modified once passed in, and may be shared by several sets.
type Options struct {
	// MetadataURL is where the discovery document is read instead of the
	// well-known addresses of the issuer: a container that knows the authority
	// by another host name, Entra's v1 endpoints, AD FS. The issuer that the
	// document names must still be the configured one.
	MetadataURL string

	// JWKSURL is where the key set is read, without discovery, for an issuer
	// that has a key set and nothing else. The issuer may then be any non-empty
	// string. Setting both MetadataURL and JWKSURL is an error.
	JWKSURL string

	// InsecureAllowHTTP lets addresses be http. Whoever is on the way between
	// this host and the authority can then hand out keys of their own and sign
	// any token. It is for development on one machine. A redirect from https to
	// http is refused even so.
	InsecureAllowHTTP bool

	// HTTPClient makes the requests, for CAs, client certificates, credentials
	// and proxies of your own. It is copied and never changed; its CheckRedirect
	// is asked after the set's own rules. Its Transport must honour the context of
	// the request. nil means a client of the set's own, with the proxies of the
	// environment and the CAs of the host; http.DefaultTransport has no part in it.
	HTTPClient *http.Client

	// MinRefreshInterval and MaxRefreshInterval bound the time between two
	// refreshes whatever the authority says by Cache-Control or Expires: no-store
	// does not mean hammering, a year does not pin a key. Where it says nothing,
	// MaxRefreshInterval is used. A random part of up to a tenth is added.
	// 0 means 5 minutes and one hour. The least is one second.
	//
	// MaxRefreshInterval, with its tenth, is how long a key that the authority has
	// taken away may still be accepted; while the key set cannot be read, it is
	// MaxStaleness.
	MinRefreshInterval time.Duration
	MaxRefreshInterval time.Duration

	// MaxStaleness is how long the last good keys are used while no refresh
	// succeeds. After it, every answer is [ErrUnavailable]. 0 means 24 hours, or
	// twice MaxRefreshInterval if that is more: an outage over a night or a wrong
	// change in the evening costs nobody a login, and a key that was taken away
	// because it was stolen is not honoured for longer than a day because its thief
	// can keep us from asking. It must be at least twice MaxRefreshInterval, so that
	// one refresh that fails costs nothing.
	MaxStaleness time.Duration

	// ClockTolerance is by how much this host's clock may differ from the
	// authority's before the log says so, at least five seconds. It decides
	// nothing. 0 means [clockskew.DefaultTolerance]; less means five seconds.
	ClockTolerance time.Duration

	// Logger takes a warning where an operator must act. It never gets a key or
	// a token. nil means [slog.Default] at the time of logging.
	Logger *slog.Logger

	// Events are told what happens. nil means nobody is.
	Events *Events
}

// Set is the key set of one issuer. All methods are safe for concurrent use.
// A Set must be made by [New], [NewStatic] or [NewFile].
type Set struct {
	issuer string
	// known is the value that tokens must carry, where no document tells it.
	known string

	// What readers need is atomic: they take no lock.
	snap atomic.Pointer[snapshot]
	// until is the wall-clock time in Unix nanoseconds up to which snap may be
	// used: never before the first keys and after Close, for ever for static keys.
	until atomic.Int64
	// overdue is the time in Unix nanoseconds after which a refresh should have
	// happened long ago: the host has slept, and its timers with it.
	overdue atomic.Int64

	source    source // nil for static keys
	schedule  schedule
	staleness time.Duration // 0: the keys do not go stale
	logger    *slog.Logger
	events    Events
	clock     clockskew.Meter
	tolerance time.Duration

	ctx    context.Context // of the owner goroutine; ended by Close
	cancel context.CancelFunc
	done   chan struct{} // closed when the owner goroutine has ended
	wake   chan struct{} // tells the owner to look again, capacity 1

	// Only the owner goroutine uses these.
	clockWrong bool
	redirects  map[[3]string]bool

	mu    sync.Mutex // guards state and is never held across I/O or a callback
	state state
}

// New starts a set that reads its keys from the authority. The first fetch has
// begun when it returns. The error is only ever about the configuration: it
// names the field, its value and what to do. [Set.Close] ends the set.
//
// issuer is the value that the authority calls itself by, exactly as its tokens
// carry it as iss, usually an https URL without query and fragment
// (RFC 8414, Section 2). Its discovery document is read at the well-known
// addresses below it unless Options say otherwise.
func New(issuer string, opts *Options) (*Set, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	from, err := o.authority(issuer)
	if err != nil {
		return nil, err
	}
	plan, err := o.plan()
	if err != nil {
		return nil, err
	}
	s := newSet(issuer, o.Logger, o.Events)
	s.schedule = plan
	s.staleness = cmp.Or(o.MaxStaleness, max(DefaultMaxStaleness, 2*plan.most))
	if s.staleness/2 < plan.most {
		return nil, fmt.Errorf("jwks: Options.MaxStaleness is %v, less than twice the longest time between two refreshes, %v: one refresh that fails would be an outage; raise it, leave it 0, or lower MaxRefreshInterval",
			o.MaxStaleness, plan.most)
	}
	s.tolerance = o.ClockTolerance
	if s.tolerance == 0 {
		s.tolerance = clockskew.DefaultTolerance
	}
	if o.JWKSURL != "" {
		s.known = issuer
	}
	from.clock = &s.clock
	from.redirected = s.redirected
	s.source = from
	s.start()
	return s, nil
}

// plan checks the refresh intervals.
func (o *Options) plan() (schedule, error) {
	plan := schedule{least: o.MinRefreshInterval, most: o.MaxRefreshInterval}
	for _, field := range []struct {
		name  string
		value time.Duration
	}{
		{"MinRefreshInterval", plan.least},
		{"MaxRefreshInterval", plan.most},
	} {
		if field.value != 0 && field.value < time.Second {
			return plan, fmt.Errorf("jwks: Options.%s is %v, less than one second, which would hammer the authority; raise it or leave it 0", field.name, field.value)
		}
	}
	if plan.least == 0 {
		plan.least = DefaultMinRefreshInterval
		if plan.most != 0 {
			plan.least = min(plan.least, plan.most)
		}
	}
	if plan.most == 0 {
		plan.most = max(DefaultMaxRefreshInterval, plan.least)
	}
	if plan.least > plan.most {
		return plan, fmt.Errorf("jwks: Options.MinRefreshInterval is %v, more than MaxRefreshInterval (%v); lower it", plan.least, plan.most)
	}
	return plan, nil
}

// authority checks the addresses and returns where the keys come from.
func (o *Options) authority(issuer string) (*authority, error) {
	a := &authority{issuer: issuer}
	a.allowHTTP = o.InsecureAllowHTTP
	if o.HTTPClient != nil {
		a.client = *o.HTTPClient
	} else {
		a.client, a.closeIdle = defaultClient()
	}
	if issuer == "" {
		return nil, errors.New(`jwks: the issuer is empty; pass what tokens carry as iss, such as "https://id.example.com"`)
	}
	if o.JWKSURL != "" && o.MetadataURL != "" {
		return nil, fmt.Errorf("jwks: both Options.MetadataURL (%q) and Options.JWKSURL (%q) are set; JWKSURL skips discovery, so remove one", shown(o.MetadataURL), shown(o.JWKSURL))
	}
	if o.JWKSURL != "" {
		if _, err := a.configured("Options.JWKSURL", o.JWKSURL); err != nil {
			return nil, err
		}
		a.keysURL = o.JWKSURL
		return a, nil
	}
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("jwks: the issuer %s is no URL; pass one such as \"https://id.example.com\", or set Options.JWKSURL for an issuer that is none", quoted(issuer))
	}
	switch {
	case u.User != nil:
		return nil, errors.New("jwks: the issuer carries a user name or password; remove it, and put credentials into Options.HTTPClient")
	case !u.IsAbs() || u.Hostname() == "":
		return nil, fmt.Errorf("jwks: the issuer %s is no absolute URL with a host; pass one such as \"https://id.example.com\", or set Options.JWKSURL for an issuer that is none", quoted(issuer))
	case u.RawQuery != "" || u.ForceQuery:
		return nil, fmt.Errorf("jwks: the issuer %s has a query; remove it (RFC 8414, Section 2), and set Options.MetadataURL if discovery needs one", quoted(issuer))
	case strings.Contains(u.Path, "/.well-known/"):
		return nil, fmt.Errorf("jwks: the issuer %s is the address of its metadata; pass what tokens carry as iss, which is what the document there says as issuer", quoted(issuer))
	case u.Fragment != "" || issuer[len(issuer)-1] == '#':
		return nil, fmt.Errorf("jwks: the issuer %s has a fragment; remove it (RFC 8414, Section 2)", quoted(issuer))
	}
	if o.MetadataURL != "" {
		if _, err := a.configured("Options.MetadataURL", o.MetadataURL); err != nil {
			return nil, err
		}
		a.wellKnown = []string{o.MetadataURL}
		return a, nil
	}
	if _, err := a.configured("the issuer", issuer); err != nil {
		return nil, err
	}
	a.wellKnown = wellKnown(u)
	return a, nil
}

// configured checks an address that will be fetched.
func (a *authority) configured(field, value string) (*url.URL, error) {
	u, err := url.Parse(value)
	if err != nil {
		return nil, fmt.Errorf("jwks: %s is %s, which is no URL; pass one such as \"https://id.example.com/keys\"", field, quoted(value))
	}
	if u.User != nil {
		return nil, fmt.Errorf("jwks: %s carries a user name or password; remove it, and put credentials into Options.HTTPClient", field)
	}
	if err := a.allowed(u); err != nil {
		return nil, fmt.Errorf("jwks: %s: %w; pass an https URL with a host", field, err)
	}
	return u, nil
}

func newSet(issuer string, logger *slog.Logger, events *Events) *Set {
	s := &Set{
		issuer: issuer,
		logger: logger,
		done:   make(chan struct{}),
		wake:   make(chan struct{}, 1),
	}
	if events != nil {
		s.events = *events
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.until.Store(math.MinInt64)
	s.overdue.Store(math.MaxInt64)
	now := time.Now()
	s.state.absent = newAbsent(now)
	s.state.attempt = newFlight()
	return s
}

// Issuer returns the issuer as configured.
func (s *Set) Issuer() string { return s.issuer }

// TokenIssuer returns the value that a token's iss must be equal to, byte by
// byte: the issuer as the discovery document spells it, which is the configured
// one but for a trailing slash at most. It is "" until a document has been read.
// Where there is no discovery, it is the configured issuer from the start.
func (s *Set) TokenIssuer() string {
	if snap := s.snap.Load(); snap != nil {
		return snap.issuer
	}
	return s.known
}

// Keys returns the keys of the set in the order of the document, none before
// the first refresh. They are a copy, and a later refresh does not change them.
func (s *Set) Keys() []*Key {
	snap := s.snap.Load()
	if snap == nil {
		return nil
	}
	return slices.Clone(snap.keys)
}

// Ready returns nil while keys are held and may be used, whatever state the
// authority is in; else an error that matches [ErrUnavailable]. It does not wait.
func (s *Set) Ready() error {
	if s.usable(time.Now()) {
		return nil
	}
	return s.outage()
}

// WaitReady waits until [Set.Ready] returns nil. The error matches
// [ErrUnavailable]: the set was closed, or ctx ended, and then it matches what
// ctx.Err returns too.
func (s *Set) WaitReady(ctx context.Context) error {
	for {
		// In one breath: a refresh that lands in between would be waited for, and it
		// is the next one that would come.
		s.mu.Lock()
		ready, attempt := s.usable(time.Now()), s.state.attempt
		s.mu.Unlock()
		if ready {
			return nil
		}
		select {
		case <-attempt.done:
		case <-ctx.Done():
			return s.gaveUp(ctx)
		case <-s.ctx.Done():
			return ErrClosed
		}
	}
}

// Close ends the set: it stops the refreshes, wakes who waits with [ErrClosed]
// and returns when nothing of the set runs any more. It may be called more than
// once and always returns nil. It must not be called from a function of
// [Events], which it would wait for.
func (s *Set) Close() error {
	s.mu.Lock()
	s.state.closed = true
	s.until.Store(math.MinInt64)
	s.overdue.Store(math.MaxInt64)
	s.mu.Unlock()
	s.cancel()
	<-s.done
	return nil
}
