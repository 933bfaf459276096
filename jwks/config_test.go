package jwks_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

// Each bad value differs from a good one in one thing; the error names the
// field, the value and what to do.
func TestConfiguration(t *testing.T) {
	const good = testIssuer
	tests := []struct {
		name   string
		issuer string
		opts   jwks.Options
		want   []string // parts of the error; none: accepted
	}{
		{"the zero Options", good, jwks.Options{}, nil},
		{"with a path", good + "/tenant", jwks.Options{}, nil},
		{"with a trailing slash", good + "/", jwks.Options{}, nil},
		{"with a port", good + ":8443", jwks.Options{}, nil},
		{"empty", "", jwks.Options{}, []string{"issuer", "empty", "https://"}},
		{"http", "http://id.example.com", jwks.Options{}, []string{"issuer", "http://id.example.com", "InsecureAllowHTTP"}},
		{"http allowed", "http://id.example.com", jwks.Options{InsecureAllowHTTP: true}, nil},
		{"another scheme", "ftp://id.example.com", jwks.Options{InsecureAllowHTTP: true}, []string{"issuer", "ftp://id.example.com", "https"}},
		{"no scheme", "id.example.com", jwks.Options{}, []string{"issuer", "id.example.com", "absolute URL"}},
		{"no host", "https:///tenant", jwks.Options{}, []string{"issuer", "https:///tenant", "host"}},
		{"only a port", "https://:443", jwks.Options{}, []string{"issuer", "https://:443", "host"}},
		{"user info", "https://user:hunter2@id.example.com", jwks.Options{}, []string{"issuer", "user name", "HTTPClient"}},
		{"a query", good + "?a=b", jwks.Options{}, []string{"issuer", "?a=b", "query", "MetadataURL"}},
		{"an empty query", good + "?", jwks.Options{}, []string{"issuer", "query"}},
		{"a fragment", good + "#a", jwks.Options{}, []string{"issuer", "#a", "fragment"}},
		{"an empty fragment", good + "#", jwks.Options{}, []string{"issuer", "fragment"}},
		{"no URL at all", "https://id.example.com/%zz", jwks.Options{}, []string{"issuer", "%zz", "no URL"}},

		{"JWKSURL with an issuer that is no URL", "accounts.example.com", jwks.Options{JWKSURL: good + "/keys"}, nil},
		{"JWKSURL with an empty issuer", "", jwks.Options{JWKSURL: good + "/keys"}, []string{"issuer", "empty"}},
		{"JWKSURL with http", good, jwks.Options{JWKSURL: "http://id.example.com/keys"}, []string{"JWKSURL", "http://id.example.com/keys", "InsecureAllowHTTP"}},
		{"JWKSURL with http allowed", good, jwks.Options{JWKSURL: "http://id.example.com/keys", InsecureAllowHTTP: true}, nil},
		{"JWKSURL with a query", good, jwks.Options{JWKSURL: good + "/keys?appid=1"}, nil},
		{"JWKSURL without a host", good, jwks.Options{JWKSURL: "/keys"}, []string{"JWKSURL", "/keys", "https"}},
		{"JWKSURL with user info", good, jwks.Options{JWKSURL: "https://user:hunter2@id.example.com/keys"}, []string{"JWKSURL", "user name"}},
		{"JWKSURL that is no URL", good, jwks.Options{JWKSURL: "https://[::1/keys"}, []string{"JWKSURL", "no URL"}},
		{"issuer that is the address of its metadata", good + "/.well-known/openid-configuration", jwks.Options{}, []string{"issuer", "/.well-known/openid-configuration", "metadata"}},
		{"MetadataURL", good, jwks.Options{MetadataURL: "https://other.example/meta?x=y"}, nil},
		{"MetadataURL with http", good, jwks.Options{MetadataURL: "http://other.example/meta"}, []string{"MetadataURL", "http://other.example/meta", "InsecureAllowHTTP"}},
		{"MetadataURL, and an http issuer that is not fetched", "http://id.example.com", jwks.Options{MetadataURL: "https://other.example/meta"}, nil},
		{"MetadataURL, and an issuer that is no URL", "id", jwks.Options{MetadataURL: "https://other.example/meta"}, []string{"issuer", `"id"`}},
		{"MetadataURL, and user info in the issuer", "https://user:hunter2@id.example.com", jwks.Options{MetadataURL: "https://other.example/meta"}, []string{"issuer", "user name"}},
		{"both", good, jwks.Options{MetadataURL: good + "/meta", JWKSURL: good + "/keys"}, []string{"MetadataURL", "JWKSURL", "remove one"}},

		{"MinRefreshInterval", good, jwks.Options{MinRefreshInterval: time.Second}, nil},
		{"MinRefreshInterval too small", good, jwks.Options{MinRefreshInterval: time.Second - 1}, []string{"MinRefreshInterval", "999.999999ms", "raise"}},
		{"MinRefreshInterval negative", good, jwks.Options{MinRefreshInterval: -1}, []string{"MinRefreshInterval", "-1ns"}},
		{"MaxRefreshInterval negative", good, jwks.Options{MaxRefreshInterval: -1}, []string{"MaxRefreshInterval", "-1ns"}},
		{"MaxRefreshInterval below the default least", good, jwks.Options{MaxRefreshInterval: time.Minute}, nil},
		{"MinRefreshInterval above the default most", good, jwks.Options{MinRefreshInterval: 2 * time.Hour}, nil},
		{"Min above Max", good, jwks.Options{MinRefreshInterval: 2 * time.Minute, MaxRefreshInterval: time.Minute}, []string{"MinRefreshInterval", "2m0s", "1m0s", "lower"}},
		{"MaxStaleness negative", good, jwks.Options{MaxStaleness: -1}, []string{"MaxStaleness", "-1ns"}},
		{"MaxStaleness below twice MaxRefreshInterval", good, jwks.Options{MaxStaleness: 2*time.Hour - 2}, []string{"MaxStaleness", "1h59m59.999999998s", "raise"}},
		{"MaxStaleness at twice MaxRefreshInterval", good, jwks.Options{MaxStaleness: 2 * time.Hour}, nil},
		{"MaxRefreshInterval above the default staleness", good, jwks.Options{MaxRefreshInterval: 48 * time.Hour}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.opts.HTTPClient = &http.Client{Transport: down{}}
			s, err := jwks.New(test.issuer, &test.opts)
			if err == nil {
				defer s.Close()
			}
			if (err == nil) != (test.want == nil) {
				t.Fatalf("got %v, want an error: %v", err, test.want != nil)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q does not have %q", err, part)
				}
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || !strings.HasPrefix(err.Error(), "jwks: ")) {
				t.Errorf("the error shows a password or has no prefix: %q", err)
			}
			if s != nil && s.Issuer() != test.issuer {
				t.Errorf("Issuer: got %q, want %q", s.Issuer(), test.issuer)
			}
		})
	}
}

func TestNilOptions(t *testing.T) {
	s, err := jwks.New("https://id.invalid", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

type down struct{}

func (down) RoundTrip(req *http.Request) (*http.Response, error) { return refusing(req) }
