package jwtbearertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// readForm reads the parameters of an endpoint that clients call directly. Those
// in the URL do not count, and none may come twice (RFC 6749, Section 3.2), but
// for the ones named in repeatable.
func readForm(w http.ResponseWriter, r *http.Request, repeatable ...string) (url.Values, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		return nil, &Error{Code: "invalid_request", Description: "The method must be POST.", Status: http.StatusMethodNotAllowed}
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/x-www-form-urlencoded" {
		return nil, invalidRequest("The content type must be application/x-www-form-urlencoded.")
	}
	if err := r.ParseForm(); err != nil {
		return nil, invalidRequest("The form cannot be read.")
	}
	omitEmpty(r.PostForm)
	for name, values := range r.PostForm {
		if len(values) > 1 && !slices.Contains(repeatable, name) {
			return nil, invalidRequest("A parameter is there more than once.")
		}
	}
	return r.PostForm, nil
}

// omitEmpty takes out what has no value: it counts as omitted (RFC 6749, Sections
// 3.1 and 3.2). An empty password stays, as that of a user who has none.
func omitEmpty(form url.Values) {
	for name, values := range form {
		if name == "password" {
			continue
		}
		form[name] = slices.DeleteFunc(values, func(value string) bool { return value == "" })
		if len(form[name]) == 0 {
			delete(form, name)
		}
	}
}

// authenticate tells which client sent a request: by HTTP Basic, by a password
// in the body, by an assertion, or by its bare id for a public client (RFC 6749,
// Section 2.3). endpoint is the URL of the endpoint, which an assertion may name
// as its audience.
func (i *Issuer) authenticate(r *http.Request, form url.Values, endpoint string) (*Client, error) {
	const wrong = "The client is unknown, or it did not authenticate as it must."
	id := form.Get("client_id")
	user, password, basic := r.BasicAuth()
	switch methods := b2i(r.Header.Get("Authorization") != "") + b2i(form.Has("client_secret")) + b2i(form.Has("client_assertion")); {
	case methods > 1:
		return nil, invalidRequest("The client authenticates in more than one way.")
	case r.Header.Get("Authorization") != "" && !basic:
		return nil, invalidClient(wrong)
	case basic:
		// Both halves are form-encoded before they are joined.
		name, err1 := url.QueryUnescape(user)
		secret, err2 := url.QueryUnescape(password)
		if err1 != nil || err2 != nil || id != "" && id != name {
			return nil, invalidClient(wrong)
		}
		id, password = name, secret
	case form.Has("client_secret"):
		password = form.Get("client_secret")
	case form.Has("client_assertion"):
		return i.authenticateByAssertion(form, endpoint)
	default:
		client := i.clientByID(id)
		if client == nil || !client.public() {
			return nil, invalidClient(wrong)
		}
		return client, nil
	}
	client := i.clientByID(id)
	if client == nil || client.Secret == "" || subtle.ConstantTimeCompare([]byte(client.Secret), []byte(password)) != 1 {
		return nil, invalidClient(wrong)
	}
	return client, nil
}

// authenticateByAssertion is private_key_jwt (RFC 7523, Section 3).
func (i *Issuer) authenticateByAssertion(form url.Values, endpoint string) (*Client, error) {
	refuse := func(why string) (*Client, error) { return nil, invalidClient("The client assertion " + why) }
	if form.Get("client_assertion_type") != assertionType {
		return nil, invalidRequest("The client assertion is of an unknown type.")
	}
	assertion := form.Get("client_assertion")
	header, claims, ok := parseJWT(assertion)
	if !ok {
		return refuse("is no JWT.")
	}
	id, _ := claims["sub"].(string)
	client := i.clientByID(id)
	if client == nil || claims["iss"] != id || form.Has("client_id") && form.Get("client_id") != id {
		return refuse("must name the client as iss and sub.")
	}
	if _, critical := header["crit"]; critical {
		// It names what must be understood (RFC 7515, Section 4.1.11), and nothing is.
		return refuse("has critical extensions, and none is known.")
	}
	if !client.signed(assertion, header) {
		return refuse("is not signed by a key of the client.")
	}
	if aud := audiences(claims["aud"]); !slices.ContainsFunc([]string{i.url, i.base + "/token", endpoint}, func(s string) bool { return slices.Contains(aud, s) }) {
		return refuse("is not for this issuer.")
	}
	now := i.now()
	exp, ok := instant(claims["exp"])
	if !ok || !now.Before(exp) {
		return refuse("has expired, or says nothing of it.")
	}
	if nbf, ok := instant(claims["nbf"]); ok && now.Before(nbf) {
		return refuse("is not valid yet.")
	}
	jti, _ := claims["jti"].(string)
	if jti == "" {
		return refuse("has no jti.")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for seen, until := range i.assertions {
		if now.After(until) {
			delete(i.assertions, seen)
		}
	}
	if _, seen := i.assertions[id+" "+jti]; seen {
		return refuse("was used before.")
	}
	i.assertions[id+" "+jti] = exp
	return client, nil
}

// signed tells whether one of the client's keys signed token.
func (c *Client) signed(token string, header map[string]any) bool {
	alg, _ := header["alg"].(string)
	kid, _ := header["kid"].(string)
	if !slices.Contains(algorithms, alg) {
		return false
	}
	for _, key := range c.keys {
		if (kid == "" || key.id == "" || key.id == kid) && key.isFor(alg) && signedBy(token, alg, key.public) {
			return true
		}
	}
	return false
}

// isFor tells whether the key may be used to verify signatures by alg (RFC 7517,
// Sections 4.2 and 4.4).
func (k *clientKey) isFor(alg string) bool {
	named := k.alg == "" || k.alg == alg || kindOf(k.alg) == kindEd25519 && kindOf(alg) == kindEd25519
	return named && (k.use == "" || k.use == "sig") && fitsPublic(alg, k.public)
}

func signedBy(token, alg string, key crypto.PublicKey) bool {
	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	return err == nil && verify(alg, key, []byte(token[:dot]), signature) == nil
}

// parseJWT reads a token without believing it.
func parseJWT(token string) (header, claims map[string]any, ok bool) {
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		return nil, nil, false
	}
	for n, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(segments[n])
		if err != nil || json.Unmarshal(text, into) != nil || *into == nil {
			return nil, nil, false
		}
	}
	return header, claims, true
}

func audiences(aud any) []string {
	switch aud := aud.(type) {
	case string:
		return []string{aud}
	case []any:
		var names []string
		for _, name := range aud {
			if s, ok := name.(string); ok {
				names = append(names, s)
			}
		}
		return names
	}
	return nil
}

// instant reads a NumericDate that is near enough to be meant.
func instant(value any) (time.Time, bool) {
	seconds, ok := value.(float64)
	if !ok || seconds < 0 || seconds > 1e11 {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}

func fitsPublic(alg string, key crypto.PublicKey) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return kindOf(alg) == kindRSA
	case *ecdsa.PublicKey:
		return string(kindOf(alg)) == key.Curve.Params().Name
	case ed25519.PublicKey:
		return kindOf(alg) == kindEd25519
	}
	return false
}

// derefPublic gives key the form that crypto.Signer.Public returns.
func derefPublic(key any) crypto.PublicKey {
	switch key := key.(type) {
	case rsa.PublicKey:
		return &key
	case ecdsa.PublicKey:
		return &key
	}
	return key
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
