package jwtbearertest

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// code is an authorization code. It is guarded by Issuer.mu.
type code struct {
	client      *Client
	redirectURI string // as the request said it; "" if it did not
	challenge   string
	nonce       string
	scopes      []string
	audience    []string
	session     *session
	expires     time.Time
	chain       *chain // what was issued for it; nil until then
}

// authorization is an authorization request whose client and redirect URI are
// good, so that the client may be told what else is wrong.
type authorization struct {
	client     *Client
	redirectTo string
	form       url.Values
	scopes     []string
	audience   []string
	prompt     []string
	subject    string // who must be signed in; "" if it may be anybody
}

// serveAuthorize is the authorization endpoint (RFC 6749, Section 3.1; OpenID
// Connect Core 1.0, Section 3.1.2).
func (i *Issuer) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		methodNotAllowed(w, "GET, POST")
		return
	}
	noStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
	if err := r.ParseForm(); err != nil {
		i.showError(w, "The request cannot be read.")
		return
	}
	// The sign-in page posts to the URL of the request, with the name in the body.
	form := r.URL.Query()
	if r.Method == http.MethodPost && r.PostForm.Has("client_id") {
		form = r.PostForm
	}
	omitEmpty(form)
	a := &authorization{client: i.clientByID(form.Get("client_id")), form: form}
	if a.client == nil || len(form["client_id"]) > 1 {
		i.showError(w, "The client is unknown.")
		return
	}
	if a.redirectTo = a.client.redirectTo(form.Get("redirect_uri")); a.redirectTo == "" || len(form["redirect_uri"]) > 1 {
		// The answer must not go to an address that the client did not register
		// (RFC 6749, Section 4.1.2.1).
		i.showError(w, "The redirect URI is not registered.")
		return
	}
	if !form.Has("redirect_uri") && has(strings.Fields(form.Get("scope")), "openid") {
		// OAuth 2.0 knows which one is meant, but OpenID Connect wants it said (OpenID
		// Connect Core 1.0, Section 3.1.2.1).
		i.showError(w, "The parameter redirect_uri is missing.")
		return
	}
	if err := i.checkAuthorization(a); err != nil {
		i.refuseClient(w, r, a, err)
		return
	}
	s := i.signedIn(w, r, a)
	if s == nil {
		return // there is an answer already
	}
	i.answerClient(w, r, a, url.Values{"code": {i.newCode(a, s)}})
}

// checkAuthorization checks everything but who signs in.
func (i *Issuer) checkAuthorization(a *authorization) error {
	for name, values := range a.form {
		if len(values) > 1 && name != "resource" && name != "audience" {
			return invalidRequest("A parameter is there more than once.")
		}
	}
	switch {
	case a.form.Has("request"):
		return &Error{Code: "request_not_supported", Description: "Request objects are not supported."}
	case a.form.Has("request_uri"):
		return &Error{Code: "request_uri_not_supported", Description: "Request objects are not supported."}
	case a.form.Get("response_type") == "":
		return invalidRequest("The parameter response_type is missing.")
	case a.form.Get("response_type") != "code":
		return &Error{Code: "unsupported_response_type", Description: "The only response type is code."}
	case a.form.Has("response_mode") && a.form.Get("response_mode") != "query":
		return invalidRequest("The only response mode is query.")
	case !a.client.mayUse(grantCode):
		return &Error{Code: "unauthorized_client", Description: "The client may not use this flow."}
	}
	challenge, method := a.form.Get("code_challenge"), a.form.Get("code_challenge_method")
	switch {
	case challenge == "" && a.client.InsecureNoPKCE && method == "":
	case challenge == "":
		return invalidRequest("PKCE is required: the parameter code_challenge is missing.")
	case method != "S256":
		return invalidRequest("The only code challenge method is S256.")
	case len(challenge) != 43:
		return invalidRequest("The code challenge is no SHA-256 hash.")
	}
	scopes, err := i.checkScopes(a.client, a.form.Get("scope"))
	if err != nil {
		return err
	}
	a.scopes = a.client.narrow(scopes)
	if a.audience, err = i.audience(a.form); err != nil {
		return err
	}
	if a.prompt = strings.Fields(a.form.Get("prompt")); has(a.prompt, "none") && len(a.prompt) > 1 {
		return invalidRequest("The prompt none goes with no other.")
	}
	if hint := a.form.Get("id_token_hint"); hint != "" {
		named, claims := i.readHint(hint)
		if named == nil {
			return invalidRequest("The ID token is not one of this issuer.")
		}
		a.subject = stringOf(claims["sub"])
	}
	if age := a.form.Get("max_age"); age != "" {
		if n, err := strconv.Atoi(age); err != nil || n < 0 {
			return invalidRequest("The parameter max_age is no number of seconds.")
		}
	}
	return nil
}

// answerClient sends the browser back to the client, with the state of the
// request and the issuer (RFC 9207).
func (i *Issuer) answerClient(w http.ResponseWriter, r *http.Request, a *authorization, answer url.Values) {
	target, err := url.Parse(a.redirectTo)
	if err != nil {
		i.showError(w, "The redirect URI is not a URI.")
		return
	}
	query := target.Query()
	for name, values := range answer {
		query[name] = values
	}
	if a.form.Has("state") {
		query.Set("state", a.form.Get("state"))
	}
	query.Set("iss", i.url)
	target.RawQuery = query.Encode()
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

// refuseClient sends the browser back with an error (RFC 6749, Section 4.1.2.1).
func (i *Issuer) refuseClient(w http.ResponseWriter, r *http.Request, a *authorization, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: "server_error"}
	}
	i.answerClient(w, r, a, url.Values{"error": {e.Code}, "error_description": {e.Description}})
}

func (i *Issuer) newCode(a *authorization, s *session) string {
	value := rand.Text()
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	for old, c := range i.codes {
		// A used one is kept for a while, so that its second use is noticed.
		if now.Sub(c.expires) > time.Hour {
			delete(i.codes, old)
		}
	}
	i.codes[value] = &code{
		client:      a.client,
		redirectURI: a.form.Get("redirect_uri"),
		challenge:   a.form.Get("code_challenge"),
		nonce:       a.form.Get("nonce"),
		scopes:      a.scopes,
		audience:    a.audience,
		session:     s,
		expires:     now.Add(a.client.Lifetimes.Code),
	}
	return value
}

const cookieName = "fake_issuer_session"

func (i *Issuer) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name:     cookieName,
		Value:    value,
		Path:     i.path + "/",
		MaxAge:   maxAge,
		HttpOnly: true,
		Secure:   strings.HasPrefix(i.url, "https://"),
		SameSite: http.SameSiteLaxMode,
	}
}

// browserSession returns the living session of the browser, nil if there is none.
// The cookie holds a secret of its own: the sid is in every token.
func (i *Issuer) browserSession(r *http.Request) *session {
	cookie, err := r.Cookie(cookieName)
	if err != nil || cookie.Value == "" {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, s := range i.sessions {
		if s.browser == cookie.Value {
			return s
		}
	}
	return nil
}
