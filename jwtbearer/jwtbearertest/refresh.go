package jwtbearertest

import (
	"crypto/rand"
	"time"
)

// chain is everything that was issued for one sign-in at one client: the first
// tokens and all that came of refreshing. It is guarded by Issuer.mu.
type chain struct {
	client   *Client
	issuance issuance // of the first tokens
	granted  []string // the APIs that its tokens may be for; nil: any
	started  time.Time
	revoked  bool
}

// refreshToken is guarded by Issuer.mu.
type refreshToken struct {
	chain    *chain
	expires  time.Time
	redeemed time.Time // when it was first used; zero if it was not
	revoked  bool
}

// expiry is when a refresh token that is issued or used now expires.
func (c *chain) expiry(now time.Time) time.Time {
	last := c.started.Add(c.client.Lifetimes.RefreshTokenAbsolute)
	if c.client.RefreshExpiry == AbsoluteExpiry {
		return last
	}
	if sliding := now.Add(c.client.Lifetimes.RefreshToken); sliding.Before(last) {
		return sliding
	}
	return last
}

// newRefreshToken starts the next link of c. The caller holds i.mu.
func (i *Issuer) newRefreshToken(c *chain) string {
	value := rand.Text() + rand.Text()
	i.refreshTokens[value] = &refreshToken{chain: c, expires: c.expiry(i.now())}
	return value
}

// usedUp tells whether the leeway after the first use of t is over.
func (t *refreshToken) usedUp(now time.Time) bool {
	leeway := t.chain.client.ReuseLeeway
	return !t.redeemed.IsZero() && (leeway == NoReuseLeeway || now.Sub(t.redeemed) > leeway)
}

// refusal says why token is no good now; it is nil if the token is good. The caller
// holds i.mu.
func (i *Issuer) refusal(token *refreshToken) error {
	now, c := i.now(), token.chain
	switch {
	case token.usedUp(now):
		return InvalidGrant("The refresh token was used before.")
	case c.revoked || token.revoked:
		return InvalidGrant("The refresh token was revoked.")
	case c.issuance.session != nil && !i.alive(c.issuance.session):
		return InvalidGrant("The session has ended.")
	case i.deleted[c.issuance.subject]:
		return InvalidGrant("The user is gone.")
	case !now.Before(token.expires):
		return InvalidGrant("The refresh token has expired.")
	}
	return nil
}

// redeem uses a refresh token, for scopes and audience if they are not nil, and
// returns its chain with the token to go on with.
func (i *Issuer) redeem(client *Client, value string, scopes, audience []string) (*chain, string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	token := i.refreshTokens[value]
	if token == nil || client != nil && token.chain.client != client {
		// A token of another client is not used up by the attempt.
		return nil, "", InvalidGrant("The refresh token is unknown.")
	}
	now, c := i.now(), token.chain
	if token.usedUp(now) {
		// Either the client or a thief has used it before, and there is no telling
		// which of them this is. Nothing else that is wrong with the request may save
		// the chain.
		c.revoked = true
	}
	if err := i.refusal(token); err != nil {
		return nil, "", err
	}
	for _, scope := range scopes {
		if !has(c.issuance.scopes, scope) {
			return nil, "", &Error{Code: "invalid_scope", Description: "A scope was not granted before."}
		}
	}
	if err := i.checkAudience(audience, c.granted); err != nil {
		return nil, "", err
	}
	if c.client.RefreshUsage == ReusableRefresh {
		token.expires = c.expiry(now)
		return c, value, nil
	}
	if token.redeemed.IsZero() {
		token.redeemed = now
	}
	return c, i.newRefreshToken(c), nil
}

// refresh is what the refresh grant does once the client is known; a nil client
// stands for whichever the token was issued to.
func (i *Issuer) refresh(client *Client, value string, scopes, audience []string) (*Tokens, error) {
	c, next, err := i.redeem(client, value, scopes, audience)
	if err != nil {
		return nil, err
	}
	renewed := c.issuance
	renewed.chain, renewed.refreshToken = c, next
	// An ID token of a refresh has no nonce (OpenID Connect Core 1.0, Section 12.2).
	renewed.nonce = ""
	if scopes != nil {
		renewed.scopes = scopes
	}
	if audience != nil {
		renewed.audience = audience
	}
	return i.issue(c.client, &renewed), nil
}

// Refresh does what the refresh grant does, without HTTP and without client
// authentication. The error is an [*Error], invalid_grant for every token that is
// no longer good.
func (i *Issuer) Refresh(refreshToken string) (*Tokens, error) {
	return i.refresh(nil, refreshToken, nil, nil)
}

// RevokeToken revokes one token, refresh or access, and nothing else. It reports
// whether the token was one of this issuer.
func (i *Issuer) RevokeToken(token string) bool {
	known, _ := i.revoke(nil, token, true)
	return known
}

// RevokeChain revokes token, refresh or access, with everything that was issued
// for the same sign-in at the same client. It reports whether the token was one of
// this issuer.
func (i *Issuer) RevokeChain(token string) bool {
	known, _ := i.revoke(nil, token, false)
	return known
}

// revoke revokes a token of client, or of any if it is nil. That it belongs to
// another client is an error (RFC 7009, Section 2.1), that nobody knows it is not.
func (i *Issuer) revoke(client *Client, value string, single bool) (known bool, err error) {
	foreign := InvalidGrant("The token was issued to another client.")
	i.mu.Lock()
	if token := i.refreshTokens[value]; token != nil {
		c := token.chain
		if client != nil && c.client != client {
			i.mu.Unlock()
			return true, foreign
		}
		token.revoked = true
		if !single {
			c.revoked = true
		}
		i.mu.Unlock()
		i.endRevokedSession(c.issuance.session)
		return true, nil
	}
	i.mu.Unlock()

	info, ok := i.inspect(value)
	switch {
	case !ok:
		return false, nil
	case client != nil && info.claims["client_id"] != client.ID:
		return true, foreign
	}
	i.mu.Lock()
	i.revokedTokens[info.id] = true
	if info.chain != nil && !single {
		info.chain.revoked = true
	}
	s := i.sessions[info.sid]
	i.mu.Unlock()
	i.endRevokedSession(s)
	return true, nil
}

// endRevokedSession ends the session of a revoked token, if it is to.
func (i *Issuer) endRevokedSession(s *session) {
	if s != nil && i.opts.RevocationEndsSession {
		i.EndSession(s.id)
	}
}
