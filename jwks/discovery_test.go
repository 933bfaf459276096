package jwks_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

// pages answers by address; what is not in it is 404.
type pages map[string]func(*http.Request) *http.Response

type visited struct {
	pages pages
	seen  []string
}

func (v *visited) RoundTrip(req *http.Request) (*http.Response, error) {
	v.seen = append(v.seen, req.URL.String())
	if page := v.pages[req.URL.String()]; page != nil {
		return page(req), nil
	}
	return reply(req, 404, "", ""), nil
}

func page(status int, text string) func(*http.Request) *http.Response {
	return func(req *http.Request) *http.Response { return reply(req, status, "application/json", text) }
}

func moved(to string) func(*http.Request) *http.Response {
	return func(req *http.Request) *http.Response {
		resp := reply(req, http.StatusMovedPermanently, "", "")
		resp.Header.Set("Location", to)
		return resp
	}
}

func TestDiscovery(t *testing.T) {
	keys := page(200, document(ecJWK("a")))
	meta := func(issuer, uri string) func(*http.Request) *http.Response {
		return page(200, `{"issuer":"`+issuer+`","jwks_uri":"`+uri+`","ISSUER":"https://evil.example"}`)
	}
	const (
		id   = "https://id.example.com"
		oidc = "/.well-known/openid-configuration"
		rfc  = "/.well-known/oauth-authorization-server"
	)
	tests := []struct {
		name   string
		issuer string
		opts   jwks.Options
		pages  pages
		seen   []string // requests, in order
		token  string   // TokenIssuer afterwards; "": discovery fails
		err    string   // part of the error
	}{
		{"OpenID Connect", id, jwks.Options{}, pages{id + oidc: meta(id, id+"/k"), id + "/k": keys}, []string{id + oidc, id + "/k"}, id, ""},
		{"appended to the path", id + "/t", jwks.Options{}, pages{id + "/t" + oidc: meta(id+"/t", id+"/k"), id + "/k": keys}, []string{id + "/t" + oidc, id + "/k"}, id + "/t", ""},
		{"a trailing slash is not doubled", id + "/t/", jwks.Options{}, pages{id + "/t" + oidc: meta(id+"/t/", id+"/k"), id + "/k": keys}, []string{id + "/t" + oidc, id + "/k"}, id + "/t/", ""},
		{"an encoded path stays encoded", id + "/a%2Fb", jwks.Options{}, pages{id + "/a%2Fb" + oidc: meta(id+"/a%2Fb", id+"/k"), id + "/k": keys}, []string{id + "/a%2Fb" + oidc, id + "/k"}, id + "/a%2Fb", ""},
		{"RFC 8414 after 404", id, jwks.Options{}, pages{id + rfc: meta(id, id+"/k"), id + "/k": keys}, []string{id + oidc, id + rfc, id + "/k"}, id, ""},
		{"RFC 8414 inserts before the path", id + "/t", jwks.Options{}, pages{id + rfc + "/t": meta(id+"/t", id+"/k"), id + "/k": keys}, []string{id + "/t" + oidc, id + rfc + "/t", id + "/k"}, id + "/t", ""},
		{"RFC 8414 drops the trailing slash", id + "/t/", jwks.Options{}, pages{id + rfc + "/t": meta(id+"/t/", id+"/k"), id + "/k": keys}, []string{id + "/t" + oidc, id + rfc + "/t", id + "/k"}, id + "/t/", ""},
		{"not after 500", id, jwks.Options{}, pages{id + oidc: page(500, ""), id + rfc: meta(id, id+"/k")}, []string{id + oidc}, "", "500"},
		{"not after a wrong document", id, jwks.Options{}, pages{id + oidc: page(200, "<html>"), id + rfc: meta(id, id+"/k")}, []string{id + oidc}, "", "not JSON"},
		{"nowhere", id, jwks.Options{}, pages{}, []string{id + oidc, id + rfc}, "", "404"},

		{"the document has one slash more", id, jwks.Options{}, pages{id + oidc: meta(id+"/", id+"/k"), id + "/k": keys}, []string{id + oidc, id + "/k"}, id + "/", ""},
		{"the document has one slash less", id + "/", jwks.Options{}, pages{id + oidc: meta(id, id+"/k"), id + "/k": keys}, []string{id + oidc, id + "/k"}, id, ""},
		{"two slashes more", id, jwks.Options{}, pages{id + oidc: meta(id+"//", id+"/k")}, []string{id + oidc}, "", "its issuer is"},
		{"another case", id, jwks.Options{}, pages{id + oidc: meta("https://ID.example.com", id+"/k")}, []string{id + oidc}, "", "its issuer is"},
		{"the default port", id, jwks.Options{}, pages{id + oidc: meta(id+":443", id+"/k")}, []string{id + oidc}, "", "its issuer is"},
		{"another issuer", id, jwks.Options{}, pages{id + oidc: meta("https://evil.example", id+"/k")}, []string{id + oidc}, "", "its issuer is"},
		{"a longer issuer", id, jwks.Options{}, pages{id + oidc: meta(id+"/tenant", id+"/k")}, []string{id + oidc}, "", "its issuer is"},
		{"no issuer", id, jwks.Options{}, pages{id + oidc: page(200, `{"jwks_uri":"`+id+`/k"}`)}, []string{id + oidc}, "", `no "issuer"`},
		{"an issuer in another spelling", id, jwks.Options{}, pages{id + oidc: page(200, `{"Issuer":"`+id+`","jwks_uri":"`+id+`/k"}`)}, []string{id + oidc}, "", `no "issuer"`},
		{"an issuer that is no string", id, jwks.Options{}, pages{id + oidc: page(200, `{"issuer":["`+id+`"],"jwks_uri":"`+id+`/k"}`)}, []string{id + oidc}, "", `no "issuer"`},
		{"two issuers", id, jwks.Options{}, pages{id + oidc: page(200, `{"issuer":"https://evil.example","issuer":"`+id+`","jwks_uri":"`+id+`/k"}`)}, []string{id + oidc}, "", "twice"},
		{"an array", id, jwks.Options{}, pages{id + oidc: page(200, `[]`)}, []string{id + oidc}, "", "not a JSON object"},
		{"something behind", id, jwks.Options{}, pages{id + oidc: page(200, `{"issuer":"`+id+`","jwks_uri":"`+id+`/k"} {}`)}, []string{id + oidc}, "", "follows"},

		{"no jwks_uri", id, jwks.Options{}, pages{id + oidc: page(200, `{"issuer":"`+id+`"}`)}, []string{id + oidc}, "", `no "jwks_uri"`},
		{"http jwks_uri", id, jwks.Options{}, pages{id + oidc: meta(id, "http://id.example.com/k")}, []string{id + oidc}, "", "InsecureAllowHTTP"},
		{"http jwks_uri allowed", id, jwks.Options{InsecureAllowHTTP: true}, pages{id + oidc: meta(id, "http://id.example.com/k"), "http://id.example.com/k": keys}, []string{id + oidc, "http://id.example.com/k"}, id, ""},
		{"file jwks_uri", id, jwks.Options{InsecureAllowHTTP: true}, pages{id + oidc: meta(id, "file:///etc/passwd")}, []string{id + oidc}, "", "no https URL"},
		{"relative jwks_uri", id, jwks.Options{}, pages{id + oidc: meta(id, "/k")}, []string{id + oidc}, "", "no https URL"},
		{"jwks_uri without a host", id, jwks.Options{}, pages{id + oidc: meta(id, "https:///k")}, []string{id + oidc}, "", "no host"},
		{"jwks_uri with user info", id, jwks.Options{}, pages{id + oidc: meta(id, "https://u:p@id.example.com/k")}, []string{id + oidc}, "", "user name"},
		{"jwks_uri on another host", id, jwks.Options{}, pages{id + oidc: meta(id, "https://cdn.example.net/k"), "https://cdn.example.net/k": keys}, []string{id + oidc, "https://cdn.example.net/k"}, id, ""},

		{"MetadataURL", id, jwks.Options{MetadataURL: "https://internal.example/m"}, pages{"https://internal.example/m": meta(id, id+"/k"), id + "/k": keys}, []string{"https://internal.example/m", id + "/k"}, id, ""},
		{"MetadataURL has no fallback", id, jwks.Options{MetadataURL: "https://internal.example/m"}, pages{id + oidc: meta(id, id+"/k")}, []string{"https://internal.example/m"}, "", "404"},
		{"MetadataURL of another issuer", id, jwks.Options{MetadataURL: "https://internal.example/m"}, pages{"https://internal.example/m": meta("https://internal.example", id+"/k")}, []string{"https://internal.example/m"}, "", "its issuer is"},
		{"JWKSURL", "any thing", jwks.Options{JWKSURL: id + "/k?a=b"}, pages{id + "/k?a=b": keys}, []string{id + "/k?a=b"}, "any thing", ""},

		{"a redirect on the host", id, jwks.Options{}, pages{id + oidc: moved(id + "/m"), id + "/m": meta(id, id+"/k"), id + "/k": keys}, []string{id + oidc, id + "/m", id + "/k"}, id, ""},
		{"a redirect to the default port", id, jwks.Options{}, pages{id + oidc: moved(id + ":443/m"), id + ":443/m": meta(id, id+"/k"), id + "/k": keys}, []string{id + oidc, id + ":443/m", id + "/k"}, id, ""},
		{"a redirect to another port", id, jwks.Options{}, pages{id + oidc: moved(id + ":8443/m"), id + ":8443/m": meta(id, id+"/k"), id + "/k": keys}, []string{id + oidc}, "", "another host"},
		{"a redirect to another host", id, jwks.Options{}, pages{id + oidc: moved("https://www.example.com/m"), "https://www.example.com/m": meta(id, id+"/k"), id + "/k": keys}, []string{id + oidc}, "", "another host"},
		{"a redirect of the keys to another host", id, jwks.Options{}, pages{id + oidc: meta(id, id+"/k"), id + "/k": moved("https://cdn.example.net/k"), "https://cdn.example.net/k": keys}, []string{id + oidc, id + "/k", "https://cdn.example.net/k"}, id, ""},
		{"a redirect of the keys to http", id, jwks.Options{}, pages{id + oidc: meta(id, id+"/k"), id + "/k": moved("http://id.example.com/k"), "http://id.example.com/k": keys}, []string{id + oidc, id + "/k"}, "", "http"},
		{"a redirect from https to http, though http is allowed", id, jwks.Options{InsecureAllowHTTP: true}, pages{id + oidc: meta(id, id+"/k"), id + "/k": moved("http://id.example.com/k"), "http://id.example.com/k": keys}, []string{id + oidc, id + "/k"}, "", "from https"},
		{"a redirect from http to http, which is allowed", id, jwks.Options{JWKSURL: "http://a.example/k", InsecureAllowHTTP: true}, pages{"http://a.example/k": moved("http://b.example/k"), "http://b.example/k": keys}, []string{"http://a.example/k", "http://b.example/k"}, id, ""},
		{"a redirect with user info", id, jwks.Options{JWKSURL: id + "/k"}, pages{id + "/k": moved("https://u:p@id.example.com/2"), "https://u:p@id.example.com/2": keys}, []string{id + "/k"}, id, "user name"},
		{"three redirects", id, jwks.Options{JWKSURL: id + "/0"}, pages{id + "/0": moved(id + "/1"), id + "/1": moved(id + "/2"), id + "/2": moved(id + "/3"), id + "/3": keys}, []string{id + "/0", id + "/1", id + "/2", id + "/3"}, id, ""},
		{"four redirects", id, jwks.Options{JWKSURL: id + "/0"}, pages{id + "/0": moved(id + "/1"), id + "/1": moved(id + "/2"), id + "/2": moved(id + "/3"), id + "/3": moved(id + "/4"), id + "/4": keys}, []string{id + "/0", id + "/1", id + "/2", id + "/3"}, id, "more than 3 redirects"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &visited{pages: test.pages}
				test.opts.HTTPClient = &http.Client{Transport: v}
				test.opts.Logger = discard
				s, err := jwks.New(test.issuer, &test.opts)
				if err != nil {
					t.Fatal(err)
				}
				_, err = s.Find(context.Background(), "a", "ES256")
				_ = s.Close()
				if test.err == "" && err != nil || test.err != "" && !errors.Is(err, jwks.ErrUnavailable) {
					t.Errorf("got %v, want an error: %v", err, test.err != "")
				}
				if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
					t.Errorf("the error %v does not have %q", err, test.err)
				}
				if !slices.Equal(v.seen, test.seen) {
					t.Errorf("requests:\n got %q\nwant %q", v.seen, test.seen)
				}
				if got := s.TokenIssuer(); got != test.token {
					t.Errorf("TokenIssuer: got %q, want %q", got, test.token)
				}
			})
		})
	}
}

