package jwtbearertest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The grant types that every issuer knows.
const (
	grantCode              = "authorization_code"
	grantRefresh           = "refresh_token"
	grantClientCredentials = "client_credentials"
	grantPassword          = "password"
	grantExchange          = "urn:ietf:params:oauth:grant-type:token-exchange"
)

var standardGrants = []string{grantCode, grantRefresh, grantClientCredentials, grantPassword, grantExchange}

// GrantFunc answers token requests of an extension grant (RFC 6749, Section 4.5).
// The client is authenticated and may use the grant. A nil Grant and every error
// that is no [*Error] refuse with invalid_grant.
type GrantFunc func(request *GrantRequest) (*Grant, error)

// GrantRequest is a token request of an extension grant.
type GrantRequest struct {
	// Context is the request's.
	Context context.Context
	// Issuer is who is asked.
	Issuer *Issuer
	// Client is who asks. It must not be changed.
	Client *Client
	// Form are the request's parameters that have a value, and password even if it is
	// empty; none is there twice but resource and audience.
	Form url.Values
	// Scopes is the parameter scope, checked; nil if it is absent.
	Scopes []string
}

// Grant is what an extension grant gives.
type Grant struct {
	// Subject is the user that the tokens are for. It must exist.
	Subject string
	// SignIn makes the tokens those of a new session, with a refresh token if
	// offline_access is among the scopes.
	SignIn bool
	// Scopes of the tokens; nil means the ones that were asked for.
	Scopes []string
	// Audience of the access token; nil means as the request says.
	Audience []string
	// Claims go into the access token.
	Claims map[string]any
}

type grantHandler func(*tokenRequest) (map[string]any, error)

func (o *Options) grantTypes() []string {
	return append(slices.Clone(standardGrants), slices.Sorted(maps.Keys(o.Grants))...)
}

func (o *Options) checkGrants() error {
	for _, name := range slices.Sorted(maps.Keys(o.Grants)) {
		if name == "" || has(standardGrants, name) || o.Grants[name] == nil {
			return fmt.Errorf("jwtbearertest: Options.Grants: %q is empty, nil or a grant type of its own: register a function under another name", name)
		}
	}
	return nil
}

func (i *Issuer) grants() map[string]grantHandler {
	grants := map[string]grantHandler{
		grantCode:              i.grantCode,
		grantRefresh:           i.grantRefresh,
		grantClientCredentials: i.grantClientCredentials,
		grantPassword:          i.grantPassword,
		grantExchange:          i.grantExchange,
	}
	for name, grant := range i.opts.Grants {
		grants[name] = func(q *tokenRequest) (map[string]any, error) { return i.grantExtension(q, grant) }
	}
	return grants
}

// grantCode redeems an authorization code (RFC 6749, Section 4.1.3; RFC 7636,
// Section 4.6).
func (i *Issuer) grantCode(q *tokenRequest) (map[string]any, error) {
	value := q.form.Get("code")
	if value == "" {
		return nil, invalidRequest("The parameter code is missing.")
	}
	audience := namedAudience(q.form)
	code, err := i.takeCode(q, value, audience)
	if err != nil {
		return nil, err
	}
	what := &issuance{
		subject: code.session.subject, user: true, session: code.session, scopes: code.scopes,
		audience: code.audience, nonce: code.nonce, refreshable: true, chain: code.chain,
	}
	if audience != nil {
		what.audience = audience
	}
	i.mu.Lock()
	code.chain.issuance = *what
	i.mu.Unlock()
	return i.issue(q.client, what).response(), nil
}

// takeCode uses a code up, for audience if it is not nil. Everything that is wrong
// with the code is invalid_grant.
func (i *Issuer) takeCode(q *tokenRequest, value string, audience []string) (*code, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	code := i.codes[value]
	switch {
	case code == nil || code.client != q.client:
		return nil, InvalidGrant("The code is unknown.")
	case code.chain != nil:
		// Whoever came first may have been the thief (RFC 6749, Section 4.1.2).
		code.chain.revoked = true
		return nil, InvalidGrant("The code was used before.")
	case !i.now().Before(code.expires):
		return nil, InvalidGrant("The code has expired.")
	case !i.alive(code.session):
		return nil, InvalidGrant("The session has ended.")
	case code.redirectURI != q.form.Get("redirect_uri"):
		return nil, InvalidGrant("The redirect URI is not the one of the authorization request.")
	case !code.verifies(q.form.Get("code_verifier")):
		return nil, InvalidGrant("The code verifier is wrong.")
	}
	if err := i.checkAudience(audience, code.audience); err != nil {
		return nil, err
	}
	code.chain = &chain{client: q.client, granted: code.audience, started: i.now()}
	return code, nil
}

