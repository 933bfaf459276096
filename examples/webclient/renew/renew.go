// Package renew is an [http.RoundTripper] for OAuth 2.0 clients that keep a
// person's tokens on the server: it sends a session's access token with each
// request and renews it with the refresh token (RFC 6749, Section 6) shortly
// before it expires, or when the API refuses it with a 401 and
// error="invalid_token" (RFC 6750, Section 3.1), and then repeats the request
// once.
//
// The package needs nothing but the standard library and is made to be copied
// into a program. What it asks of that program is a [Store], the place where
// the tokens of a session live:
//
//	renewer, err := renew.New(renew.Options{
//		Issuer:       "https://id.example.com",
//		ClientID:     "shop",
//		ClientSecret: secret,
//		API:          "https://api.example.com",
//		Store:        store,
//	})
//	if err != nil { … }
//	defer renewer.Close()
//
//	client := &http.Client{Transport: &renew.Transport{Renewer: renewer, Session: id}}
//	resp, err := client.Get("https://api.example.com/orders")
//	if errors.Is(err, renew.ErrSessionEnded) { … } // the person has to sign in again
//
// # What it does and what it leaves alone
//
//   - All requests of a session share one refresh, and a request that was
//     refused with a token that has been replaced meanwhile takes the new one
//     without a refresh: an authority that rotates refresh tokens takes a
//     second use of one for theft.
//   - The new access, refresh and identity token and their expiry replace the
//     old ones in one step of the store. An answer without a refresh token
//     keeps the old one (RFC 6749, Section 6).
//   - invalid_grant ends the session. Everything else that can go wrong (no
//     network, 5xx, a malformed answer, a store that fails) keeps it, and the
//     next attempt waits for a pause. Renewed tokens that the store did not take
//     are kept in memory for an hour, and the next attempt stores them.
//   - A 403, a 503, a 401 without error="invalid_token" and a request for a
//     stronger login (RFC 9470) are answers for the caller, never a reason to
//     refresh; so is the second 401 of one request.
//   - A request whose body cannot be sent again ([http.Request.GetBody] is nil)
//     is not repeated: the caller gets the 401, and a token that works for the
//     next attempt.
//   - The access token goes to the API's origin only, never along with a
//     redirect to another one.
package renew

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// DefaultEarly is how long before its expiry a token is renewed by default.
const DefaultEarly = 5 * time.Second

// Options configure a [Renewer]. They must not be changed after [New].
type Options struct {
	// Issuer is the authority's issuer identifier. Its discovery document is
	// read at each refresh, so that a moved token endpoint is found. Required.
	Issuer string

	// ClientID is the client's identifier at the authority. Required.
	ClientID string

	// ClientSecret authenticates the client: with HTTP Basic, or in the form
	// where the authority offers client_secret_post only. Empty means a public
	// client, which sends its identifier alone.
	ClientSecret string

	// API is the address of the API, such as https://api.example.com. The
	// access token is sent to this scheme, host and port only; requests to
	// anything else fail with [ErrOtherOrigin]. Required.
	API string

	// Resource, if not empty, is sent as the resource parameter of the refresh
	// grant (RFC 8707, Section 2.2). Authorities that issue access tokens for
	// several APIs need it.
	Resource string

	// Store keeps the tokens of the sessions. Required.
	Store Store

	// HTTPClient reaches the authority. It is copied, and the copy follows no
	// redirect: a refresh token must not wander. nil means a client with the
	// default transport. Timeout bounds it either way.
	HTTPClient *http.Client

	// Base sends the requests to the API. nil means [http.DefaultTransport].
	Base http.RoundTripper

	// Early is how long before its expiry a token is renewed, though never
	// earlier than the last quarter of its life. 0 means DefaultEarly.
	Early time.Duration

	// Timeout bounds one refresh: discovery, grant and all. A request waits for
	// it no longer than its own context allows, and while its token has not
	// expired, for 2 seconds or half of the token's remaining life at most.
	// 0 means 10 seconds.
	Timeout time.Duration

	// Pause is the time after a failed refresh in which a session makes no
	// other attempt; a Retry-After of the authority makes it longer, up to 30
	// seconds. 0 means 2 seconds.
	Pause time.Duration

	// Check, if not nil, is called with a session's tokens and the renewed
	// ones before these are stored; it is the place to verify a renewed
	// identity token (OpenID Connect Core 1.0, Section 12.2). An error that
	// wraps [ErrSessionEnded] ends the session. Any other error keeps the old
	// identity token and stores the rest, since the new refresh token may be
	// the only one that still works.
	Check func(ctx context.Context, session string, old, renewed Tokens) error

	// Events are called synchronously; nil functions are skipped.
	Events Events

	// InsecureAllowHTTP permits an Issuer, with its token endpoint, and an API
	// without TLS, so that anybody on the way can read and use the tokens. It
	// is meant for loopback addresses during development. The token endpoint of
	// an https Issuer must be https all the same.
	InsecureAllowHTTP bool
}

