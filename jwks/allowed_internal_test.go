package jwks

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// TestFetchIsOfAnAllowedAddress: the addresses were looked at where they came from;
// one that got past that is not fetched either.
func TestFetchIsOfAnAllowedAddress(t *testing.T) {
	for address, want := range map[string]string{
		"http://id.example.com/keys":         "InsecureAllowHTTP",
		"ftp://id.example.com/keys":          "no https URL",
		"/keys":                              "no https URL",
		"https:///keys":                      "no host",
		"https://u:hunter2@id.example.com/k": "user name",
	} {
		asked := false
		f := fetcher{client: http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			asked = true
			return nil, errors.New("away")
		})}}
		_, err := f.do(context.Background(), fetch{what: "key set", url: address, limit: 1})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") || asked {
			t.Errorf("%s: got %v, asked %v, want an error with %q", address, err, asked, want)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
