// Package web is a web application that signs a person in with OpenID Connect,
// calls an API in their name and shows what goes over the wire meanwhile. The
// part to copy is package renew; this one shows how it is used, and a page on
// which one can watch it work.
//
// Access and refresh tokens stay on the server, in the cookie session. The
// browser gets the session's identifier, and shortened tokens to look at. Only
// the identity token goes through it, once: at the sign-out, as the hint that
// tells the authority whose session to end (OpenID Connect RP-Initiated Logout
// 1.0, Section 2).
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

// Config configures an [App].
type Config struct {
	// BaseURL is where a browser reaches the application: http, a loopback
	// address and a port, such as http://127.0.0.1:8080. The authority has to
	// know BaseURL/callback as redirect URI, without the port if it is 80.
	// Required.
	BaseURL string

	// Authority is the issuer identifier of the authority. Required.
	Authority string

	// ClientID and ClientSecret are the client's credentials at the authority.
	// ClientID is required; without ClientSecret it is a public client.
	ClientID, ClientSecret string

	// Scopes are what the application asks for. nil means
	// "api1 openid profile offline_access".
	Scopes []string

	// API is the address that "call the API" gets. Required.
	API string

	// Resource, if not empty, is the resource parameter (RFC 8707) that names
	// the API to authorities that need one.
	Resource string

	// ClockSkew is the API's tolerance. The page shows it; nothing else depends
	// on it.
	ClockSkew time.Duration

	// Early is how long before its expiry a token is renewed. 0 means the
	// default of package renew.
	Early time.Duration

	// SessionLifetime is the absolute lifetime of a sign-in; renewals do not
	// extend it. 0 means 8 hours.
	SessionLifetime time.Duration

	// Transport sends all requests, to the authority and to the API. nil means
	// [http.DefaultTransport].
	Transport http.RoundTripper

	// Logger receives what an operator should see, never a token. nil means
	// [slog.Default].
	Logger *slog.Logger
}

// App is the application, an [http.Handler]. Make one with [New] and end it
// with Close.
type App struct {
	cfg      Config
	base     *url.URL
	handler  http.Handler
	store    *sessionStore
	sessions *scs.SessionManager
	attempts attempts
	visits   visits
	client   *http.Client // to the authority; what it does is on the timeline
	renewer  *renew.Renewer
	provider provider
	page     *page
	log      *slog.Logger

	closeOnce sync.Once
	closing   chan struct{} // ends the streams of events
}

