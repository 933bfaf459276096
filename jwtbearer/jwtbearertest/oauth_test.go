package jwtbearertest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

func (a answer) text(name string) string { s, _ := a.body[name].(string); return s }

// failure is the status and the error code.
func (a answer) failure() string { return http.StatusText(a.status) + " " + a.text("error") }

// form makes parameters of names and values in turn.
func form(pairs ...string) url.Values {
	values := make(url.Values)
	for n := 0; n < len(pairs); n += 2 {
		values.Add(pairs[n], pairs[n+1])
	}
	return values
}

// post sends a form as the default client, or as nobody if the form names a client
// or credentials itself.
func post(t *testing.T, issuer *jwtbearertest.Issuer, path string, values url.Values, edit ...func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequest("POST", issuer.URL()+path, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !values.Has("client_id") && !values.Has("client_assertion") {
		r.SetBasicAuth(jwtbearertest.DefaultClientID, jwtbearertest.DefaultClientSecret)
	}
	for _, e := range edit {
		e(r)
	}
	res, err := issuer.Client().Do(r)
	if err != nil {
		t.Fatalf("POST %s: %v", path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("POST %s: %v", path, err)
	}
	a := answer{status: res.StatusCode, header: res.Header}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a.body); err != nil {
			t.Fatalf("POST %s: %v in %q", path, err, text)
		}
	}
	if res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("POST %s: got Cache-Control %q, want no-store", path, res.Header.Get("Cache-Control"))
	}
	return a
}

// token posts to the token endpoint and wants status 200.
func token(t *testing.T, issuer *jwtbearertest.Issuer, values url.Values) answer {
	t.Helper()
	a := post(t, issuer, "/token", values)
	if a.status != http.StatusOK {
		t.Fatalf("%s: got %d %v, want 200", values.Get("grant_type"), a.status, a.body)
	}
	return a
}

const (
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // of RFC 7636, Appendix B
	callback = "https://app.test/callback"
)

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorizationRequest is a good one by the default client; further pairs stand
// over it, and an empty value removes a parameter.
func authorizationRequest(pairs ...string) url.Values {
	values := form("response_type", "code", "client_id", jwtbearertest.DefaultClientID, "redirect_uri", callback,
		"scope", "openid profile offline_access", "state", "xyz", "nonce", "n-1",
		"code_challenge", challenge(), "code_challenge_method", "S256")
	maps.Copy(values, form(pairs...))
	maps.DeleteFunc(values, func(_ string, v []string) bool { return strings.Join(v, "") == "" })
	return values
}

// browser follows no redirects and keeps cookies.
func browser(t *testing.T, issuer *jwtbearertest.Issuer) *http.Client {
	t.Helper()
	client := issuer.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Jar, _ = cookiejar.New(nil)
	return client
}

// authorize sends an authorization request and returns where the browser is sent,
// nil if it is shown a page.
func authorize(t *testing.T, issuer *jwtbearertest.Issuer, client *http.Client, values url.Values) (*http.Response, *url.URL) {
	t.Helper()
	res, err := client.Get(issuer.URL() + "/authorize?" + values.Encode())
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	location, err := res.Location()
	if err != nil {
		return res, nil
	}
	return res, location
}

// codeFor goes through the authorization endpoint.
func codeFor(t *testing.T, issuer *jwtbearertest.Issuer, pairs ...string) string {
	t.Helper()
	_, location := authorize(t, issuer, browser(t, issuer), authorizationRequest(pairs...))
	if location == nil || location.Query().Get("code") == "" {
		t.Fatalf("no code: %v", location)
	}
	return location.Query().Get("code")
}