// The fallback that worked is asked first from then on; when it is gone, the
// search begins anew.
func TestDiscoveryRemembersWhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.noOIDC = true
		s := newSet(t, a, nil)
		ready(t, s)
		if got := a.requests("openid-configuration"); got != 1 {
			t.Errorf("got %d OpenID Connect requests, want 1", got)
		}
		if err := s.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := a.requests("openid-configuration"); got != 1 {
			t.Errorf("after a refresh: got %d OpenID Connect requests, want still 1", got)
		}
		a.set(func() { a.noOIDC = false })
		if err := s.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got, want := s.Status().MetadataURL, testIssuer+"/.well-known/openid-configuration"; got != want {
			t.Errorf("MetadataURL: got %q, want %q", got, want)
		}
	})
}

// A validator is for the address that gave it.
func TestDiscoveryValidatorsStayWhereTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		here := "/.well-known/oauth-authorization-server"
		a.metadata = func(req *http.Request) (*http.Response, error) {
			if req.URL.Path != here {
				return reply(req, 404, "", ""), nil
			}
			if req.Header.Get("If-None-Match") == `"rfc"` && here != "/.well-known/oauth-authorization-server" {
				t.Errorf("%s was asked with the validator of the other address", here)
			}
			resp := reply(req, 200, "", `{"issuer":"`+testIssuer+`","jwks_uri":"`+testIssuer+`/keys"}`)
			resp.Header.Set("ETag", `"rfc"`)
			return resp, nil
		}
		s := newSet(t, a, nil)
		ready(t, s)
		a.set(func() { here = "/.well-known/openid-configuration" })
		time.Sleep(70 * time.Minute)
		if got, want := s.Status().MetadataURL, testIssuer+here; got != want {
			t.Errorf("MetadataURL: got %q, want %q", got, want)
		}
	})
}

func TestTokenIssuerWithoutDiscoveryIsKnownAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.fail(hanging)
		s := newSet(t, a, &jwks.Options{JWKSURL: testIssuer + "/keys"})
		if got := s.TokenIssuer(); got != testIssuer {
			t.Errorf("got %q, want %q", got, testIssuer)
		}
	})
}
