package jwtbearertest

import (
	"net/http"
	"strings"
)

// serveUserInfo tells what the scopes of an access token let its client know of
// the user (OpenID Connect Core 1.0, Section 5.3).
func (i *Issuer) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		methodNotAllowed(w, "GET, POST")
		return
	}
	challenge := func(status int, parameters string) {
		w.Header().Set("WWW-Authenticate", strings.TrimSpace("Bearer "+parameters))
		noStore(w)
		http.Error(w, http.StatusText(status), status)
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		challenge(http.StatusUnauthorized, "")
		return
	}
	info, ok := i.inspect(token)
	if !ok {
		challenge(http.StatusUnauthorized, `error="invalid_token", error_description="the token is not active"`)
		return
	}
	scopes := strings.Fields(stringOf(info.claims["scope"]))
	user := i.user(stringOf(info.claims["sub"]))
	if !has(scopes, "openid") || user == nil {
		challenge(http.StatusForbidden, `error="insufficient_scope", scope="openid"`)
		return
	}
	answer := user.claimsFor(scopes)
	answer["sub"] = user.Subject
	writeJSON(w, http.StatusOK, answer)
}
