// Package introspection asks the authority about tokens by OAuth 2.0 Token
// Introspection (RFC 7662).
//
// A [Client] is a [jwtbearer.Introspector], for authorities whose access tokens
// say nothing by themselves or are encrypted, and a [jwtbearer.Checker], which
// asks whether a JWT that is good in itself was revoked:
//
//	client, err := introspection.New("https://id.example.com/introspect", &introspection.Options{
//		ClientID: "api1", ClientSecret: secret,
//	})
//	if err != nil { … }
//	defer client.Close()
//	verifier, err := jwtbearer.New("https://id.example.com", &jwtbearer.Options{
//		Introspector: client,                              // opaque tokens
//		Checkers:     []jwtbearer.Checker{client},         // JWTs, if their revocation matters
//	})
//
// An answer is believed for a short time, [Options.MaxCacheLife]: for so long a
// revoked token may still be accepted. What the authority could not be asked is
// unknown, and answered 503, never 401.
package introspection

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/tokencache"
)

const (
	// DefaultMaxCacheLife is [Options.MaxCacheLife] where it is zero.
	DefaultMaxCacheLife = 10 * time.Second
	// NoCache as MaxCacheLife turns the cache off.
	NoCache time.Duration = -1

	// maxInactiveLife bounds how long "inactive" is believed: long enough for
	// one client that repeats itself, and short, since the answer may come from
	// a replica of the authority that does not know a new token yet.
	maxInactiveLife = 2 * time.Second
	// maxCacheLife bounds MaxCacheLife.
	maxCacheLife = 5 * time.Minute
)

// Options of [New]. There must be credentials: either ClientID with ClientSecret,
// or Authorize (RFC 7662, Section 2.1 requires some). Options must not be modified after they
// were passed to New.
type Options struct {
	// ClientID and ClientSecret are sent by HTTP Basic authentication (RFC 6749,
	// Section 2.3.1), or in the body if SecretInBody is set.
	ClientID, ClientSecret string
	SecretInBody           bool
	// Authorize, if not nil, adds credentials of another kind: a bearer token in
	// the header, a client assertion in the form, or only a client_id where
	// HTTPClient has a client certificate. It is called for each request,
	// concurrently; its context ends after Timeout. Its error fails the request.
	Authorize func(ctx context.Context, header http.Header, form url.Values) error

	// InsecureAllowHTTP accepts an endpoint without TLS: whoever is on the path
	// then reads tokens and credentials, and decides which tokens are active.
	// It is for development.
	InsecureAllowHTTP bool
	// HTTPClient makes the requests. Nil means one with a transport of its own,
	// with the proxies of the environment. Redirects are never followed.
	HTTPClient *http.Client
	// Timeout bounds one request, from the dial to the last byte. Zero means
	// five seconds.
	Timeout time.Duration
	// MaxConcurrent bounds the requests under way; more wait, as long as their
	// contexts and Timeout allow. Zero means 64.
	MaxConcurrent int

	// MaxCacheLife is how long "active" is believed, at most until the token
	// expires; "inactive" is believed for two seconds at most. Zero means ten
	// seconds, [NoCache] no cache, the most is five minutes.
	MaxCacheLife time.Duration
	// CacheSize is how many answers are kept; they share 16 MiB. Zero means
	// 8,192.
	CacheSize int

	// Logger takes an error when the authority cannot be asked. Nil means
	// slog.Default. No token is logged.
	Logger *slog.Logger
}

// Client asks one introspection endpoint. All methods are safe for concurrent use.
type Client struct {
	endpoint string
	options  Options
	http     http.Client
	slots    chan struct{} // holds as many values as requests are under way
	flights  singleflight.Group

	active, inactive *tokencache.Cache[answer] // nil without a cache

	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	closeIdle func()
	running   sync.WaitGroup
	closeMu   sync.RWMutex // guards closed, and running against its Wait
	closed    bool

	loggedAt                  atomic.Int64
	requests, failures, cache atomic.Uint64
}

// answer is what the authority said of a token.
type answer struct {
	body  []byte // nil if the token is not active
	until time.Time
}

