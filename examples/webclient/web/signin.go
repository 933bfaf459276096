package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

// discovered is what the application knows of the authority.
type discovered struct {
	oauth    *oauth2.Config
	verifier *oidc.IDTokenVerifier
	metadata struct {
		AuthMethods        []string `json:"token_endpoint_auth_methods_supported"`
		RevocationEndpoint string   `json:"revocation_endpoint"`
		EndSessionEndpoint string   `json:"end_session_endpoint"`
		SendsIssuer        bool     `json:"authorization_response_iss_parameter_supported"`
	}
}

// provider reads the authority's discovery document when it is first needed: the
// application starts, and shows its page, while the authority is away.
type provider struct {
	mu    sync.Mutex // guards the field below
	found *discovered
}

func (a *App) discover(ctx context.Context) (*discovered, error) {
	a.provider.mu.Lock()
	found := a.provider.found
	a.provider.mu.Unlock()
	if found != nil {
		return found, nil
	}
	// Two first sign-ins may both come here. That costs one request, and no
	// lock is held during it.
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, a.client), a.cfg.Authority)
	if err != nil {
		return nil, err
	}
	found = &discovered{verifier: p.Verifier(&oidc.Config{ClientID: a.cfg.ClientID})}
	if err := p.Claims(&found.metadata); err != nil {
		return nil, err
	}
	endpoint := p.Endpoint()
	// Not the automatic choice, which tries one way and then the other: an
	// authorization code works once.
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if methods := found.metadata.AuthMethods; a.cfg.ClientSecret == "" || len(methods) > 0 && !slices.Contains(methods, "client_secret_basic") {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	found.oauth = &oauth2.Config{
		ClientID:     a.cfg.ClientID,
		ClientSecret: a.cfg.ClientSecret,
		Endpoint:     endpoint,
		RedirectURL:  a.base.String() + "/callback",
		Scopes:       a.cfg.Scopes,
	}
	a.provider.mu.Lock()
	a.provider.found = found
	a.provider.mu.Unlock()
	return found, nil
}

// attempt is a sign-in that has begun: what the way back from the authority is
// checked against.
type attempt struct {
	browser  string // the attempt cookie of the browser that began it
	nonce    string
	verifier string // of PKCE (RFC 7636)
	began    time.Time
}

const (
	attemptCookie   = "webclient_attempt"
	attemptLifetime = 10 * time.Minute
	maxAttempts     = 1000
)

// attempts are the sign-ins under way, by state. They are kept apart from the
// sessions: a session begins when somebody has signed in.
type attempts struct {
	mu      sync.Mutex // guards the field below
	pending map[string]attempt
}

func (t *attempts) init() { t.pending = make(map[string]attempt) }

func (t *attempts) add(state string, a attempt) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for other, p := range t.pending {
		if time.Since(p.began) > attemptLifetime {
			delete(t.pending, other)
		}
	}
	if len(t.pending) >= maxAttempts {
		return false
	}
	t.pending[state] = a
	return true
}

// take returns the attempt of a state once, to the browser that began it.
func (t *attempts) take(state, browser string) (attempt, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, ok := t.pending[state]
	// A state in another browser is a sign-in that somebody else began: their
	// account would be used here without being noticed.
	if !ok || subtle.ConstantTimeCompare([]byte(found.browser), []byte(browser)) != 1 {
		return attempt{}, false
	}
	delete(t.pending, state)
	return found, time.Since(found.began) <= attemptLifetime
}

