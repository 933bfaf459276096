package jwtbearertest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

// Issuer is a fake authorization server. Its methods are safe for concurrent use.
type Issuer struct {
	url        string // the issuer identifier, as it is in tokens
	base       string // url without a trailing slash
	path       string // of base
	opts       *Options
	algorithms []string
	anyAPI     bool // Options named no APIs
	routes     map[string]route

	offset atomic.Int64 // of the issuer's clock, in nanoseconds

	server *http.Server // nil in-process
	client *http.Client
	served chan struct{} // closed when server.Serve has returned

	mu       sync.Mutex
	keys     *keySet
	faults   map[Endpoint]*Fault
	headers  map[Endpoint]http.Header
	requests map[Endpoint]int
	metadata map[string]any // SetMetadata

	users         map[string]*User // by subject
	deleted       map[string]bool  // subjects
	sessions      map[string]*session
	signIns       int
	codes         map[string]*code
	refreshTokens map[string]*refreshToken
	accessTokens  map[string]accessRecord // by jti
	forgetAt      int                     // number of accessTokens
	opaqueTokens  map[string]string
	revokedTokens map[string]bool      // by inspection.id
	assertions    map[string]time.Time // client id and jti, until when

	closing context.Context // ends with Close
	cutOff  context.CancelFunc
	running map[*context.CancelFunc]bool
	idle    chan struct{} // closed when running is empty; only while closing
	closed  bool
}

// route is where an endpoint is.
type route struct {
	endpoint Endpoint
	handler  http.HandlerFunc
}

// NewIssuer returns an issuer that lives in this process, at https://issuer.test
// unless Options say otherwise, and is reached through [Issuer.Client] only: no
// sockets are involved. The test's clean-up closes it. It works inside a
// testing/synctest bubble, when it was made there; its time is then the bubble's.
//
// At most one Options is taken; nil is the zero value. A mistake in them ends the
// test.
func NewIssuer(tb testing.TB, opts ...*Options) *Issuer {
	tb.Helper()
	o := new(Options)
	switch {
	case len(opts) > 1:
		tb.Fatalf("jwtbearertest: NewIssuer takes one Options at most, got %d", len(opts))
	case len(opts) == 1 && opts[0] != nil:
		o = opts[0]
	}
	if o.Addr != "" {
		tb.Fatalf("jwtbearertest: Options.Addr %q: an in-process issuer does not listen: use Start, or Options.URL", o.Addr)
	}
	anyAPI := o.APIs == nil
	o, err := o.prepare("https://issuer.test")
	if err != nil {
		tb.Fatal(err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(tb.Output(), nil))
	}
	i := newIssuer(o, anyAPI)
	u, _ := url.Parse(i.url)
	i.client = &http.Client{Transport: &inProcess{handler: i, host: u.Host, track: i.track}}
	tb.Cleanup(i.Close)
	return i
}