// New returns a Client for the introspection endpoint of an authority. It
// returns an error only for a mistake in its arguments.
func New(endpoint string, opts *Options) (*Client, error) {
	c := &Client{endpoint: endpoint, closeIdle: func() {}}
	if opts != nil {
		c.options = *opts
	}
	o := &c.options
	if err := checkEndpoint(endpoint, o.InsecureAllowHTTP); err != nil {
		return nil, err
	}
	switch {
	case o.ClientID == "" && o.Authorize == nil:
		return nil, errors.New("introspection: Options has no credentials: set ClientID and ClientSecret, or Authorize")
	case o.ClientID != "" && o.Authorize != nil:
		return nil, errors.New("introspection: Options has both ClientID and Authorize: set one")
	case o.ClientID == "" && (o.ClientSecret != "" || o.SecretInBody):
		return nil, errors.New("introspection: Options has no ClientID for ClientSecret and SecretInBody: set it")
	case o.ClientID != "" && o.ClientSecret == "":
		return nil, errors.New("introspection: Options.ClientSecret is empty: set it, or use Authorize for other credentials")
	case o.Timeout < 0:
		return nil, fmt.Errorf("introspection: Options.Timeout is %v: it must not be negative", o.Timeout)
	case o.MaxConcurrent < 0:
		return nil, fmt.Errorf("introspection: Options.MaxConcurrent is %d: it must not be negative", o.MaxConcurrent)
	case o.CacheSize < 0:
		return nil, fmt.Errorf("introspection: Options.CacheSize is %d: it must not be negative", o.CacheSize)
	case o.MaxCacheLife < 0 && o.MaxCacheLife != NoCache, o.MaxCacheLife > maxCacheLife:
		return nil, fmt.Errorf("introspection: Options.MaxCacheLife is %v: it must be at most %v, or NoCache", o.MaxCacheLife, maxCacheLife)
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.MaxConcurrent == 0 {
		o.MaxConcurrent = 64
	}
	if o.CacheSize == 0 {
		o.CacheSize = 8192
	}
	if o.MaxCacheLife == 0 {
		o.MaxCacheLife = DefaultMaxCacheLife
	}
	if o.MaxCacheLife != NoCache {
		dead := func(a answer, now time.Time) bool { return !now.Before(a.until) }
		c.active = tokencache.New(o.CacheSize, 16<<20, dead)
		// Apart, so that junk does not push out what is good.
		c.inactive = tokencache.New(min(o.CacheSize, 1024), 1<<20, dead)
	}
	if o.HTTPClient != nil {
		c.http = *o.HTTPClient
	} else {
		c.http, c.closeIdle = defaultClient(o.MaxConcurrent)
	}
	// A redirect would carry token and credentials elsewhere.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.slots = make(chan struct{}, o.MaxConcurrent)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

func checkEndpoint(endpoint string, allowHTTP bool) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return errors.New("introspection: the endpoint is no URL")
	}
	switch {
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("introspection: the endpoint %q is no absolute https URL", u.Redacted())
	case u.User != nil:
		return fmt.Errorf("introspection: the endpoint %q holds credentials: use Options.ClientID and ClientSecret", u.Redacted())
	case u.Fragment != "":
		return fmt.Errorf("introspection: the endpoint %q has a fragment: remove it", u.Redacted())
	case u.Scheme == "http" && !allowHTTP:
		return fmt.Errorf("introspection: the endpoint %q does not use https: use it, or set Options.InsecureAllowHTTP in development", u.Redacted())
	}
	return nil
}