// verifies checks the proof key (RFC 7636, Section 4.6). A verifier without a
// challenge is wrong as well: somebody took the challenge out (RFC 9700,
// Section 4.8.2).
func (c *code) verifies(verifier string) bool {
	if c.challenge == "" {
		return verifier == ""
	}
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return encode(sum[:]) == c.challenge
}

// grantRefresh is RFC 6749, Section 6.
func (i *Issuer) grantRefresh(q *tokenRequest) (map[string]any, error) {
	value := q.form.Get("refresh_token")
	if value == "" {
		return nil, invalidRequest("The parameter refresh_token is missing.")
	}
	// What was granted was checked then; what was not is refused once it is clear that
	// the token is not a stolen one.
	var scopes []string
	if asked := strings.Fields(q.form.Get("scope")); len(asked) > 0 {
		scopes = q.client.narrow(asked)
	}
	tokens, err := i.refresh(q.client, value, scopes, namedAudience(q.form))
	if err != nil {
		return nil, err
	}
	return tokens.response(), nil
}

// grantClientCredentials is RFC 6749, Section 4.4: the client is its own subject,
// and there are no sessions and no refresh tokens.
func (i *Issuer) grantClientCredentials(q *tokenRequest) (map[string]any, error) {
	if q.client.public() {
		return nil, &Error{Code: "unauthorized_client", Description: "A public client cannot act for itself."}
	}
	what, err := i.requested(q)
	if err != nil {
		return nil, err
	}
	what.subject = q.client.ID
	what.scopes = slices.DeleteFunc(what.scopes, func(s string) bool { return has(standardScopes, s) })
	return i.issue(q.client, what).response(), nil
}

// requested starts an issuance from the parameters that all grants share.
func (i *Issuer) requested(q *tokenRequest) (*issuance, error) {
	scopes, err := q.scopes(i)
	if err != nil {
		return nil, err
	}
	audience, err := i.audience(q.form)
	if err != nil {
		return nil, err
	}
	return &issuance{scopes: scopes, audience: audience}, nil
}

// grantPassword is the legacy grant of RFC 6749, Section 4.3, which RFC 9700,
// Section 2.4, forbids: it is here for tests of what still uses it.
func (i *Issuer) grantPassword(q *tokenRequest) (map[string]any, error) {
	if !q.form.Has("username") || !q.form.Has("password") {
		return nil, invalidRequest("The parameters username and password are needed.")
	}
	what, err := i.requested(q)
	if err != nil {
		return nil, err
	}
	user := i.user(q.form.Get("username"))
	if user == nil || !user.signsInWith(q.form.Get("password")) {
		return nil, InvalidGrant("The name or the password is wrong.")
	}
	if what.session, err = i.newSession(user.Subject, deviceOf(q.http, q.form.Get("device"))); err != nil {
		return nil, err
	}
	what.subject, what.user, what.refreshable = user.Subject, true, true
	return i.issue(q.client, what).response(), nil
}

// grantExtension runs a registered grant.
func (i *Issuer) grantExtension(q *tokenRequest, run GrantFunc) (map[string]any, error) {
	what, err := i.requested(q)
	if err != nil {
		return nil, err
	}
	grant, err := run(&GrantRequest{Context: q.http.Context(), Issuer: i, Client: q.client, Form: q.form, Scopes: what.scopes})
	if err != nil {
		return nil, err
	}
	if grant == nil || !i.HasUser(grant.Subject) {
		return nil, InvalidGrant("The user is unknown.")
	}
	what.subject, what.user, what.claims = grant.Subject, true, grant.Claims
	if grant.Scopes != nil {
		what.scopes = q.client.narrow(grant.Scopes)
	}
	if grant.Audience != nil {
		what.audience = grant.Audience
	}
	if grant.SignIn {
		if what.session, err = i.newSession(grant.Subject, deviceOf(q.http, q.form.Get("device"))); err != nil {
			return nil, err
		}
		what.refreshable = true
	} else {
		what.scopes = withoutOffline(what.scopes)
	}
	return i.issue(q.client, what).response(), nil
}

// methodNotAllowed refuses a method.
func methodNotAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
}
