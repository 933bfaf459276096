package jwtbearertest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// endpoints maps paths to what answers there.
func (i *Issuer) endpoints() map[string]route {
	return map[string]route{
		i.path + "/.well-known/openid-configuration":       {EndpointDiscovery, i.serveMetadata},
		"/.well-known/oauth-authorization-server" + i.path: {EndpointMetadata, i.serveMetadata},
		i.path + "/jwks":       {EndpointKeys, i.serveKeys},
		i.path + "/authorize":  {EndpointAuthorize, i.serveAuthorize},
		i.path + "/token":      {EndpointToken, i.serveToken},
		i.path + "/revoke":     {EndpointRevoke, i.serveRevoke},
		i.path + "/introspect": {EndpointIntrospect, i.serveIntrospect},
		i.path + "/userinfo":   {EndpointUserInfo, i.serveUserInfo},
		i.path + "/logout":     {EndpointEndSession, i.serveEndSession},
	}
}

// document is the issuer's metadata (OpenID Connect Discovery 1.0, Section 3;
// RFC 8414, Section 2).
func (i *Issuer) document() map[string]any {
	i.mu.Lock()
	defer i.mu.Unlock()
	authentication := []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}
	doc := map[string]any{
		"issuer":                 i.url,
		"jwks_uri":               i.base + "/jwks",
		"authorization_endpoint": i.base + "/authorize",
		"token_endpoint":         i.base + "/token",
		"revocation_endpoint":    i.base + "/revoke",
		"introspection_endpoint": i.base + "/introspect",
		"userinfo_endpoint":      i.base + "/userinfo",
		"end_session_endpoint":   i.base + "/logout",

		"response_types_supported": []string{"code"},
		"response_modes_supported": []string{"query"},
		"grant_types_supported":    i.opts.grantTypes(),
		"scopes_supported":         i.scopes(),
		"claims_supported":         []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid"},
		"subject_types_supported":  []string{"public"},
		"prompt_values_supported":  []string{"none", "login", "consent", "select_account"},

		"id_token_signing_alg_values_supported": i.algorithms,
		"code_challenge_methods_supported":      []string{"S256"},

		"token_endpoint_auth_methods_supported":                    append([]string{"none"}, authentication...),
		"token_endpoint_auth_signing_alg_values_supported":         algorithms,
		"revocation_endpoint_auth_methods_supported":               append([]string{"none"}, authentication...),
		"revocation_endpoint_auth_signing_alg_values_supported":    algorithms,
		"introspection_endpoint_auth_methods_supported":            authentication,
		"introspection_endpoint_auth_signing_alg_values_supported": algorithms,

		"authorization_response_iss_parameter_supported": true,
		"backchannel_logout_supported":                   true,
		"backchannel_logout_session_supported":           true,
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false,
		"claims_parameter_supported":                     false,
	}
	for name, value := range i.metadata {
		if value == nil {
			delete(doc, name)
			continue
		}
		doc[name] = value
	}
	return doc
}

// scopes are those that the discovery documents list.
func (i *Issuer) scopes() []string {
	scopes := slices.Clone(standardScopes)
	for _, api := range i.opts.APIs {
		for _, scope := range api.Scopes {
			if !has(scopes, scope) {
				scopes = append(scopes, scope)
			}
		}
	}
	return scopes
}

// SetMetadata sets a member of the discovery documents, or removes it if value is
// nil. A jwks_uri whose path is below the issuer's own host serves the key set from
// there on, at the old path as well.
func (i *Issuer) SetMetadata(name string, value any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.metadata[name] = value
}

func (i *Issuer) serveMetadata(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(i.document())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	i.serveDocument(w, r, "application/json", body)
}

func (i *Issuer) serveKeys(w http.ResponseWriter, r *http.Request) {
	i.serveDocument(w, r, "application/jwk-set+json", i.KeySet())
}

// serveDocument answers a GET with a public document and its validators.
func (i *Issuer) serveDocument(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		methodNotAllowed(w, "GET, HEAD")
		return
	}
	tag := etag(body)
	w.Header().Set("Cache-Control", i.opts.CacheControl)
	w.Header().Set("ETag", tag)
	w.Header().Set("Access-Control-Allow-Origin", "*")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

// movedKeys tells whether path is where SetMetadata has moved the key set to.
func (i *Issuer) movedKeys(path string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	uri, _ := i.metadata["jwks_uri"].(string)
	if uri == "" {
		return false
	}
	u, err := url.Parse(uri)
	return err == nil && u.Path == path && strings.HasPrefix(path, "/")
}