func codeGrant(code string, pairs ...string) url.Values {
	values := form("grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier)
	maps.Copy(values, form(pairs...))
	maps.DeleteFunc(values, func(_ string, v []string) bool { return strings.Join(v, "") == "" })
	return values
}

func TestAuthorizationCodeFlow(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	res, location := authorize(t, issuer, browser(t, issuer), authorizationRequest())
	if res.StatusCode != http.StatusSeeOther || location.Scheme+"://"+location.Host+location.Path != callback {
		t.Fatalf("got %d to %v", res.StatusCode, location)
	}
	query := location.Query()
	if query.Get("state") != "xyz" || query.Get("iss") != issuer.URL() || len(query) != 3 {
		t.Errorf("got answer %v, want code, state and iss", query)
	}
	a := token(t, issuer, codeGrant(query.Get("code")))
	if a.text("token_type") != "Bearer" || a.body["expires_in"] != 60.0 || a.text("refresh_token") == "" || a.text("scope") != "openid profile offline_access" {
		t.Errorf("got %v", a.body)
	}
	access, id := claims(t, a.text("access_token")), claims(t, a.text("id_token"))
	if access["sub"] != "alice" || access["aud"] != "api1" || access["client_id"] != "client" || access["scope"] != "openid profile offline_access" || access["sid"] == nil || access["auth_time"] == nil {
		t.Errorf("got access token %v", access)
	}
	if id["sub"] != "alice" || id["aud"] != "client" || id["nonce"] != "n-1" || id["at_hash"] == nil || id["sid"] != access["sid"] || id["name"] != "Alice" || id["email"] != nil {
		t.Errorf("got ID token %v", id)
	}
	if header(t, a.text("access_token"))["typ"] != "at+jwt" || header(t, a.text("id_token"))["typ"] != "JWT" {
		t.Error("the two tokens cannot be told apart by typ")
	}
	if !verifies(t, issuer, a.text("access_token")) || !verifies(t, issuer, a.text("id_token")) {
		t.Error("a token is not good")
	}
}

func TestAuthorizationCodeRefusals(t *testing.T) {
	options := &jwtbearertest.Options{Clients: []*jwtbearertest.Client{
		{ID: "client", Secret: "secret", InsecureAnyRedirectURI: true},
		{ID: "other", Secret: "secret", InsecureAnyRedirectURI: true},
		{ID: "no-pkce", Secret: "secret", InsecureAnyRedirectURI: true, InsecureNoPKCE: true},
	}}
	tests := []struct {
		name    string
		request []string
		grant   []string
		later   time.Duration
		want    string
	}{
		{"good", nil, nil, 0, "OK "},
		{"no code", nil, []string{"code", ""}, 0, "Bad Request invalid_request"},
		{"unknown code", nil, []string{"code", "x"}, 0, "Bad Request invalid_grant"},
		{"no verifier", nil, []string{"code_verifier", ""}, 0, "Bad Request invalid_grant"},
		{"wrong verifier", nil, []string{"code_verifier", verifier + "x"}, 0, "Bad Request invalid_grant"},
		{"short verifier", nil, []string{"code_verifier", "x"}, 0, "Bad Request invalid_grant"},
		{"no redirect URI", nil, []string{"redirect_uri", ""}, 0, "Bad Request invalid_grant"},
		{"another redirect URI", nil, []string{"redirect_uri", callback + "/"}, 0, "Bad Request invalid_grant"},
		{"another client", nil, []string{"client_id", "other", "client_secret", "secret"}, 0, "Bad Request invalid_grant"},
		{"just in time", nil, nil, 5*time.Minute - time.Nanosecond, "OK "},
		{"too late", nil, nil, 5 * time.Minute, "Bad Request invalid_grant"},
		{"downgrade", []string{"client_id", "no-pkce", "code_challenge", "", "code_challenge_method", ""}, []string{"client_id", "no-pkce", "client_secret", "secret"}, 0, "Bad Request invalid_grant"},
		{"without PKCE", []string{"client_id", "no-pkce", "code_challenge", "", "code_challenge_method", ""}, []string{"client_id", "no-pkce", "client_secret", "secret", "code_verifier", ""}, 0, "OK "},
	}
	for _, test := range tests {
		inBubble(t, test.name, func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t, options)
			code := codeFor(t, issuer, test.request...)
			time.Sleep(test.later)
			if got := post(t, issuer, "/token", codeGrant(code, test.grant...)).failure(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCodeReuseRevokesWhatItGave(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	code := codeFor(t, issuer)
	first := token(t, issuer, codeGrant(code))
	if got := post(t, issuer, "/token", codeGrant(code)).failure(); got != "Bad Request invalid_grant" {
		t.Errorf("the second use: got %q", got)
	}
	if _, active := issuer.Introspect(first.text("access_token")); active {
		t.Error("the access token of the first use is still active")
	}
	if got := post(t, issuer, "/token", form("grant_type", "refresh_token", "refresh_token", first.text("refresh_token"))).failure(); got != "Bad Request invalid_grant" {
		t.Errorf("the refresh token of the first use: got %q", got)
	}
}

func TestAuthorizationRefusals(t *testing.T) {
	options := &jwtbearertest.Options{
		APIs: []jwtbearertest.API{{Audience: "api1", Scopes: []string{"orders"}}},
		Clients: []*jwtbearertest.Client{
			{ID: "client", RedirectURIs: []string{callback}},
			{ID: "narrow", RedirectURIs: []string{callback}, Scopes: []string{"openid"}},
			{ID: "machine", Secret: "s", RedirectURIs: []string{callback}, Grants: []string{"client_credentials"}},
		},
	}
	issuer := jwtbearertest.NewIssuer(t, options)
	tests := []struct {
		name  string
		pairs []string
		want  string // "" is a page: nothing may go to the redirect URI
	}{
		{"unknown client", []string{"client_id", "x"}, ""},
		{"no client", []string{"client_id", ""}, ""},
		{"other redirect URI", []string{"redirect_uri", callback + "2"}, ""},
		{"redirect URI with query", []string{"redirect_uri", callback + "?x=1"}, ""},
		{"the only redirect URI", []string{"redirect_uri", "", "scope", "orders"}, "code"},
		{"no redirect URI in OpenID Connect", []string{"redirect_uri", ""}, ""},
		{"no response type", []string{"response_type", ""}, "invalid_request"},
		{"implicit", []string{"response_type", "token"}, "unsupported_response_type"},
		{"fragment", []string{"response_mode", "fragment"}, "invalid_request"},
		{"no PKCE", []string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		{"plain PKCE", []string{"code_challenge_method", "plain"}, "invalid_request"},
		{"PKCE without method", []string{"code_challenge_method", ""}, "invalid_request"},
		{"short challenge", []string{"code_challenge", "x"}, "invalid_request"},
		{"unknown scope", []string{"scope", "openid fly"}, "invalid_scope"},
		{"known scope", []string{"scope", "openid orders"}, "code"},
		{"scope of others", []string{"client_id", "narrow", "scope", "openid orders"}, "invalid_scope"},
		{"wrong flow", []string{"client_id", "machine"}, "unauthorized_client"},
		{"unknown API", []string{"resource", "api2"}, "invalid_target"},
		{"known API", []string{"resource", "api1"}, "code"},
		{"request object", []string{"request", "x"}, "request_not_supported"},
		{"request URI", []string{"request_uri", "x"}, "request_uri_not_supported"},
		{"nobody signed in", []string{"prompt", "none"}, "login_required"},
		{"nobody signed in, and more", []string{"prompt", "none consent"}, "invalid_request"},
		{"no ID token", []string{"id_token_hint", "x"}, "invalid_request"},
		{"forged ID token", []string{"id_token_hint", issuer.IDToken("client", jwtbearertest.ForgedSignature())}, "invalid_request"},
		{"ID token of another issuer", []string{"id_token_hint", issuer.IDToken("client", jwtbearertest.Claim("iss", "https://other.test"))}, "invalid_request"},
		{"access token for ID token", []string{"id_token_hint", issuer.Token("api1")}, "invalid_request"},
		{"ID token", []string{"id_token_hint", issuer.IDToken("client")}, "code"},
		{"ID token of an unknown user", []string{"id_token_hint", issuer.IDToken("client", jwtbearertest.Subject("eve"))}, "access_denied"},
		{"bad max_age", []string{"max_age", "-1"}, "invalid_request"},
		{"unknown user", []string{"login_hint", "eve"}, "access_denied"},
		{"known user", []string{"login_hint", "bob"}, "code"},
	}
	for _, test := range tests {
		res, location := authorize(t, issuer, browser(t, issuer), authorizationRequest(test.pairs...))
		got := ""
		if location != nil {
			got = location.Query().Get("error")
			if location.Query().Get("code") != "" {
				got = "code"
			}
			if location.Query().Get("state") != "xyz" || location.Query().Get("iss") != issuer.URL() {
				t.Errorf("%s: got answer %v, want state and iss", test.name, location.Query())
			}
		} else if res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: got status %d, want 400", test.name, res.StatusCode)
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	values := authorizationRequest()
	for _, name := range []string{"response_mode", "request", "request_uri", "resource", "max_age", "prompt", "id_token_hint"} {
		values.Set(name, "")
	}
	values.Add("scope", "")
	if _, location := authorize(t, issuer, browser(t, issuer), values); location.Query().Get("code") == "" {
		t.Errorf("parameters without a value: got %v", location)
	}
	values = authorizationRequest()
	values.Set("state", "")
	if _, location := authorize(t, issuer, browser(t, issuer), values); location.Query().Has("state") {
		t.Errorf("a state without a value: got %v", location)
	}
	values = authorizationRequest()
	values.Add("state", "again")
	if _, location := authorize(t, issuer, browser(t, issuer), values); location.Query().Get("error") != "invalid_request" {
		t.Errorf("a parameter twice: got %v", location)
	}
	values = authorizationRequest()
	values.Add("redirect_uri", callback)
	if _, location := authorize(t, issuer, browser(t, issuer), values); location != nil {
		t.Errorf("two redirect URIs: sent to %v", location)
	}
}

func TestBrowserSessionIsReused(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		client := browser(t, issuer)
		sid := func(pairs ...string) any {
			t.Helper()
			_, location := authorize(t, issuer, client, authorizationRequest(pairs...))
			if location.Query().Get("error") != "" {
				return location.Query().Get("error")
			}
			return claims(t, token(t, issuer, codeGrant(location.Query().Get("code"))).text("id_token"))["sid"]
		}
		first := sid()
		if got := sid("prompt", "none"); got != first {
			t.Errorf("prompt=none: got session %v, want the first", got)
		}
		time.Sleep(time.Minute)
		if got := sid("max_age", "60"); got != first {
			t.Errorf("max_age=60 after a minute: got session %v, want the first", got)
		}
		if got := sid("max_age", "59", "prompt", "none"); got != "login_required" {
			t.Errorf("max_age=59 after a minute: got %v, want login_required", got)
		}
		if got := sid("prompt", "none consent"); got != "invalid_request" {
			t.Errorf("prompt=none consent: got %v, want invalid_request", got)
		}
		// An expired ID token says who is meant as well.
		alice := issuer.IDToken("client", jwtbearertest.ExpiresIn(-time.Hour))
		bob := issuer.IDToken("client", jwtbearertest.Subject("bob"))
		if got := sid("prompt", "none", "id_token_hint", alice); got != first {
			t.Errorf("an ID token of the user: got %v, want the first session", got)
		}
		if got := sid("prompt", "none", "id_token_hint", bob); got != "login_required" {
			t.Errorf("an ID token of another user: got %v, want login_required", got)
		}
		if got := sid("prompt", "login"); got == first {
			t.Error("prompt=login: got the first session")
		}
		second := sid()
		if got := sid("login_hint", "bob"); got == second {
			t.Error("another user: got the session of the first")
		}
		if got := sid("id_token_hint", alice, "login_hint", "bob"); len(issuer.Sessions("alice")) != 3 {
			t.Errorf("an ID token of another user: got session %v, want a new one of alice", got)
		}
		third := sid()
		if err := issuer.EndSession(third.(string)); err != nil {
			t.Fatal(err)
		}
		if got := sid("prompt", "none"); got != "login_required" {
			t.Errorf("after the end of the session: got %v", got)
		}
	})
}

func TestSignInPage(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{
		SignInPage: true,
		Users:      []*jwtbearertest.User{{Subject: "carol", Password: "right"}, {Subject: "dave", Password: "right"}},
	})
	client := browser(t, issuer)
	request := issuer.URL() + "/authorize?" + authorizationRequest("state", `"><script>`).Encode()
	res, err := client.Get(request)
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusOK || !strings.Contains(string(page), "<form") || strings.Contains(string(page), "<script>") {
		t.Fatalf("got %d and %s", res.StatusCode, page)
	}
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "form-action 'self' https://app.test") {
		t.Errorf("got Content-Security-Policy %q", policy)
	}
	submit := func(pairs ...string) (*http.Response, string) {
		t.Helper()
		res, err := client.PostForm(request, form(pairs...))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		page, _ := io.ReadAll(res.Body)
		return res, string(page)
	}
	for _, wrong := range [][]string{{"username", "carol", "password", "wrong"}, {"username", "eve", "password", "right"}} {
		if res, page := submit(wrong...); res.StatusCode != http.StatusOK || !strings.Contains(page, `role="alert"`) {
			t.Errorf("%v: got %d and %s", wrong, res.StatusCode, page)
		}
	}
	if res, _ := submit("username", "carol", "action", "cancel"); !strings.Contains(res.Header.Get("Location"), "error=access_denied") {
		t.Errorf("cancel: got %q", res.Header.Get("Location"))
	}
	if res, _ := submit("username", "carol", "password", "right", "action", "sign-in"); !strings.Contains(res.Header.Get("Location"), "code=") {
		t.Errorf("sign in: got %q", res.Header.Get("Location"))
	}
	hinted := issuer.URL() + "/authorize?" + authorizationRequest("id_token_hint", issuer.IDToken("client", jwtbearertest.Subject("dave"))).Encode()
	for user, want := range map[string]string{"carol": "error=login_required", "dave": "code="} {
		other := browser(t, issuer)
		res, err := other.PostForm(hinted, form("username", user, "password", "right"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if location := res.Header.Get("Location"); !strings.Contains(location, want) {
			t.Errorf("%s signs in where dave should: got %q, want %s", user, location, want)
		}
	}
	res, err = client.Get(request)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if !strings.Contains(res.Header.Get("Location"), "code=") {
		t.Error("signed in already: the page is shown again")
	}
}

// Browsers hold the redirect after the form to form-action as well.
func TestSignInPageMayLeadBackToTheClient(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{SignInPage: true})
	for uri, want := range map[string]string{
		"https://app.test/callback":  "form-action 'self' https://app.test",
		"http://127.0.0.1:8080/x?y":  "form-action 'self' http://127.0.0.1:8080",
		"com.example.app:/callback":  "form-action 'self' com.example.app:",
		"com.example.app://callback": "form-action 'self' com.example.app://callback",
	} {
		res, location := authorize(t, issuer, browser(t, issuer), authorizationRequest("redirect_uri", uri))
		if location != nil {
			t.Errorf("%s: sent to %v, want the page", uri, location)
		}
		policy := res.Header.Get("Content-Security-Policy")
		if got := policy[strings.LastIndex(policy, ";")+2:]; got != want {
			t.Errorf("%s: got %q, want %q", uri, got, want)
		}
	}
}

func TestTokenEndpointErrors(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{Clients: []*jwtbearertest.Client{
		{ID: "client", Secret: "secret"},
		{ID: "public", RedirectURIs: []string{callback}},
		{ID: "a b:c", Secret: "d%e f"},
		{ID: "narrow", Secret: "secret", Scopes: []string{"read"}},
	}})
	credentials := form("grant_type", "client_credentials")
	raw := func(body, contentType string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Type", contentType)
		}
	}
	basic := func(id, secret string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(id, secret) }
	}
	const formType = "application/x-www-form-urlencoded"
	tests := []struct {
		name   string
		values url.Values
		edit   func(*http.Request)
		want   string
	}{
		{"good", credentials, nil, "OK "},
		{"GET", credentials, func(r *http.Request) { r.Method = "GET" }, "Method Not Allowed invalid_request"},
		{"JSON", nil, raw(`{"grant_type":"client_credentials"}`, "application/json"), "Bad Request invalid_request"},
		{"parameter in the URL", nil, func(r *http.Request) { r.URL.RawQuery = "grant_type=client_credentials" }, "Bad Request invalid_request"},
		{"parameter twice", nil, raw("grant_type=client_credentials&grant_type=client_credentials", formType), "Bad Request invalid_request"},
		{"broken form", nil, raw("grant_type=client_credentials&x=%zz", formType), "Bad Request invalid_request"},
		{"too long", nil, raw("grant_type=client_credentials&x="+strings.Repeat("x", 2<<20), formType), "Bad Request invalid_request"},
		{"no grant type", form("x", "y"), nil, "Bad Request invalid_request"},
		{"unknown grant type", form("grant_type", "fly"), nil, "Bad Request unsupported_grant_type"},
		{"grant type not allowed", form("grant_type", "password", "username", "alice", "password", "x"), nil, "Bad Request unauthorized_client"},
		{"public client for itself", form("grant_type", "client_credentials", "client_id", "public"), nil, "Bad Request unauthorized_client"},
		{"secret in the body", form("grant_type", "client_credentials", "client_id", "client", "client_secret", "secret"), nil, "OK "},
		{"wrong secret in the body", form("grant_type", "client_credentials", "client_id", "client", "client_secret", "wrong"), nil, "Unauthorized invalid_client"},
		{"no secret", form("grant_type", "client_credentials", "client_id", "client"), nil, "Unauthorized invalid_client"},
		{"secret of a public client", form("grant_type", "client_credentials", "client_id", "public", "client_secret", "x"), nil, "Unauthorized invalid_client"},
		{"empty secret of a public client", form("grant_type", "refresh_token", "refresh_token", "x", "client_id", "public", "client_secret", ""), nil, "Bad Request invalid_grant"},
		{"empty secret", form("grant_type", "client_credentials", "client_id", "client", "client_secret", ""), nil, "Unauthorized invalid_client"},
		{"basic and an empty secret", form("grant_type", "client_credentials", "client_id", "", "client_secret", ""), basic("client", "secret"), "OK "},
		{"basic and an empty assertion", form("grant_type", "client_credentials", "client_assertion", "", "client_assertion_type", ""), basic("client", "secret"), "OK "},
		{"empty grant type", form("grant_type", ""), nil, "Bad Request invalid_request"},
		{"empty scope and resource", form("grant_type", "client_credentials", "scope", "", "resource", ""), nil, "OK "},
		{"empty once more", nil, raw("grant_type=&grant_type=client_credentials", formType), "OK "},
		{"wrong secret", credentials, basic("client", "wrong"), "Unauthorized invalid_client"},
		{"unknown client", credentials, basic("x", "secret"), "Unauthorized invalid_client"},
		{"encoded credentials", credentials, basic("a+b%3Ac", "d%25e+f"), "OK "},
		{"other scheme", credentials, func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, "Unauthorized invalid_client"},
		{"other scheme beside a public client", form("grant_type", "refresh_token", "refresh_token", "x", "client_id", "public"), func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, "Unauthorized invalid_client"},
		{"public client alone", form("grant_type", "refresh_token", "refresh_token", "x", "client_id", "public"), nil, "Bad Request invalid_grant"},
		{"two methods", form("grant_type", "client_credentials", "client_id", "client", "client_secret", "secret"), basic("client", "secret"), "Bad Request invalid_request"},
		{"basic and the same id", form("grant_type", "client_credentials", "client_id", "client"), basic("client", "secret"), "OK "},
		{"basic and another id", form("grant_type", "client_credentials", "client_id", "narrow"), basic("client", "secret"), "Unauthorized invalid_client"},
		{"scope allowed", form("grant_type", "client_credentials", "scope", "read"), basic("narrow", "secret"), "OK "},
		{"scope not allowed", form("grant_type", "client_credentials", "scope", "write"), basic("narrow", "secret"), "Bad Request invalid_scope"},
	}
	for _, test := range tests {
		edit := test.edit
		if edit == nil {
			edit = func(*http.Request) {}
		}
		a := post(t, issuer, "/token", test.values, edit)
		if got := a.failure(); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		if challenge := a.header.Get("WWW-Authenticate"); strings.HasPrefix(challenge, "Basic ") != (a.status == 401) {
			t.Errorf("%s: got status %d with WWW-Authenticate %q", test.name, a.status, challenge)
		}
	}
}