// New returns the application. Its errors are mistakes in cfg; it asks the
// network nothing.
func New(cfg Config) (*App, error) {
	base, err := loopbackURL(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	if cfg.Scopes == nil {
		cfg.Scopes = []string{"api1", "openid", "profile", "offline_access"}
	}
	if !slices.Contains(cfg.Scopes, "openid") {
		return nil, errors.New(`web: Config.Scopes lacks "openid", without which nobody is signed in`)
	}
	// Refused here and allowed below: on loopback nobody listens on the way.
	for _, address := range []struct{ name, value string }{{"Authority", cfg.Authority}, {"API", cfg.API}} {
		u, err := url.Parse(address.value)
		if err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
			return nil, fmt.Errorf("web: Config.%s %s is neither https nor on loopback", address.name, address.value)
		}
	}
	if cfg.SessionLifetime <= 0 {
		cfg.SessionLifetime = 8 * time.Hour
	}
	if cfg.Transport == nil {
		cfg.Transport = http.DefaultTransport
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	a := &App{
		cfg:     cfg,
		base:    base,
		store:   newSessionStore(),
		log:     cfg.Logger,
		closing: make(chan struct{}),
	}
	a.attempts.init()
	a.visits.init()
	a.client = &http.Client{
		Transport: &recorder{base: cfg.Transport, to: laneAuthority},
		Timeout:   10 * time.Second,
	}
	a.renewer, err = renew.New(renew.Options{
		Issuer:            cfg.Authority,
		ClientID:          cfg.ClientID,
		ClientSecret:      cfg.ClientSecret,
		API:               cfg.API,
		Resource:          cfg.Resource,
		Store:             a.store,
		HTTPClient:        a.client,
		Base:              &recorder{base: cfg.Transport, to: laneAPI},
		Early:             cfg.Early,
		Check:             a.checkRenewed,
		Events:            renew.Events{Renewed: a.renewed, Failed: a.refreshFailed},
		InsecureAllowHTTP: true, // see above
	})
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	if a.page, err = newPage(); err != nil {
		return nil, err
	}

	// A literal and not scs.New, which starts a goroutine that nothing can
	// stop safely for a store that is not wanted.
	a.sessions = &scs.SessionManager{
		Lifetime: cfg.SessionLifetime,
		Store:    a.store,
		Codec:    scs.GobCodec{},
		ErrorFunc: func(w http.ResponseWriter, r *http.Request, err error) {
			a.log.ErrorContext(r.Context(), "session", "error", err)
			http.Error(w, "The session store failed.", http.StatusInternalServerError)
		},
		Cookie: scs.SessionCookie{
			Name:     "webclient_session",
			Path:     "/",
			HttpOnly: true,
			// Lax, not Strict: the way back from the authority is a navigation
			// from another site.
			SameSite: http.SameSiteLaxMode,
			Persist:  true,
			Secure:   false, // plain http, on loopback only; a real site sets it
		},
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /sign-in", a.signIn)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("GET /events", a.events)
	mux.HandleFunc("POST /call", a.action(a.call))
	mux.HandleFunc("POST /call-ten", a.action(a.callTen))
	mux.HandleFunc("POST /wait", a.action(a.wait))
	mux.HandleFunc("POST /replay", a.action(a.replay))
	mux.HandleFunc("POST /revoke", a.action(a.revoke))
	mux.HandleFunc("POST /mode", a.action(a.mode))
	mux.HandleFunc("POST /sign-out", a.signOut)
	mux.Handle("GET /static/", http.StripPrefix("/static/", a.page.static))

	// From the outside in: the right host, the headers, no requests from other
	// origins, the session, the timeline.
	var h http.Handler = mux
	h = a.visits.handler(h)
	h = a.sessions.LoadAndSave(h)
	h = http.NewCrossOriginProtection().Handler(h)
	h = a.headers(h)
	a.handler = h
	return a, nil
}

// ServeHTTP implements [http.Handler].
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Close ends the streams of events, which would otherwise last as long as a
// page is open, and waits for refreshes under way.
func (a *App) Close() error {
	a.closeOnce.Do(func() { close(a.closing) })
	return a.renewer.Close()
}

// headers answers only to its own name, and tells browsers what the page may
// do: nothing but load its own files and talk to its own server.
func (a *App) headers(next http.Handler) http.Handler {
	alias := "localhost"
	if port := a.base.Port(); port != "" {
		alias += ":" + port
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != a.base.Host {
			// A page elsewhere whose name resolves to this machine (DNS
			// rebinding) would be of one origin with this server otherwise.
			if r.Method == http.MethodGet && r.URL.Path == "/" && r.Host == alias {
				http.Redirect(w, r, a.base.String()+"/", http.StatusTemporaryRedirect)
				return
			}
			http.Error(w, "This server answers to "+a.base.Host+" only.", http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; form-action "+a.formAction()+"; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
		next.ServeHTTP(w, r)
	})
}

// formAction lists where the answers to forms lead. Signing out, and a button of
// an ended session without the script, are answered with a redirect to the
// authority, which browsers hold against form-action. Its endpoints may be on
// other hosts than its name, and are known once somebody has begun to sign in.
func (a *App) formAction() string {
	addresses := []string{a.cfg.Authority}
	a.provider.mu.Lock()
	if found := a.provider.found; found != nil {
		addresses = append(addresses, found.oauth.Endpoint.AuthURL, found.metadata.EndSessionEndpoint)
	}
	a.provider.mu.Unlock()
	sources := []string{"'self'"}
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || strings.ContainsAny(u.Host, ";,'*") {
			continue // such a host would be read as more of the policy
		}
		if source := u.Scheme + "://" + u.Host; !slices.Contains(sources, source) {
			sources = append(sources, source)
		}
	}
	return strings.Join(sources, " ")
}

// apiClient sends requests with the tokens of the session.
func (a *App) apiClient(session string, onlyOn401 bool) *http.Client {
	return &http.Client{
		Transport: &renew.Transport{Renewer: a.renewer, Session: session, OnlyOn401: onlyOn401},
		Timeout:   30 * time.Second,
	}
}

// renewed and refreshFailed put on the timeline what a refresh came to.
func (a *App) renewed(ctx context.Context, _ string, old, renewed renew.Tokens) {
	v := visitFrom(ctx)
	if v == nil {
		return
	}
	v.remember(old, renewed)
	e := entry{Lane: laneNote, Kind: "renewed", Title: "Renewed"}
	e.Tokens = []token{v.label('A', old.AccessToken), v.label('A', renewed.AccessToken)}
	e.Arrow = true
	if renewed.RefreshToken != old.RefreshToken {
		e.Detail = "the refresh token was rotated: " + v.label('R', old.RefreshToken).Name + " is spent, " +
			v.label('R', renewed.RefreshToken).Name + " takes its place"
	} else {
		e.Detail = "the refresh token " + v.label('R', old.RefreshToken).Name + " stays"
	}
	v.add(e)
}

func (a *App) refreshFailed(ctx context.Context, _ string, err error) {
	a.log.WarnContext(ctx, "refresh", "error", err)
	v := visitFrom(ctx)
	if v == nil {
		return
	}
	if !errors.Is(err, renew.ErrSessionEnded) {
		v.add(entry{Lane: laneNote, Kind: "failed", Title: "Not renewed",
			Detail: reason(err) + "; the session stays, and the next call may try again"})
		return
	}
	v.add(entry{Lane: laneNote, Kind: "ended", Title: "Session ended",
		Detail: reason(err) + "; the tokens are deleted"})
}

// reason says in a few words why a refresh failed.
func reason(err error) string {
	e, ok := errors.AsType[*renew.Error](err)
	switch {
	case !ok:
		return "the session is gone"
	case e.Code != "":
		return "the authority answered " + e.Code
	case e.Status != 0:
		return fmt.Sprintf("the %s answered %d", e.Step, e.Status)
	default:
		return "the " + e.Step + " could not be reached"
	}
}

func loopbackURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" || u.Port() == "" || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("web: Config.BaseURL %q is not of the form http://127.0.0.1:8080", s)
	}
	if !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("web: Config.BaseURL %q is not a loopback address; the application has no TLS", s)
	}
	u.Path = ""
	// As browsers write it, in the Host field and in the address to come back
	// to: without the default port.
	u.Host = strings.TrimSuffix(u.Host, ":80")
	return u, nil
}

// isLoopback does not take names: what they resolve to can change.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
