package jwtbearertest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// serveToken is the token endpoint (RFC 6749, Section 3.2).
func (i *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	answer, err := i.answerToken(w, r)
	if err != nil {
		i.writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (i *Issuer) answerToken(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	form, err := readForm(w, r, "resource", "audience")
	if err != nil {
		return nil, err
	}
	client, err := i.authenticate(r, form, i.base+"/token")
	if err != nil {
		return nil, err
	}
	grantType := form.Get("grant_type")
	grant := i.grants()[grantType]
	switch {
	case grantType == "":
		return nil, invalidRequest("The parameter grant_type is missing.")
	case grant == nil:
		return nil, &Error{Code: "unsupported_grant_type", Description: "The grant type is unknown."}
	case !client.mayUse(grantType):
		return nil, &Error{Code: "unauthorized_client", Description: "The client may not use this grant type."}
	}
	return grant(&tokenRequest{r, form, client})
}

// tokenRequest is a token request of an authenticated client.
type tokenRequest struct {
	http   *http.Request
	form   url.Values
	client *Client
}

// scopes reads the parameter scope: nil if it is absent.
func (q *tokenRequest) scopes(i *Issuer) ([]string, error) {
	scopes, err := i.checkScopes(q.client, q.form.Get("scope"))
	if err != nil || scopes == nil {
		return nil, err
	}
	return q.client.narrow(scopes), nil
}

// checkScopes splits value and refuses what the client may not ask for, and what
// no API of this issuer knows. offline_access is left to Client.narrow.
func (i *Issuer) checkScopes(client *Client, value string) ([]string, error) {
	scopes := strings.Fields(value)
	if len(scopes) == 0 {
		return nil, nil
	}
	for _, scope := range scopes {
		if scope != "offline_access" && !client.mayAsk(scope) || !i.knowsScope(scope) {
			return nil, &Error{Code: "invalid_scope", Description: "A scope is unknown, or the client may not ask for it."}
		}
	}
	return scopes, nil
}

var standardScopes = []string{"openid", "profile", "email", "address", "phone", "offline_access"}

func (i *Issuer) knowsScope(scope string) bool {
	return i.anyAPI || has(standardScopes, scope) || slices.ContainsFunc(i.opts.APIs, func(api API) bool { return has(api.Scopes, scope) })
}

// audience reads which APIs a token is to be for; nil leaves it to the scopes.
func (i *Issuer) audience(form url.Values) ([]string, error) {
	audience := namedAudience(form)
	return audience, i.checkAudience(audience, nil)
}

// namedAudience reads the parameters resource (RFC 8707) and audience (RFC 8693).
func namedAudience(form url.Values) []string {
	var audience []string
	for _, name := range slices.Concat(form["resource"], form["audience"]) {
		if !has(audience, name) {
			audience = append(audience, name)
		}
	}
	return audience
}

// checkAudience refuses APIs that are not among those granted before (RFC 8707,
// Section 2.2), or that are unknown where granted is nil.
func (i *Issuer) checkAudience(audience, granted []string) error {
	for _, name := range audience {
		switch {
		case granted != nil && !has(granted, name):
			return &Error{Code: "invalid_target", Description: "The API was not granted before."}
		case granted == nil && !i.knowsAPI(name):
			return &Error{Code: "invalid_target", Description: "The API is unknown."}
		}
	}
	return nil
}

func (i *Issuer) knowsAPI(audience string) bool {
	return i.anyAPI || slices.ContainsFunc(i.opts.APIs, func(api API) bool { return api.Audience == audience })
}

// response is the JSON object of a successful answer.
func (t *Tokens) response() map[string]any {
	answer := map[string]any{
		"access_token": t.AccessToken,
		"token_type":   "Bearer",
		"expires_in":   int64(t.ExpiresIn / time.Second),
	}
	if len(t.Scopes) > 0 {
		answer["scope"] = strings.Join(t.Scopes, " ")
	}
	if t.RefreshToken != "" {
		answer["refresh_token"] = t.RefreshToken
	}
	if t.IDToken != "" {
		answer["id_token"] = t.IDToken
	}
	return answer
}