// Start returns an issuer that serves plain HTTP on a loopback address, for
// programs that show something. The caller closes it. nil Options are the zero
// value.
//
// It refuses any address that is not a loopback one, unless
// Options.InsecureListenAnywhere is set.
func Start(opts *Options) (*Issuer, error) {
	if opts == nil {
		opts = new(Options)
	}
	addr := opts.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("jwtbearertest: Options.Addr %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && !opts.InsecureListenAnywhere {
		return nil, fmt.Errorf("jwtbearertest: Options.Addr %q is not a loopback address: this is a fake issuer that signs in whoever asks: use 127.0.0.1, or set Options.InsecureListenAnywhere", addr)
	}
	// The options are checked once before a port is taken.
	if _, err := opts.prepare("http://127.0.0.1"); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("jwtbearertest: %w", err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	o, err := opts.prepare("http://" + net.JoinHostPort(host, port))
	if err != nil {
		listener.Close()
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	i := newIssuer(o, opts.APIs == nil)
	i.served = make(chan struct{})
	i.server = &http.Server{
		Handler:           http.HandlerFunc(i.serveTracked),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		// Faults break connections on purpose; net/http would log each one.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	i.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	go func() {
		defer close(i.served)
		i.server.Serve(listener)
	}()
	return i, nil
}

func newIssuer(o *Options, anyAPI bool) *Issuer {
	i := &Issuer{
		url:        o.URL,
		base:       strings.TrimSuffix(o.URL, "/"),
		opts:       o,
		anyAPI:     anyAPI,
		algorithms: o.Algorithms,
		keys:       newKeySet(o.Algorithms, o.BareKeys, o.NoKeyIDs),
		faults:     make(map[Endpoint]*Fault),
		headers:    make(map[Endpoint]http.Header),
		requests:   make(map[Endpoint]int),
		metadata:   make(map[string]any),

		users:         make(map[string]*User),
		deleted:       make(map[string]bool),
		sessions:      make(map[string]*session),
		codes:         make(map[string]*code),
		refreshTokens: make(map[string]*refreshToken),
		accessTokens:  make(map[string]accessRecord),
		opaqueTokens:  make(map[string]string),
		revokedTokens: make(map[string]bool),
		assertions:    make(map[string]time.Time),

		running: make(map[*context.CancelFunc]bool),
	}
	i.closing, i.cutOff = context.WithCancel(context.Background())
	u, _ := url.Parse(i.base)
	i.path = u.Path
	for _, user := range o.Users {
		i.users[user.Subject] = user
	}
	i.routes = i.endpoints()
	return i
}

// URL returns the issuer identifier, which tokens carry as iss.
func (i *Issuer) URL() string { return i.url }

// Client returns an HTTP client that reaches the issuer. An in-process issuer is
// reached by this client only, and the client reaches nothing else. Each call
// returns a new client that the caller may change; they share connections.
func (i *Issuer) Client() *http.Client {
	client := *i.client
	return &client
}

// Verifier returns a verifier of this issuer's tokens, which the test's clean-up
// closes. opts may be nil; HTTPClient is set if it is nil, InsecureAllowHTTP if
// the issuer has an http URL, and a nil Logger writes to the test's output.
// A mistake in opts ends the test.
func (i *Issuer) Verifier(tb testing.TB, opts *jwtbearer.Options) *jwtbearer.Verifier {
	tb.Helper()
	o := new(jwtbearer.Options)
	if opts != nil {
		*o = *opts
	}
	if o.Keys == nil {
		if o.HTTPClient == nil {
			o.HTTPClient = i.Client()
		}
		if strings.HasPrefix(i.url, "http://") {
			o.InsecureAllowHTTP = true
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(tb.Output(), nil))
	}
	verifier, err := jwtbearer.New(i.url, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { verifier.Close() })
	return verifier
}

// SetClockOffset makes the issuer's clock run ahead of this process's clock, or
// behind it if offset is negative: the Date header field, the times in tokens and
// every lifetime follow it.
func (i *Issuer) SetClockOffset(offset time.Duration) { i.offset.Store(int64(offset)) }

// now is the issuer's time.
func (i *Issuer) now() time.Time { return time.Now().Add(time.Duration(i.offset.Load())) }

// Close ends the issuer: requests under way are cut off and waited for, later
// ones are refused as if nothing listened, and no client is told of a logout any
// more. Closing again does nothing. Tokens may still be minted; their keys may then
// be those of another issuer, however.
func (i *Issuer) Close() {
	i.mu.Lock()
	if i.closed {
		i.mu.Unlock()
		return
	}
	i.closed = true
	i.idle = make(chan struct{})
	idle := i.idle
	if len(i.running) == 0 {
		close(idle)
	}
	i.cutOff()
	for cancel := range i.running {
		(*cancel)()
	}
	i.mu.Unlock()

	if i.server != nil {
		// Connections that wait for their next request end at once; a client that
		// neither reads nor leaves is not waited for.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if i.server.Shutdown(ctx) != nil {
			i.server.Close()
		}
		<-i.served
		i.client.CloseIdleConnections()
	}
	<-idle
	i.mu.Lock()
	i.keys.release()
	i.mu.Unlock()
}

// track notes that an exchange is under way, so that Close can end it.
func (i *Issuer) track(cancel context.CancelFunc) (done func(), err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return nil, errRefused()
	}
	key := &cancel
	i.running[key] = true
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.running, key)
		if i.idle != nil && len(i.running) == 0 {
			close(i.idle)
		}
	}, nil
}

// serveTracked is track for a real server.
func (i *Issuer) serveTracked(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	done, err := i.track(cancel)
	if err != nil {
		refuseConnection(w)
		return
	}
	defer done()
	i.ServeHTTP(w, r.WithContext(ctx))
}

// ServeHTTP implements http.Handler: the issuer may be mounted in another server,
// under the path of its URL.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, known := i.routes[r.URL.Path]
	if !known && i.movedKeys(r.URL.Path) {
		route, known = i.routes[i.path+"/jwks"], true
	}
	fields := i.count(route.endpoint, known)
	if i.opts.OnRequest != nil {
		i.opts.OnRequest(route.endpoint, r)
	}
	out := &overriding{ResponseWriter: w, fields: fields}
	out.Header().Set("Date", i.now().UTC().Format(http.TimeFormat))
	r.Body = http.MaxBytesReader(out, r.Body, 1<<20)
	good := route.handler
	if !known {
		good = http.NotFound
	}
	fault := i.takeFault(route.endpoint)
	if fault == nil {
		good(out, r)
	} else {
		fault.answer(&faulty{w: out, r: r, good: good, refuse: func() { refuseConnection(w) }})
	}
	if !out.wrote && r.Context().Err() != nil {
		// The issuer is closing, or the client is gone.
		panic(http.ErrAbortHandler)
	}
}

// count counts a request, and returns the header fields that its answer is to have.
func (i *Issuer) count(endpoint Endpoint, known bool) http.Header {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests[EndpointAll]++
	if known {
		i.requests[endpoint]++
	}
	fields := make(http.Header)
	for _, e := range []Endpoint{EndpointAll, endpoint} {
		for name, values := range i.headers[e] {
			fields[name] = values
		}
	}
	return fields
}