// Introspect implements [jwtbearer.Introspector]. It returns the JSON object of
// the answer for an active token, and an error wrapping [jwtbearer.ErrInactive]
// for another. Any other error means that the authority could not be asked. The
// returned slice must not be modified.
func (c *Client) Introspect(ctx context.Context, token string) ([]byte, error) {
	if token == "" {
		return nil, jwtbearer.ErrInactive
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	hash := sha256.Sum256([]byte(token))
	key := string(hash[:])
	if a, ok := c.cached(key); ok {
		c.cache.Add(1)
		return a.result()
	}
	if !c.enter() {
		return nil, errClosed
	}
	defer c.running.Done()
	// The flight runs on a context of its own: a caller who goes away takes
	// nobody else's answer with them.
	flight := c.flights.DoChan(key, func() (any, error) {
		if !c.enter() {
			return nil, errClosed
		}
		defer c.running.Done()
		return c.ask(context.WithoutCancel(ctx), token, key)
	})
	select {
	case r := <-flight:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(answer).result()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// CheckToken implements [jwtbearer.Checker]: it asks whether token is active.
// r is not used.
func (c *Client) CheckToken(ctx context.Context, token *jwtbearer.Token, _ *http.Request) error {
	if token == nil {
		return errors.New("introspection: there is no token")
	}
	_, err := c.Introspect(ctx, token.Raw())
	return err
}

var errClosed = errors.New("introspection: the client is closed")

// enter adds the caller to those whom Close waits for.
func (c *Client) enter() bool {
	c.closeMu.RLock()
	defer c.closeMu.RUnlock()
	if c.closed {
		return false
	}
	c.running.Add(1)
	return true
}

func (c *Client) cached(key string) (answer, bool) {
	if c.active == nil {
		return answer{}, false
	}
	now := time.Now()
	if a, ok := c.active.Get(key); ok && now.Before(a.until) {
		return a, true
	}
	if a, ok := c.inactive.Get(key); ok && now.Before(a.until) {
		return a, true
	}
	return answer{}, false
}

func (a answer) result() ([]byte, error) {
	if a.body == nil {
		return nil, jwtbearer.ErrInactive
	}
	return a.body, nil
}

// ask makes one request, within its bounds, and keeps what it found out.
func (c *Client) ask(ctx context.Context, token, key string) (a answer, err error) {
	// Functions and transports of the caller run here on this package's
	// goroutine, where a panic would end the process.
	defer func() {
		if p := recover(); p != nil {
			// The stack says where; what was panicked with may hold the token.
			a, err = answer{}, c.failed(fmt.Errorf("introspection: a panic while asking, with a value of type %T", p), "stack", string(debug.Stack()))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	stop := context.AfterFunc(c.ctx, cancel)
	defer stop()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return answer{}, c.failed(errors.New("introspection: too many requests are under way"))
	}
	c.requests.Add(1)
	asked := time.Now()
	body, expiry, err := c.post(ctx, token)
	if err != nil {
		return answer{}, c.failed(err)
	}
	a.body = body
	if c.active == nil {
		return a, nil
	}
	// From when it was asked: the answer may have taken its time.
	if body == nil {
		a.until = asked.Add(min(c.options.MaxCacheLife, maxInactiveLife))
		c.inactive.Put(key, a, 256, asked)
		return a, nil
	}
	a.until = asked.Add(c.options.MaxCacheLife)
	if !expiry.IsZero() && expiry.Before(a.until) {
		a.until = expiry
	}
	c.active.Put(key, a, len(body)+256, asked)
	return a, nil
}

// failed counts a failure, and says it in the log with more, at most twice a minute.
func (c *Client) failed(err error, more ...any) error {
	c.failures.Add(1)
	now := time.Now().UnixNano()
	if last := c.loggedAt.Load(); (last == 0 || now-last >= int64(30*time.Second)) && c.loggedAt.CompareAndSwap(last, now) {
		logger := c.options.Logger
		if logger == nil {
			logger = slog.Default()
		}
		logger.Error("introspection: the authority cannot be asked; requests are answered 503", append(more, "error", err)...)
	}
	return err
}

// Close cuts off the requests under way and waits for them. Later calls fail.
func (c *Client) Close() error {
	c.closeMu.Lock()
	c.closed = true
	c.closeMu.Unlock()
	c.cancel()
	c.running.Wait()
	c.closeIdle()
	return nil
}

// Format writes a placeholder for every verb of package fmt, so that a Client that
// slips into a log line does not reveal its secret.
func (c *Client) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "introspection.Client(redacted)")
}

// Stats counts what a Client did since it was made.
type Stats struct {
	Requests uint64 // sent to the authority
	Failures uint64 // that brought no answer
	Cached   uint64 // answered without asking the authority
}

// Stats returns a snapshot.
func (c *Client) Stats() Stats {
	return Stats{Requests: c.requests.Load(), Failures: c.failures.Load(), Cached: c.cache.Load()}
}
