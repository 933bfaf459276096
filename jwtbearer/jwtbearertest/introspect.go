package jwtbearertest

import (
	"cmp"
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// inspection is what the issuer knows of an active access token.
type inspection struct {
	id, sid string // id is the jti, or the token itself if it has none
	claims  map[string]any
	chain   *chain // nil for tokens that Issuer.Token minted
}

// inspect tells whether token is an active access token of this issuer: signed
// with one of its keys, of whatever generation, not expired, not revoked, its
// session alive and its user not deleted.
func (i *Issuer) inspect(token string) (*inspection, bool) {
	i.mu.Lock()
	if jwt, opaque := i.opaqueTokens[token]; opaque {
		token = jwt
	}
	i.mu.Unlock()
	header, claims, ok := parseJWT(token)
	if !ok || !i.minted(token, header) || claims["iss"] != i.url {
		return nil, false
	}
	// An ID token names no client_id, and a logout token has a type of its own.
	if typ := stringOf(header["typ"]); claims["client_id"] == nil && !strings.EqualFold(typ, "at+jwt") || strings.EqualFold(typ, "logout+jwt") {
		return nil, false
	}
	now := i.now()
	if exp, ok := instant(claims["exp"]); !ok || !now.Before(exp) {
		return nil, false
	}
	if nbf, ok := instant(claims["nbf"]); ok && now.Before(nbf) {
		return nil, false
	}
	info := &inspection{id: cmp.Or(stringOf(claims["jti"]), token), sid: stringOf(claims[i.opts.SessionClaim]), claims: claims}
	i.mu.Lock()
	defer i.mu.Unlock()
	info.chain = i.accessTokens[info.id].chain
	switch {
	case i.revokedTokens[info.id],
		info.chain != nil && info.chain.revoked,
		info.sid != "" && i.sessions[info.sid] == nil,
		i.deleted[stringOf(claims["sub"])]:
		return nil, false
	}
	return info, true
}

// minted tells whether a key of this issuer signed token.
func (i *Issuer) minted(token string, header map[string]any) bool {
	alg := stringOf(header["alg"])
	i.mu.Lock()
	keys := i.keys.find(alg, stringOf(header["kid"]))
	i.mu.Unlock()
	return slices.ContainsFunc(keys, func(key *signingKey) bool { return signedBy(token, alg, key.private.Public()) })
}

// makeOpaque returns a handle for a token.
func (i *Issuer) makeOpaque(token string) string {
	handle := rand.Text() + rand.Text()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.opaqueTokens[handle] = token
	return handle
}

// OpaqueToken is [Issuer.Token] for APIs that introspect: what it returns says
// nothing by itself, and the introspection endpoint tells the claims.
func (i *Issuer) OpaqueToken(audience string, opts ...TokenOption) string {
	return i.makeOpaque(i.Token(audience, opts...))
}

// Introspect returns the claims of an active access token of this issuer; active
// is false for everything else, be it expired, revoked, of an ended session, or no
// token at all.
func (i *Issuer) Introspect(token string) (claims map[string]any, active bool) {
	info, ok := i.inspect(token)
	if !ok {
		return nil, false
	}
	return info.claims, true
}

// serveIntrospect is the introspection endpoint (RFC 7662). Every client that can
// authenticate may ask about every token.
func (i *Issuer) serveIntrospect(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		i.writeError(w, err)
		return
	}
	client, err := i.authenticate(r, form, i.base+"/introspect")
	switch {
	case err != nil:
	case client.public():
		err = invalidClient("A public client may not introspect.")
	case form.Get("token") == "":
		err = invalidRequest("The parameter token is missing.")
	}
	if err != nil {
		i.writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, i.introspection(form.Get("token")))
}

func (i *Issuer) introspection(token string) map[string]any {
	if claims, active := i.Introspect(token); active {
		answer := maps.Clone(claims)
		answer["active"] = true
		answer["token_type"] = "Bearer"
		if sub := stringOf(claims["sub"]); i.HasUser(sub) {
			answer["username"] = sub
		}
		return answer
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	refresh := i.refreshTokens[token]
	if refresh == nil || i.refusal(refresh) != nil {
		// Nothing else: why a token is not active is nobody's business (RFC 7662,
		// Section 2.2).
		return map[string]any{"active": false}
	}
	return map[string]any{
		"active":    true,
		"iss":       i.url,
		"sub":       refresh.chain.issuance.subject,
		"client_id": refresh.chain.client.ID,
		"scope":     strings.Join(refresh.chain.issuance.scopes, " "),
		"exp":       refresh.expires.Unix(),
	}
}

// serveRevoke is the revocation endpoint (RFC 7009): 200 whether or not there was
// anything to revoke. RFC 7009, Section 2.1, leaves open which error a token of
// another client is; RFC 6749, Section 5.2, has invalid_grant for it.
func (i *Issuer) serveRevoke(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		i.writeError(w, err)
		return
	}
	client, err := i.authenticate(r, form, i.base+"/revoke")
	if err == nil && form.Get("token") == "" {
		err = invalidRequest("The parameter token is missing.")
	}
	if err == nil {
		_, err = i.revoke(client, form.Get("token"), client.RevokeOneToken)
	}
	if err != nil {
		i.writeError(w, err)
		return
	}
	noStore(w)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}