// signIn sends the browser to the authority.
func (a *App) signIn(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	found, err := a.discover(ctx)
	if err != nil {
		a.log.WarnContext(ctx, "sign-in", "error", err)
		a.fail(w, r, http.StatusServiceUnavailable, "The authority cannot be reached. Try again in a moment.")
		return
	}
	browser := rand.Text()
	if c, err := r.Cookie(attemptCookie); err == nil && len(c.Value) == len(browser) {
		browser = c.Value // another tab may be signing in as well
	}
	state, begun := rand.Text(), attempt{browser, rand.Text(), oauth2.GenerateVerifier(), time.Now()}
	if !a.attempts.add(state, begun) {
		a.fail(w, r, http.StatusServiceUnavailable, "Too many people are signing in. Try again in a few minutes.")
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: attemptCookie, Value: browser, Path: "/", MaxAge: int(attemptLifetime.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	opts := []oauth2.AuthCodeOption{oidc.Nonce(begun.nonce), oauth2.S256ChallengeOption(begun.verifier)}
	if slices.Contains(a.cfg.Scopes, oidc.ScopeOfflineAccess) {
		// OpenID Connect Core 1.0, Section 11: without it, offline_access may
		// be ignored.
		opts = append(opts, oauth2.SetAuthURLParam("prompt", "consent"))
	}
	if a.cfg.Resource != "" {
		opts = append(opts, oauth2.SetAuthURLParam("resource", a.cfg.Resource))
	}
	if v := visitFrom(ctx); v != nil {
		v.add(entry{Lane: laneAuthority, Kind: "request", Title: "Sign-in begins", Detail: "code flow with PKCE (S256), state and nonce; scope " + strings.Join(a.cfg.Scopes, " ")})
	}
	http.Redirect(w, r, found.oauth.AuthCodeURL(state, opts...), http.StatusSeeOther)
}

// callback is where the authority sends the browser back to.
func (a *App) callback(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	tokens, who, err := a.redeem(ctx, r)
	if err != nil {
		a.log.WarnContext(ctx, "sign-in", "error", err)
		refused, ok := errors.AsType[refusal](err)
		if !ok {
			refused = "The sign-in did not succeed. Please begin again."
		}
		a.fail(w, r, http.StatusBadRequest, string(refused))
		return
	}
	tokensJSON, err := json.Marshal(tokens)
	if err == nil {
		var personJSON []byte
		if personJSON, err = json.Marshal(who); err == nil {
			// A new identifier: one that somebody planted before is worthless.
			if err = a.sessions.RenewToken(ctx); err == nil {
				a.sessions.Put(ctx, valueTokens, tokensJSON)
				a.sessions.Put(ctx, valuePerson, personJSON)
			}
		}
	}
	if err != nil {
		a.log.ErrorContext(ctx, "sign-in", "error", err)
		a.fail(w, r, http.StatusInternalServerError, "The session could not be stored.")
		return
	}
	if v := visitFrom(ctx); v != nil {
		v = a.visits.move(v)
		v.setCookie(w)
		e := entry{Lane: laneNote, Kind: "signed-in", Title: "Signed in as " + who.Name}
		e.Tokens = []token{v.label('A', tokens.AccessToken)}
		if tokens.RefreshToken != "" {
			e.Tokens = append(e.Tokens, v.label('R', tokens.RefreshToken))
			e.Detail = "access token and refresh token are kept on the server"
		} else {
			e.Detail = "the authority gave no refresh token: the session ends with its access token"
		}
		v.add(e)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// refusal is an error in words that are meant for the person.
type refusal string

func (r refusal) Error() string { return string(r) }

// redeem checks the authority's answer and turns its code into tokens.
func (a *App) redeem(ctx context.Context, r *http.Request) (renew.Tokens, person, error) {
	query := r.URL.Query()
	for name, values := range query {
		if len(values) > 1 { // RFC 6749, Section 3.1
			return renew.Tokens{}, person{}, fmt.Errorf("%q is there twice", name)
		}
	}
	cookie, err := r.Cookie(attemptCookie)
	if err != nil {
		return renew.Tokens{}, person{}, refusal("This sign-in was begun in another browser, or too long ago. Please begin again.")
	}
	begun, ok := a.attempts.take(query.Get("state"), cookie.Value)
	if !ok {
		return renew.Tokens{}, person{}, refusal("This sign-in was begun elsewhere, or too long ago. Please begin again.")
	}
	found, err := a.discover(ctx)
	if err != nil {
		return renew.Tokens{}, person{}, err
	}
	if iss := query.Get("iss"); (iss != "" || found.metadata.SendsIssuer) && iss != a.cfg.Authority {
		return renew.Tokens{}, person{}, errors.New("the answer is from another issuer (RFC 9207)")
	}
	if code := query.Get("error"); code != "" {
		if code == "access_denied" {
			return renew.Tokens{}, person{}, refusal("You were not signed in: the request was declined.")
		}
		return renew.Tokens{}, person{}, fmt.Errorf("the authority answered %.40q", code)
	}

	opts := []oauth2.AuthCodeOption{oauth2.VerifierOption(begun.verifier)}
	if a.cfg.Resource != "" {
		opts = append(opts, oauth2.SetAuthURLParam("resource", a.cfg.Resource))
	}
	ctx = oidc.ClientContext(ctx, a.client)
	sent := time.Now()
	answer, err := found.oauth.Exchange(ctx, query.Get("code"), opts...)
	if err != nil {
		if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
			err = fmt.Errorf("the token endpoint answered %d", e.Response.StatusCode) // its text holds the body
		}
		return renew.Tokens{}, person{}, err
	}
	if !strings.EqualFold(answer.TokenType, "Bearer") {
		return renew.Tokens{}, person{}, errors.New("the tokens are not of the type Bearer")
	}
	raw, _ := answer.Extra("id_token").(string)
	idToken, err := found.verifier.Verify(ctx, raw)
	if err != nil {
		return renew.Tokens{}, person{}, fmt.Errorf("identity token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(idToken.Nonce), []byte(begun.nonce)) != 1 {
		return renew.Tokens{}, person{}, errors.New("identity token: it answers another sign-in")
	}
	if idToken.AccessTokenHash != "" {
		if err := idToken.VerifyAccessToken(answer.AccessToken); err != nil {
			return renew.Tokens{}, person{}, fmt.Errorf("identity token: %w", err)
		}
	}
	who := person{Issuer: idToken.Issuer, Subject: idToken.Subject}
	var profile struct {
		Name     string `json:"name"`
		Username string `json:"preferred_username"`
	}
	if err := idToken.Claims(&profile); err != nil {
		return renew.Tokens{}, person{}, fmt.Errorf("identity token: %w", err)
	}
	for _, name := range []string{profile.Name, profile.Username, idToken.Subject} {
		if who.Name == "" {
			who.Name = name
		}
	}
	return renew.NewTokens(answer.AccessToken, answer.RefreshToken, raw, sent, time.Duration(answer.ExpiresIn)*time.Second), who, nil
}

// checkRenewed verifies the identity token of a renewal (OpenID Connect Core
// 1.0, Section 12.2).
func (a *App) checkRenewed(ctx context.Context, session string, old, renewed renew.Tokens) error {
	if renewed.IDToken == old.IDToken {
		return nil // the answer had none
	}
	found, err := a.discover(ctx)
	if err != nil {
		return err
	}
	now, err := found.verifier.Verify(oidc.ClientContext(ctx, a.client), renewed.IDToken)
	if err != nil {
		a.log.WarnContext(ctx, "the renewed identity token is not valid and was dropped", "error", err)
		return err
	}
	who, err := a.store.person(session)
	if err != nil {
		return err
	}
	if now.Issuer != who.Issuer || now.Subject != who.Subject {
		return fmt.Errorf("%w: the renewed tokens are another person's", renew.ErrSessionEnded)
	}
	return nil
}

// signOut ends the session here, and then at the authority.
func (a *App) signOut(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	_, who, tokens, ok := a.signedIn(r)
	if err := a.sessions.Destroy(ctx); err != nil {
		a.sessions.ErrorFunc(w, r, err)
		return
	}
	target := "/"
	if ok {
		bounded, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		if found, err := a.discover(bounded); err == nil {
			// Signing out must work while the authority does not.
			if _, err := a.revokeToken(bounded, found, tokens.RefreshToken); err != nil {
				a.log.WarnContext(ctx, "sign-out", "error", err)
			}
			if end, err := url.Parse(found.metadata.EndSessionEndpoint); err == nil && end.Host != "" {
				query := end.Query()
				query.Set("id_token_hint", tokens.IDToken)
				query.Set("client_id", a.cfg.ClientID)
				query.Set("post_logout_redirect_uri", a.base.String()+"/")
				end.RawQuery = query.Encode()
				target = end.String()
			}
		}
		if v := visitFrom(ctx); v != nil {
			v.add(entry{Lane: laneNote, Kind: "signed-out", Title: who.Name + " signed out", Detail: "the session is deleted here, its refresh token is revoked, and the authority ends its own session"})
		}
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// revokeToken revokes a refresh token (RFC 7009).
func (a *App) revokeToken(ctx context.Context, found *discovered, refreshToken string) (status int, err error) {
	endpoint := found.metadata.RevocationEndpoint
	if endpoint == "" {
		return 0, errors.New("the authority has no revocation endpoint")
	}
	if refreshToken == "" {
		return 0, renew.ErrNoRefreshToken
	}
	status, _, err = a.postForm(ctx, found, endpoint, url.Values{"token": {refreshToken}, "token_type_hint": {"refresh_token"}})
	return status, err
}