func TestClientCredentials(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	a := token(t, issuer, form("grant_type", "client_credentials", "scope", "orders.read offline_access", "resource", "https://orders.test"))
	c := claims(t, a.text("access_token"))
	if c["sub"] != "client" || c["client_id"] != "client" || c["aud"] != "https://orders.test" || c["scope"] != "orders.read" || c["sid"] != nil {
		t.Errorf("got %v", c)
	}
	if len(a.body) != 4 {
		t.Errorf("got %v: want neither a refresh token nor an ID token", a.body)
	}
}

func TestPasswordGrantIsLegacyAndThere(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{Users: []*jwtbearertest.User{
		{Subject: "carol", Password: "right", TokenClaims: map[string]any{"roles": []string{"admin"}}},
	}})
	a := token(t, issuer, form("grant_type", "password", "username", "carol", "password", "right", "scope", "openid offline_access"))
	if c := claims(t, a.text("access_token")); c["sub"] != "carol" || c["sid"] == nil || c["roles"] == nil || a.text("refresh_token") == "" {
		t.Errorf("got %v with %v", a.body, c)
	}
	for _, wrong := range []url.Values{
		form("grant_type", "password", "username", "carol", "password", "wrong"),
		form("grant_type", "password", "username", "eve", "password", "right"),
	} {
		if got := post(t, issuer, "/token", wrong).failure(); got != "Bad Request invalid_grant" {
			t.Errorf("%v: got %q", wrong, got)
		}
	}
	if got := post(t, issuer, "/token", form("grant_type", "password", "username", "carol")).failure(); got != "Bad Request invalid_request" {
		t.Errorf("no password: got %q", got)
	}
}