// Events tell what a [Renewer] did. The functions are called from the
// goroutine of the refresh, concurrently for different sessions, with a context
// that has the values of the request that began the refresh. So have the
// requests to the authority: a trace of net/http/httptrace sees them too, also
// after its own request has ended. A panic makes the refresh a failed one.
type Events struct {
	// Renewed is called after the renewed tokens were stored.
	Renewed func(ctx context.Context, session string, old, renewed Tokens)
	// Failed is called after a refresh failed, also when it ended the session.
	// It is not called for attempts that were not made because of the pause.
	Failed func(ctx context.Context, session string, err error)
}

// Renewer renews tokens for any number of sessions. It is safe for concurrent
// use. Make one per process with [New]: sessions share refreshes only within
// one Renewer.
type Renewer struct {
	opts   Options
	plain  bool // the issuer has no TLS, so its token endpoint needs none
	api    *url.URL
	client *http.Client

	flightMu sync.Mutex // guards the fields below and is never held during I/O
	flights  map[flightKey]*flight
	pauses   map[string]pause // by session
	unsaved  map[flightKey]unsaved
	closed   bool
	running  sync.WaitGroup
}

// New returns a Renewer. Its errors are mistakes in opts: each names the field,
// its value and what is wanted.
func New(opts Options) (*Renewer, error) {
	issuer, err := absoluteURL("Issuer", opts.Issuer, opts.InsecureAllowHTTP)
	if err != nil {
		return nil, err
	}
	api, err := absoluteURL("API", opts.API, opts.InsecureAllowHTTP)
	if err != nil {
		return nil, err
	}
	if opts.ClientID == "" {
		return nil, errors.New("renew: Options.ClientID is empty; want the client's identifier at the authority")
	}
	if opts.Store == nil {
		return nil, errors.New("renew: Options.Store is nil; want the store of the sessions' tokens")
	}
	for _, d := range []struct {
		name         string
		value        *time.Duration
		preset, most time.Duration
	}{
		{"Early", &opts.Early, DefaultEarly, time.Hour},
		{"Timeout", &opts.Timeout, 10 * time.Second, 5 * time.Minute},
		{"Pause", &opts.Pause, 2 * time.Second, time.Hour},
	} {
		switch {
		case *d.value < 0 || *d.value > d.most:
			return nil, fmt.Errorf("renew: Options.%s is %v; want 0 (%v) or up to %v", d.name, *d.value, d.preset, d.most)
		case *d.value == 0:
			*d.value = d.preset
		}
	}
	if opts.Base == nil {
		opts.Base = http.DefaultTransport
	}
	client := http.Client{}
	if opts.HTTPClient != nil {
		client = *opts.HTTPClient
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Renewer{
		opts:    opts,
		plain:   !strings.EqualFold(issuer.Scheme, "https"),
		api:     api,
		client:  &client,
		flights: make(map[flightKey]*flight),
		pauses:  make(map[string]pause),
		unsaved: make(map[flightKey]unsaved),
	}, nil
}

// Close waits for the refreshes under way, each of which is bounded by
// Options.Timeout, instead of cutting them off: the authority may have rotated
// the refresh token already, and only the answer tells the new one. Afterwards
// nothing is renewed; see [ErrClosed]. Close may be called more than once.
func (r *Renewer) Close() error {
	r.flightMu.Lock()
	r.closed = true
	r.flightMu.Unlock()
	r.running.Wait()
	return nil
}

// absoluteURL parses the value of the named option.
func absoluteURL(name, value string, allowHTTP bool) (*url.URL, error) {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		// The value is not shown: it may hold a password.
		return nil, fmt.Errorf("renew: Options.%s is not an absolute URL without user information, query and fragment", name)
	case !allowedScheme(u, allowHTTP):
		return nil, fmt.Errorf("renew: Options.%s is %s; want https, or InsecureAllowHTTP for development", name, value)
	}
	return u, nil
}

func allowedScheme(u *url.URL, allowHTTP bool) bool {
	return strings.EqualFold(u.Scheme, "https") || allowHTTP && strings.EqualFold(u.Scheme, "http")
}
