//go:build integration && unix

package integration

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const redirectURI = "http://127.0.0.1:9/callback" // never called: nothing listens there

// browser is a user agent: it keeps cookies and follows redirects, up to the
// redirect URI of the client.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{
		Jar:     jar,
		Timeout: startTimeout,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), redirectURI) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

// post sends a form and decodes the JSON of the answer, whatever its status.
func post(t *testing.T, target string, form url.Values) (int, map[string]any) {
	t.Helper()
	response, err := http.PostForm(target, form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil && err != io.EOF {
		t.Fatalf("%s: %v", target, err)
	}
	return response.StatusCode, answer
}

// payload decodes the claims of a JWT without any check.
func payload(t *testing.T, token any) map[string]any {
	t.Helper()
	text, _ := token.(string)
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("got %v, want a JWT", token)
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(data, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// TestServerAsDocumented walks through what server.mjs offers to the tests of
// the web client and of sessions, with nothing of this library.
func TestServerAsDocumented(t *testing.T) {
	logouts := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		logouts <- r.PostFormValue("logout_token")
	}))
	defer receiver.Close()

	client := Client{
		"client_id":                           "web",
		"client_secret":                       "secret",
		"token_endpoint_auth_method":          "client_secret_post",
		"grant_types":                         []string{"authorization_code", "refresh_token"},
		"redirect_uris":                       []string{redirectURI},
		"backchannel_logout_uri":              receiver.URL,
		"backchannel_logout_session_required": true,
	}
	provider := Start(t, Config{
		Clients:         []Client{client},
		Resources:       map[string]Resource{audience: {Audience: "api1", Scope: "api1", Alg: "ES256"}},
		DefaultResource: audience,
		Accounts:        map[string]map[string]any{"bob": {"name": "Bob"}},
	})
	credentials := func(form url.Values) url.Values {
		form.Set("client_id", "web")
		form.Set("client_secret", "secret")
		return form
	}

	// Sign-in: authorization code with PKCE.
	const verifier = "a-code-verifier-needs-no-fewer-than-43-characters"
	digest := sha256.Sum256([]byte(verifier))
	agent := browser(t)
	response, err := agent.Get(provider.Issuer + "/auth?" + url.Values{
		"client_id":             {"web"},
		"response_type":         {"code"},
		"redirect_uri":          {redirectURI},
		"scope":                 {"openid profile offline_access api1"},
		"prompt":                {"consent"},
		"login_hint":            {"bob"},
		"state":                 {"the state"},
		"code_challenge_method": {"S256"},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(digest[:])},
	}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	location, err := response.Location()
	if err != nil {
		t.Fatalf("got %s without a redirect: %v", response.Status, err)
	}
	if code := location.Query().Get("code"); code == "" || location.Query().Get("state") != "the state" {
		t.Fatalf("got %s, want code and state", location)
	}
	status, first := post(t, provider.Issuer+"/token", credentials(url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {location.Query().Get("code")},
		"redirect_uri":  {redirectURI},
		"code_verifier": {verifier},
	}))
	if status != http.StatusOK {
		t.Fatalf("token endpoint: got %d %v", status, first)
	}
	access, identity := payload(t, first["access_token"]), payload(t, first["id_token"])
	if access["aud"] != "api1" || access["sub"] != "bob" || access["scope"] != "api1" {
		t.Errorf("access token: got %v", access)
	}
	if access["sid"] == nil || access["sid"] != identity["sid"] {
		t.Errorf("sid: got %v in the access token and %v in the identity token, want the same", access["sid"], identity["sid"])
	}

	// A rotation of the keys keeps sessions and grants; refresh tokens rotate,
	// and an old one takes the new one with it.
	provider.Rotate(t, false)
	refresh := func(token any) (int, map[string]any) {
		return post(t, provider.Issuer+"/token", credentials(url.Values{
			"grant_type":    {"refresh_token"},
			"refresh_token": {token.(string)},
		}))
	}
	status, second := refresh(first["refresh_token"])
	if status != http.StatusOK || second["refresh_token"] == first["refresh_token"] {
		t.Fatalf("refresh: got %d %v, want new tokens", status, second)
	}
	if got := payload(t, second["access_token"])["sid"]; got != access["sid"] {
		t.Errorf("sid after a refresh: got %v, want %v", got, access["sid"])
	}

	introspect := func(token any) any {
		_, answer := post(t, provider.Issuer+"/token/introspection", credentials(url.Values{"token": {token.(string)}}))
		return answer["active"]
	}
	if got := introspect(second["refresh_token"]); got != true {
		t.Errorf("introspection of a living token: active is %v", got)
	}

	// Sign-out at the server, in the same browser, tells the client's back channel.
	response, err = agent.Get(provider.Issuer + "/session/end?" + url.Values{"id_token_hint": {second["id_token"].(string)}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	action := regexp.MustCompile(`action="([^"]+)"`).FindSubmatch(body)
	proof := regexp.MustCompile(`name="xsrf" value="([^"]+)"`).FindSubmatch(body)
	if action == nil || proof == nil {
		t.Fatalf("the page before signing out has no form: %s", body)
	}
	response, err = agent.PostForm(string(action[1]), url.Values{"xsrf": {string(proof[1])}, "logout": {"yes"}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	select {
	case token := <-logouts:
		logout := payload(t, token)
		if logout["sid"] != access["sid"] || logout["aud"] != "web" || logout["events"] == nil {
			t.Errorf("logout token: got %v, want the session %v", logout, access["sid"])
		}
	case <-time.After(startTimeout):
		t.Error("no logout token came")
	}

	// A replayed refresh token ends the grant.
	if status, answer := refresh(first["refresh_token"]); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
		t.Errorf("replay: got %d %v, want invalid_grant", status, answer)
	}
	if got := introspect(second["refresh_token"]); got != false {
		t.Errorf("introspection after a replay: active is %v", got)
	}
}

// TestServerRevokesAndTellsWho covers the token that is not for an API.
func TestServerRevokesAndTellsWho(t *testing.T) {
	client := ServiceClient("web", "secret")
	client["grant_types"] = []string{"authorization_code"}
	client["response_types"] = []string{"code"}
	client["redirect_uris"] = []string{redirectURI}
	provider := Start(t, Config{Clients: []Client{client}})

	const verifier = "a-code-verifier-needs-no-fewer-than-43-characters"
	digest := sha256.Sum256([]byte(verifier))
	response, err := browser(t).Get(provider.Issuer + "/auth?" + url.Values{
		"client_id":             {"web"},
		"response_type":         {"code"},
		"redirect_uri":          {redirectURI},
		"scope":                 {"openid profile"},
		"code_challenge_method": {"S256"},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(digest[:])},
	}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	location, err := response.Location()
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {location.Query().Get("code")},
		"redirect_uri":  {redirectURI},
		"code_verifier": {verifier},
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, provider.Issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("web", "secret")
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	provider.call(t, request, &tokens)

	who := func() (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, provider.Issuer+"/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		return response.StatusCode, string(body)
	}
	if status, body := who(); status != http.StatusOK || !strings.Contains(body, `"name":"alice"`) {
		t.Errorf("userinfo: got %d %s, want the name", status, body)
	}

	form = url.Values{"token": {tokens.AccessToken}}
	request, err = http.NewRequestWithContext(t.Context(), http.MethodPost, provider.Issuer+"/token/revocation", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("web", "secret")
	response, err = http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if status, _ := who(); response.StatusCode != http.StatusOK || status != http.StatusUnauthorized {
		t.Errorf("after a revocation (%s), userinfo: got %d, want 401", response.Status, status)
	}
}