func TestAudienceFollowsScopesAndResources(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{APIs: []jwtbearertest.API{
		{Audience: "orders", Scopes: []string{"orders.read", "orders.write"}},
		{Audience: "stock", Scopes: []string{"stock.read"}},
	}})
	for _, test := range []struct {
		values []string
		want   any
	}{
		{nil, "orders"},
		{[]string{"scope", "stock.read"}, "stock"},
		{[]string{"scope", "stock.read orders.write"}, []any{"orders", "stock"}},
		{[]string{"scope", "orders.read", "resource", "stock"}, "stock"},
		{[]string{"audience", "orders", "resource", "stock"}, []any{"stock", "orders"}},
	} {
		a := token(t, issuer, form(append(test.values, "grant_type", "client_credentials")...))
		got, _ := json.Marshal(claims(t, a.text("access_token"))["aud"])
		want, _ := json.Marshal(test.want)
		if string(got) != string(want) {
			t.Errorf("%v: got aud %s, want %s", test.values, got, want)
		}
	}
	for _, grant := range []string{"client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange", "password"} {
		if got := post(t, issuer, "/token", form("grant_type", grant, "resource", "x", "username", "alice", "password", "")).failure(); got != "Bad Request invalid_target" {
			t.Errorf("%s: unknown resource: got %q", grant, got)
		}
	}
	if got := post(t, issuer, "/token", form("grant_type", "client_credentials", "scope", "x")).failure(); got != "Bad Request invalid_scope" {
		t.Errorf("unknown scope: got %q", got)
	}
}

