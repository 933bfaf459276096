package jwtbearertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// logoutEvent is the member of "events" that makes a logout token (OpenID Connect
// Back-Channel Logout 1.0, Section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// LogoutToken mints a logout token for the client with the id audience, of type
// logout+jwt, with iss, aud, iat, exp, jti and events; it lives two minutes.
// Subject and Claim("sid", …) say whose sessions end. [Issuer.EndSession] sends
// such tokens by itself; this is for tests of what receives them.
func (i *Issuer) LogoutToken(audience string, opts ...TokenOption) string {
	now := i.now()
	d := i.newDraft("logout+jwt")
	d.claims.set("iss", i.url)
	d.claims.set("aud", audience)
	d.claims.set("iat", now.Unix())
	d.claims.set("exp", now.Add(2*time.Minute).Unix())
	d.claims.set("jti", rand.Text())
	d.claims.set("events", map[string]any{logoutEvent: struct{}{}})
	return d.mint(opts)
}

// IDToken mints an ID token for the client with the id audience and the first
// user. A resource server must not take it for an access token; since it has no
// at_hash, its audience keeps it out, or Options.RequireRFC9068 of package jwtbearer.
// The one of [Issuer.SignIn] has an at_hash.
func (i *Issuer) IDToken(audience string, opts ...TokenOption) string {
	now := i.now()
	d := i.newDraft("JWT")
	d.claims.set("iss", i.url)
	d.claims.set("sub", i.defaultSubject())
	d.claims.set("aud", audience)
	d.claims.set("iat", now.Unix())
	d.claims.set("exp", now.Add(i.opts.Lifetimes.IDToken).Unix())
	d.claims.set("auth_time", now.Unix())
	return d.mint(opts)
}

// notifyLogout sends logout tokens for sessions that have just ended, to all
// clients at once, and waits for the answers.
func (i *Issuer) notifyLogout(ended []*session) error {
	failures := make(chan error)
	sent := 0
	for _, s := range ended {
		// Nobody adds clients to a session that has ended, but a request under way.
		i.mu.Lock()
		clients := s.snapshot().Clients
		i.mu.Unlock()
		for _, id := range clients {
			client := i.clientByID(id)
			if client.BackChannelLogoutURI == "" {
				continue
			}
			token := i.LogoutToken(id, Subject(s.subject), Claim("sid", s.id))
			sent++
			go func() { failures <- i.sendLogout(client.BackChannelLogoutURI, token) }()
		}
	}
	var all []error
	for range sent {
		if err := <-failures; err != nil {
			i.opts.Logger.Warn("jwtbearertest: a client was not told of the end of a session", "error", err)
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// sendLogout posts a logout token (OpenID Connect Back-Channel Logout 1.0, Section
// 2.5).
func (i *Issuer) sendLogout(uri, token string) error {
	// Not the context of a request: that a browser goes away must not keep clients
	// from being told.
	ctx, cancel := context.WithTimeout(i.closing, 5*time.Second)
	defer cancel()
	body := strings.NewReader(url.Values{"logout_token": {token}}.Encode())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, body)
	if err != nil {
		return fmt.Errorf("jwtbearertest: back-channel logout: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := i.opts.HTTPClient.Do(r)
	if err != nil {
		return fmt.Errorf("jwtbearertest: back-channel logout: %w", err)
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("jwtbearertest: back-channel logout: %s answered %s, want 200", uri, res.Status)
	}
	return nil
}

// serveEndSession signs out the session of an ID token, or of the browser (OpenID
// Connect RP-Initiated Logout 1.0). A real one would ask first where there is no
// ID token.
func (i *Issuer) serveEndSession(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		methodNotAllowed(w, "GET, POST")
		return
	}
	noStore(w)
	if err := r.ParseForm(); err != nil {
		i.showError(w, "The request cannot be read.")
		return
	}
	client := i.clientByID(r.Form.Get("client_id"))
	id := ""
	if hint := r.Form.Get("id_token_hint"); hint != "" {
		named, claims := i.readHint(hint)
		if named == nil || client != nil && client != named {
			i.showError(w, "The ID token is not one of this issuer and this client.")
			return
		}
		client, id = named, stringOf(claims["sid"])
	}
	back := r.Form.Get("post_logout_redirect_uri")
	if back != "" && (client == nil || !client.mayReturnTo(back)) {
		i.showError(w, "The post-logout redirect URI is not registered.")
		return
	}
	present := i.browserSession(r)
	if present != nil && id == "" {
		id = present.id
	}
	if present == nil || present.id == id {
		// Otherwise the browser is signed in by now to another session, which goes on.
		http.SetCookie(w, i.cookie("", -1))
	}
	if id != "" {
		// That it has ended before is no error, and what clients could not be told is
		// in the log.
		i.EndSession(id)
	}
	if back == "" {
		i.showPage(w, http.StatusOK, "", signedOutPage, nil)
		return
	}
	target, _ := url.Parse(back)
	if state := r.Form.Get("state"); state != "" {
		query := target.Query()
		query.Set("state", state)
		target.RawQuery = query.Encode()
	}
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

// readHint reads the ID token of an id_token_hint, and tells whose it is: nil if it
// is none of this issuer. An expired one is as good: it says who is meant (OpenID
// Connect RP-Initiated Logout 1.0, Section 2).
func (i *Issuer) readHint(hint string) (client *Client, claims map[string]any) {
	header, claims, ok := parseJWT(hint)
	if !ok || !i.minted(hint, header) || claims["iss"] != i.url {
		return nil, nil
	}
	return i.clientByID(stringOf(claims["aud"])), claims
}

var signedOutPage = template.Must(template.New("").Parse(pageHead + `
<h1>Signed out</h1>
<p>You are signed out.</p>
` + pageFoot))
