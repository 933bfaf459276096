package jwtbearertest

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Options configure an issuer. The zero value is a complete issuer with one
// client, two users and keys for every algorithm; nil stands for it. An issuer
// takes a copy; what Options point to must not change afterwards.
type Options struct {
	// URL is the issuer identifier. It may have a port, a path and a trailing
	// slash; a query and a fragment are refused (RFC 8414, Section 2).
	// "" means https://issuer.test for NewIssuer, and the loopback address that
	// Start listens on.
	URL string

	// Path is appended to the default URL, for an issuer with a path where URL is
	// "": "/realms/test". It is refused together with URL.
	Path string

	// Addr is where Start listens. "" means 127.0.0.1 and a free port. Anything but
	// a loopback address is refused unless InsecureListenAnywhere is set. NewIssuer has no use for it and refuses it.
	Addr string

	// InsecureListenAnywhere lets Start listen on any address. An issuer signs in
	// whoever asks, so that everybody who reaches it can be anybody.
	InsecureListenAnywhere bool

	// Algorithms are those that the issuer has keys for. Tokens are signed by the
	// first of them unless they say otherwise. nil means RS256, RS384, RS512,
	// PS256, PS384, PS512, ES256, ES384, ES512, EdDSA and Ed25519. The RSA
	// algorithms share one RSA key of 2048 bits.
	Algorithms []string

	// BareKeys publishes keys with neither "use" nor "alg", and the RSA key once.
	BareKeys bool

	// NoKeyIDs publishes keys without "kid" and mints tokens without it.
	NoKeyIDs bool

	// CacheControl is the Cache-Control field of the discovery documents and the
	// key set. "" means "public, max-age=900".
	CacheControl string

	// Lifetimes of what the issuer gives. Zero fields mean their defaults, 60 seconds
	// for an access token.
	Lifetimes Lifetimes

	// Clients are the applications that the issuer knows; the first one is the client
	// of Token and SignIn. nil means one client, DefaultClientID with
	// DefaultClientSecret, that may use every grant and every redirect URI.
	Clients []*Client

	// Users are those who can sign in; the first one is the user of Token and SignIn.
	// nil means alice and bob, who sign in with any password.
	Users []*User

	// APIs are what access tokens are for. nil means one API, "api1", that a token is
	// for unless its request names another resource; any scope and any resource is
	// then fine.
	APIs []API

	// Grants are extension grants by their grant_type (RFC 6749, Section 4.5). The
	// default client may use them; others must name them in Client.Grants.
	Grants map[string]GrantFunc

	// SignInPage shows a page that asks for a name and a password at the
	// authorization endpoint. Otherwise the user of login_hint, or else the first
	// one, is signed in without a question.
	SignInPage bool

	// SignInPolicy says what becomes of a user's other sessions at a new sign-in.
	SignInPolicy SignInPolicy

	// SessionClaim is the name of the session id in access tokens; "" means "sid". ID
	// tokens and logout tokens always say sid.
	SessionClaim string

	// RevocationEndsSession ends the session of a token that is revoked.
	RevocationEndsSession bool

	// HTTPClient sends logout tokens. nil means a client that follows no redirects.
	// In a testing/synctest bubble it must not use sockets: see HandlerClient.
	HTTPClient *http.Client

	// Logger gets a warning when a client could not be told of a logout. nil means
	// the test's output for NewIssuer, slog.Default for Start.
	Logger *slog.Logger

	// OnRequest, if not nil, is called for every request, before it is answered and
	// before any fault, by several goroutines at once.
	OnRequest func(endpoint Endpoint, r *http.Request)
}

// prepare checks o and fills in what the zero value means. base is the URL that
// stands for "".
func (o *Options) prepare(base string) (*Options, error) {
	prepared := *o
	o = &prepared
	switch {
	case o.URL != "" && o.Path != "":
		return nil, fmt.Errorf("jwtbearertest: Options.Path %q beside Options.URL %q: put the path into the URL", o.Path, o.URL)
	case o.Path != "" && !strings.HasPrefix(o.Path, "/"):
		return nil, fmt.Errorf("jwtbearertest: Options.Path %q must begin with a slash", o.Path)
	case o.URL == "":
		o.URL = base + o.Path
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("jwtbearertest: Options.URL: %w", err)
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.ForceQuery || u.RawQuery != "" || strings.Contains(o.URL, "#") {
		return nil, fmt.Errorf("jwtbearertest: Options.URL %q must be an http or https URL without userinfo, query and fragment", o.URL)
	}
	if o.Algorithms == nil {
		o.Algorithms = algorithms
	}
	if len(o.Algorithms) == 0 {
		return nil, fmt.Errorf("jwtbearertest: Options.Algorithms is empty: use nil for all")
	}
	for n, alg := range o.Algorithms {
		if !slices.Contains(algorithms, alg) || slices.Contains(o.Algorithms[:n], alg) {
			return nil, fmt.Errorf("jwtbearertest: Options.Algorithms: %q is unknown or named twice: use each of %s at most once", alg, strings.Join(algorithms, ", "))
		}
	}
	o.CacheControl = cmp.Or(o.CacheControl, "public, max-age=900")
	o.SessionClaim = cmp.Or(o.SessionClaim, "sid")
	o.Lifetimes = o.Lifetimes.over(defaultLifetimes)
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if o.SignInPolicy < ConcurrentSignIns || o.SignInPolicy > OneSignIn {
		return nil, fmt.Errorf("jwtbearertest: Options.SignInPolicy %d is unknown: use one of the constants", o.SignInPolicy)
	}
	for _, check := range []func() error{
		func() error { return o.Lifetimes.check("Options.Lifetimes") },
		func() error { return o.Lifetimes.checkSliding("Options.Lifetimes") },
		o.checkGrants, o.prepareAPIs, o.prepareUsers, o.prepareClients,
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// API is a resource server that access tokens are for.
type API struct {
	// Audience is the aud value of its tokens, and what the parameters resource and
	// audience of a request call it; required, unique.
	Audience string
	// Scopes are those that belong to it: a token with one of them is for this API.
	Scopes []string
}

func (o *Options) prepareAPIs() error {
	if o.APIs == nil {
		o.APIs = []API{{Audience: "api1"}}
		return nil
	}
	if len(o.APIs) == 0 {
		return fmt.Errorf("jwtbearertest: Options.APIs is empty: use nil for api1")
	}
	names := make(map[string]bool)
	for n, api := range o.APIs {
		if api.Audience == "" || names[api.Audience] {
			return fmt.Errorf("jwtbearertest: Options.APIs[%d].Audience %q is empty or used twice: give every API its own", n, api.Audience)
		}
		names[api.Audience] = true
	}
	return nil
}
