package jwtbearertest

import (
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"time"
)

// Tokens are what a token request gets (RFC 6749, Section 5.1).
type Tokens struct {
	// AccessToken is a JWT, unless Client.OpaqueTokens says otherwise.
	AccessToken string
	// RefreshToken is "" unless offline_access was asked for and allowed.
	RefreshToken string
	// IDToken is "" unless openid was asked for.
	IDToken string
	// ExpiresIn is how long the access token lives.
	ExpiresIn time.Duration
	// Scopes are those that were granted.
	Scopes []string
	// SessionID is the sid claim, "" for tokens without a session.
	SessionID string
}

// issuance is what tokens are made from.
type issuance struct {
	subject  string
	user     bool // the subject is a user, not a client
	session  *session
	scopes   []string
	audience []string // nil: by the scopes
	claims   map[string]any
	nonce    string

	refreshable bool // a refresh token is given if offline_access is among the scopes
	chain       *chain
	// refreshToken is the one to hand out; "" starts a chain if there is to be one.
	refreshToken string
}

// accessRecord is what the issuer keeps of an access token.
type accessRecord struct {
	chain   *chain
	expires time.Time
}

// issue makes the tokens.
func (i *Issuer) issue(client *Client, what *issuance) *Tokens {
	now := i.now()
	tokens := &Tokens{ExpiresIn: client.Lifetimes.AccessToken, Scopes: what.scopes, RefreshToken: what.refreshToken}
	id := rand.Text()

	i.mu.Lock()
	if what.chain == nil && what.session != nil {
		// A chain stands behind every sign-in, so that all its tokens can be revoked
		// together, whether or not there is a refresh token among them.
		what.chain = &chain{client: client, issuance: *what, granted: what.audience, started: now}
	}
	if what.refreshable && what.refreshToken == "" && what.chain != nil && has(what.scopes, "offline_access") && client.mayUse(grantRefresh) {
		tokens.RefreshToken = i.newRefreshToken(what.chain)
	}
	if what.session != nil {
		what.session.joins(client)
		tokens.SessionID = what.session.id
	}
	i.remember(id, accessRecord{what.chain, now.Add(client.Lifetimes.AccessToken)})
	user := i.users[what.subject]
	i.mu.Unlock()

	access := i.newDraft("at+jwt")
	access.claims.set("iss", i.url)
	access.claims.set("sub", what.subject)
	access.claims.set("aud", oneOrAll(i.audienceFor(what)))
	access.claims.set("client_id", client.ID)
	access.claims.set("iat", now.Unix())
	access.claims.set("exp", now.Add(client.Lifetimes.AccessToken).Unix())
	access.claims.set("jti", id)
	if len(what.scopes) > 0 {
		access.claims.set("scope", strings.Join(what.scopes, " "))
	}
	if what.session != nil {
		access.claims.set(i.opts.SessionClaim, what.session.id)
		access.claims.set("auth_time", what.session.signedInAt.Unix())
	}
	if what.user && user != nil {
		access.claims.setAll(user.TokenClaims)
	}
	access.claims.setAll(what.claims)
	tokens.AccessToken = access.mint(nil)
	if client.OpaqueTokens {
		tokens.AccessToken = i.makeOpaque(tokens.AccessToken)
	}
	if what.user && has(what.scopes, "openid") {
		tokens.IDToken = i.idTokenFor(client, what, user, tokens.AccessToken, now)
	}
	return tokens
}

// idTokenFor makes the ID token that goes with an access token (OpenID Connect
// Core 1.0, Sections 2 and 3.1.3.6).
func (i *Issuer) idTokenFor(client *Client, what *issuance, user *User, accessToken string, now time.Time) string {
	d := i.newDraft("JWT")
	d.claims.set("iss", i.url)
	d.claims.set("sub", what.subject)
	d.claims.set("aud", client.ID)
	d.claims.set("iat", now.Unix())
	d.claims.set("exp", now.Add(client.Lifetimes.IDToken).Unix())
	d.claims.set("at_hash", halfHash(d.alg, accessToken))
	if what.nonce != "" {
		d.claims.set("nonce", what.nonce)
	}
	if what.session != nil {
		d.claims.set("sid", what.session.id)
		d.claims.set("auth_time", what.session.signedInAt.Unix())
	}
	if user != nil {
		d.claims.setAll(user.claimsFor(what.scopes))
	}
	return d.mint(nil)
}

// remember keeps record under the token's jti, and forgets the records of long
// expired tokens now and then. The caller holds i.mu.
func (i *Issuer) remember(id string, record accessRecord) {
	if len(i.accessTokens) >= i.forgetAt {
		now := i.now()
		maps.DeleteFunc(i.accessTokens, func(_ string, r accessRecord) bool { return now.Sub(r.expires) > day })
		i.forgetAt = 2*len(i.accessTokens) + 1024
	}
	i.accessTokens[id] = record
}

// audienceFor tells which APIs an access token is for.
func (i *Issuer) audienceFor(what *issuance) []string {
	if len(what.audience) > 0 {
		return what.audience
	}
	var audience []string
	for _, api := range i.opts.APIs {
		if slices.ContainsFunc(api.Scopes, func(scope string) bool { return has(what.scopes, scope) }) {
			audience = append(audience, api.Audience)
		}
	}
	if audience == nil {
		audience = []string{i.opts.APIs[0].Audience}
	}
	return audience
}

// narrow drops offline_access where the client may not have it: that it gets no
// refresh token is answer enough.
func (c *Client) narrow(scopes []string) []string {
	granted := make([]string, 0, len(scopes))
	for _, scope := range scopes {
		if scope == "offline_access" && !(c.mayAsk(scope) && c.mayUse(grantRefresh)) || slices.Contains(granted, scope) {
			continue
		}
		granted = append(granted, scope)
	}
	return granted
}

// withoutOffline returns scopes without offline_access, for tokens that no refresh
// token goes with.
func withoutOffline(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return scope == "offline_access" })
}

func (m *members) setAll(values map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		m.set(name, values[name])
	}
}

func oneOrAll(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}

func has(list []string, s string) bool { return slices.Contains(list, s) }
