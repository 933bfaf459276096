package jwtbearertest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func TestFI01DiscoveryAndKeySet(t *testing.T) {
	tests := []struct {
		name      string
		options   jwtbearertest.Options
		issuer    string
		discovery string
		metadata  string
	}{
		{
			"default", jwtbearertest.Options{},
			"https://issuer.test",
			"https://issuer.test/.well-known/openid-configuration",
			"https://issuer.test/.well-known/oauth-authorization-server",
		},
		{
			"path", jwtbearertest.Options{Path: "/realms/x"},
			"https://issuer.test/realms/x",
			"https://issuer.test/realms/x/.well-known/openid-configuration",
			"https://issuer.test/.well-known/oauth-authorization-server/realms/x",
		},
		{
			"trailing slash", jwtbearertest.Options{URL: "https://issuer.test/"},
			"https://issuer.test/",
			"https://issuer.test/.well-known/openid-configuration",
			"https://issuer.test/.well-known/oauth-authorization-server",
		},
		{
			"port, path and trailing slash", jwtbearertest.Options{URL: "https://id.example:8443/a/"},
			"https://id.example:8443/a/",
			"https://id.example:8443/a/.well-known/openid-configuration",
			"https://id.example:8443/.well-known/oauth-authorization-server/a",
		},
		{
			"http", jwtbearertest.Options{URL: "http://issuer.test"},
			"http://issuer.test",
			"http://issuer.test/.well-known/openid-configuration",
			"http://issuer.test/.well-known/oauth-authorization-server",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t, &test.options)
			if got := issuer.URL(); got != test.issuer {
				t.Errorf("got URL %q, want %q", got, test.issuer)
			}
			for _, url := range []string{test.discovery, test.metadata} {
				doc := getJSON(t, issuer, url)
				if doc["issuer"] != test.issuer {
					t.Errorf("%s: got issuer %v, want %q", url, doc["issuer"], test.issuer)
				}
				keys := getJSON(t, issuer, doc["jwks_uri"].(string))
				if n := len(keys["keys"].([]any)); n != 11 {
					t.Errorf("got %d keys, want one for each of 11 algorithms", n)
				}
			}
			if got := claims(t, issuer.Token("api1"))["iss"]; got != test.issuer {
				t.Errorf("got iss %v, want %q", got, test.issuer)
			}
		})
	}
}

func TestFI01Counters(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	for range 3 {
		get(t, issuer, issuer.URL()+"/jwks")
	}
	get(t, issuer, issuer.URL()+"/.well-known/openid-configuration")
	get(t, issuer, issuer.URL()+"/nowhere")
	for endpoint, want := range map[jwtbearertest.Endpoint]int{
		jwtbearertest.EndpointKeys:      3,
		jwtbearertest.EndpointDiscovery: 1,
		jwtbearertest.EndpointMetadata:  0,
		jwtbearertest.EndpointAll:       5,
	} {
		if got := issuer.Requests(endpoint); got != want {
			t.Errorf("endpoint %q: got %d requests, want %d", endpoint, got, want)
		}
	}
}

func TestFI01OnRequest(t *testing.T) {
	var seen []string
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{
		OnRequest: func(endpoint jwtbearertest.Endpoint, r *http.Request) {
			seen = append(seen, string(endpoint)+" "+r.Method+" "+r.URL.Path)
		},
	})
	get(t, issuer, issuer.URL()+"/jwks")
	get(t, issuer, issuer.URL()+"/x")
	if got, want := strings.Join(seen, ", "), "keys GET /jwks,  GET /x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFI01CacheHeaders(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{CacheControl: "max-age=60"})
	res, _ := get(t, issuer, issuer.URL()+"/jwks")
	if got := res.Header.Get("Cache-Control"); got != "max-age=60" {
		t.Errorf("got Cache-Control %q, want max-age=60", got)
	}
	r := request(t.Context(), t, issuer.URL()+"/jwks")
	r.Header.Set("If-None-Match", res.Header.Get("ETag"))
	again, err := issuer.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	again.Body.Close()
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("the same entity tag: got status %d, want 304", again.StatusCode)
	}
	issuer.Rotate()
	again, err = issuer.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	again.Body.Close()
	if again.StatusCode != http.StatusOK {
		t.Errorf("the entity tag of before the rotation: got status %d, want 200", again.StatusCode)
	}

	issuer.SetHeader(jwtbearertest.EndpointAll, "Cache-Control", "no-store")
	issuer.SetHeader(jwtbearertest.EndpointKeys, "Age", "30")
	issuer.SetHeader(jwtbearertest.EndpointKeys, "ETag", "")
	res, _ = get(t, issuer, issuer.URL()+"/jwks")
	if got := res.Header.Get("Cache-Control") + " " + res.Header.Get("Age") + " " + res.Header.Get("ETag"); got != "no-store 30 " {
		t.Errorf("got %q, want the fields of SetHeader", got)
	}
	res, _ = get(t, issuer, issuer.URL()+"/.well-known/openid-configuration")
	if res.Header.Get("Age") != "" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %v: SetHeader must know endpoints apart", res.Header)
	}
}

func TestClockOffsetMovesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		date := func() time.Time {
			res, _ := get(t, issuer, issuer.URL()+"/jwks")
			at, err := http.ParseTime(res.Header.Get("Date"))
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
		if got := date(); !got.Equal(time.Now()) {
			t.Errorf("got Date %v, want the time of the bubble %v", got, time.Now())
		}
		issuer.SetClockOffset(-3 * time.Minute)
		if got, want := date(), time.Now().Add(-3*time.Minute); !got.Equal(want) {
			t.Errorf("got Date %v, want %v", got, want)
		}
		c := claims(t, issuer.Token("api1"))
		if got, want := c["exp"], float64(time.Now().Add(-2*time.Minute).Unix()); got != want {
			t.Errorf("got exp %v, want %v", got, want)
		}
		issuer.SetHeader(jwtbearertest.EndpointKeys, "Date", "")
		res, _ := get(t, issuer, issuer.URL()+"/jwks")
		if got, sent := res.Header["Date"]; sent {
			t.Errorf("got Date %q, want none", got)
		}
	})
}

func TestSetMetadata(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	issuer.SetMetadata("issuer", "https://evil.test")
	issuer.SetMetadata("jwks_uri", issuer.URL()+"/moved")
	issuer.SetMetadata("subject_types_supported", nil)
	doc := getJSON(t, issuer, issuer.URL()+"/.well-known/openid-configuration")
	if doc["issuer"] != "https://evil.test" {
		t.Errorf("got issuer %v", doc["issuer"])
	}
	if _, there := doc["subject_types_supported"]; there {
		t.Error("subject_types_supported is still there")
	}
	getJSON(t, issuer, issuer.URL()+"/moved")
	if got := issuer.Requests(jwtbearertest.EndpointKeys); got != 1 {
		t.Errorf("the moved key set: got %d requests, want 1", got)
	}
}

func TestStartRefusesWhatOthersCanReach(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:80", "127.0.0.1"} {
		issuer, err := jwtbearertest.Start(&jwtbearertest.Options{Addr: addr})
		if err == nil {
			issuer.Close()
			t.Errorf("Addr %q: started, want an error", addr)
		}
	}
	issuer, err := jwtbearertest.Start(&jwtbearertest.Options{Addr: ":0", InsecureListenAnywhere: true})
	if err != nil {
		t.Fatal(err)
	}
	issuer.Close()
}

func TestStartServesOnLoopback(t *testing.T) {
	issuer, err := jwtbearertest.Start(&jwtbearertest.Options{Path: "/realms/x"})
	if err != nil {
		t.Fatal(err)
	}
	defer issuer.Close()
	if !strings.HasPrefix(issuer.URL(), "http://127.0.0.1:") || !strings.HasSuffix(issuer.URL(), "/realms/x") {
		t.Errorf("got URL %q", issuer.URL())
	}
	doc := getJSON(t, issuer, issuer.URL()+"/.well-known/openid-configuration")
	getJSON(t, issuer, doc["jwks_uri"].(string))
	issuer.Close()
	if res, err := issuer.Client().Get(issuer.URL() + "/jwks"); err == nil {
		res.Body.Close()
		t.Error("a closed issuer answers")
	}
	issuer.Close()
}

func TestOptionsMistakes(t *testing.T) {
	for name, options := range map[string]jwtbearertest.Options{
		"query":             {URL: "https://issuer.test?x=1"},
		"fragment":          {URL: "https://issuer.test#x"},
		"userinfo":          {URL: "https://u@issuer.test"},
		"scheme":            {URL: "ftp://issuer.test"},
		"relative":          {URL: "issuer.test"},
		"path and URL":      {URL: "https://issuer.test", Path: "/x"},
		"path":              {Path: "x"},
		"no algorithms":     {Algorithms: []string{}},
		"unknown algorithm": {Algorithms: []string{"HS256"}},
		"twice":             {Algorithms: []string{"ES256", "ES256"}},
	} {
		issuer, err := jwtbearertest.Start(&options)
		if err == nil {
			issuer.Close()
			t.Errorf("%s: started, want an error", name)
			continue
		}
		if !strings.HasPrefix(err.Error(), "jwtbearertest: Options.") {
			t.Errorf("%s: got %q, want an error that names the field", name, err)
		}
	}
}