func TestUserInfo(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	ask := func(authorization string) *http.Response {
		t.Helper()
		r := request(t.Context(), t, issuer.URL()+"/userinfo")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		res, err := issuer.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	tokens := issuer.SignIn(&jwtbearertest.SignIn{Scopes: []string{"openid", "email"}})
	res := ask("bearer " + tokens.AccessToken)
	var got map[string]any
	json.NewDecoder(res.Body).Decode(&got)
	res.Body.Close()
	if got["sub"] != "alice" || got["email"] != "alice@example.com" || got["name"] != nil {
		t.Errorf("got %v", got)
	}
	plain := issuer.SignIn(&jwtbearertest.SignIn{Scopes: []string{"orders"}})
	issuer.EndSession(issuer.SignIn(nil).SessionID)
	ended := issuer.SignIn(nil)
	issuer.EndSession(ended.SessionID)
	for authorization, want := range map[string]string{
		"":                             "401 Bearer",
		"Basic eA==":                   "401 Bearer",
		"Bearer x":                     `401 Bearer error="invalid_token", error_description="the token is not active"`,
		"Bearer " + tokens.IDToken:     `401 Bearer error="invalid_token", error_description="the token is not active"`,
		"Bearer " + ended.AccessToken:  `401 Bearer error="invalid_token", error_description="the token is not active"`,
		"Bearer " + plain.AccessToken:  `403 Bearer error="insufficient_scope", scope="openid"`,
		"Bearer " + tokens.AccessToken: "200 ",
	} {
		res := ask(authorization)
		res.Body.Close()
		if got := res.Status[:4] + res.Header.Get("WWW-Authenticate"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAuthorizationRequestByPost(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	client := browser(t, issuer)
	res, err := client.PostForm(issuer.URL()+"/authorize", authorizationRequest())
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if location, err := res.Location(); err != nil || location.Query().Get("code") == "" {
		t.Errorf("got %d to %v", res.StatusCode, location)
	}
	res, err = client.Post(issuer.URL()+"/authorize?"+authorizationRequest().Encode(), "application/x-www-form-urlencoded", strings.NewReader("%zz"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("a broken form: got status %d, want 400", res.StatusCode)
	}
}

func TestMethodsOfEndpoints(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	for path, allowed := range map[string]string{
		"/.well-known/openid-configuration":       "GET, HEAD",
		"/.well-known/oauth-authorization-server": "GET, HEAD",
		"/jwks":       "GET, HEAD",
		"/authorize":  "GET, POST",
		"/userinfo":   "GET, POST",
		"/logout":     "GET, POST",
		"/token":      "POST",
		"/revoke":     "POST",
		"/introspect": "POST",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE"} {
			r, err := http.NewRequest(method, issuer.URL()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := issuer.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			wanted := strings.Contains(allowed, method)
			if refused := res.StatusCode == http.StatusMethodNotAllowed; refused == wanted || refused && res.Header.Get("Allow") != allowed {
				t.Errorf("%s %s: got %d with Allow %q, want %q", method, path, res.StatusCode, res.Header.Get("Allow"), allowed)
			}
		}
	}
}

func TestResourceOfTheCodeFlow(t *testing.T) {
	options := &jwtbearertest.Options{APIs: []jwtbearertest.API{{Audience: "orders"}, {Audience: "stock"}}}
	for _, test := range []struct {
		name           string
		request, grant []string
		want           string
	}{
		{"neither", nil, nil, "orders"},
		{"in the authorization request", []string{"resource", "stock"}, nil, "stock"},
		{"in the token request", nil, []string{"resource", "stock"}, "stock"},
		{"in both", []string{"resource", "stock"}, []string{"resource", "stock"}, "stock"},
		{"another one", []string{"resource", "stock"}, []string{"resource", "orders"}, "invalid_target"},
		{"unknown", nil, []string{"resource", "x"}, "invalid_target"},
	} {
		issuer := jwtbearertest.NewIssuer(t, options)
		a := post(t, issuer, "/token", codeGrant(codeFor(t, issuer, test.request...), test.grant...))
		got := a.text("error")
		if a.status == http.StatusOK {
			got, _ = claims(t, a.text("access_token"))["aud"].(string)
			if again := claims(t, refreshed(t, issuer, a.text("refresh_token")).AccessToken)["aud"]; again != got {
				t.Errorf("%s: got aud %v after a refresh, %q before", test.name, again, got)
			}
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// RFC 8707, Section 2.2: every token request may name fewer APIs than were granted,
// and none that was not.
func TestResourceOfARefresh(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{APIs: []jwtbearertest.API{{Audience: "orders"}, {Audience: "stock"}, {Audience: "bills"}}})
	request := authorizationRequest("resource", "orders")
	request.Add("resource", "stock")
	for _, test := range []struct {
		name           string
		request, grant url.Values
		refresh        []string
		want           string
	}{
		{"none", request, nil, nil, `["orders","stock"]`},
		{"one", request, nil, []string{"stock"}, `"stock"`},
		{"all", request, nil, []string{"stock", "orders"}, `["stock","orders"]`},
		{"one that was not granted", request, nil, []string{"bills"}, "invalid_target"},
		{"one of two", request, nil, []string{"orders", "bills"}, "invalid_target"},
		{"unknown", request, nil, []string{"x"}, "invalid_target"},
		{"none after one", request, form("resource", "orders"), nil, `"orders"`},
		{"another after one", request, form("resource", "orders"), []string{"stock"}, `"stock"`},
		{"any where none was named", authorizationRequest(), nil, []string{"bills"}, `"bills"`},
		{"unknown where none was named", authorizationRequest(), nil, []string{"x"}, "invalid_target"},
	} {
		_, location := authorize(t, issuer, browser(t, issuer), test.request)
		redemption := codeGrant(location.Query().Get("code"))
		maps.Copy(redemption, test.grant)
		value := token(t, issuer, redemption).text("refresh_token")
		refresh := form("grant_type", "refresh_token", "refresh_token", value)
		refresh["resource"] = test.refresh
		a := post(t, issuer, "/token", refresh)
		got := a.text("error")
		if a.status == http.StatusOK {
			aud, _ := json.Marshal(claims(t, a.text("access_token"))["aud"])
			got, value = string(aud), a.text("refresh_token")
		}
		if got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
		// A refusal has used nothing up, and a narrow token narrows no later one.
		refresh = form("grant_type", "refresh_token", "refresh_token", value)
		refresh["resource"] = test.request["resource"]
		token(t, issuer, refresh)
	}
}

func TestCodeOutlivesAWrongResource(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{APIs: []jwtbearertest.API{{Audience: "orders"}}})
	code := codeFor(t, issuer)
	if got := post(t, issuer, "/token", codeGrant(code, "resource", "x")).failure(); got != "Bad Request invalid_target" {
		t.Errorf("got %q", got)
	}
	first := token(t, issuer, codeGrant(code))
	// A replay ends what the code gave, whatever else is wrong with it.
	if got := post(t, issuer, "/token", codeGrant(code, "resource", "x")).failure(); got != "Bad Request invalid_grant" {
		t.Errorf("a replay: got %q", got)
	}
	refused(t, issuer, "after a replay of the code", first.text("refresh_token"))
}
