package jwks_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerguard/bearerguard/jwks"
)

// TestOnlyAnAnswerOf200IsOne: other statuses may come with a body that looks like a
// key set, of a proxy or of a part.
func TestOnlyAnAnswerOf200IsOne(t *testing.T) {
	for _, code := range []int{201, 202, 203, 206, 226} {
		err := once(t, func(req *http.Request) (*http.Response, error) {
			return reply(req, code, "application/json", document(ecJWK("a"))), nil
		})
		if !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("%d: got %v, want ErrUnavailable", code, err)
		}
	}
}

// TestRedirectsTellNoAddress: the query of an address may hold a key, which is
// nothing for who is redirected to.
func TestRedirectsTellNoAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		a.keySet = func(req *http.Request) (*http.Response, error) {
			if req.URL.Path == "/keys" {
				return redirect("https://cdn.example.net/keys2")(req)
			}
			return body("", document(ecJWK("a")))(req)
		}
		s := newSet(t, a, &jwks.Options{JWKSURL: testIssuer + "/keys?key=hunter2"})
		ready(t, s)
		if got := a.last(); got.URL.Host != "cdn.example.net" || got.Header.Get("Referer") != "" {
			t.Errorf("%s was told the Referer %q", got.URL, got.Header.Get("Referer"))
		}
	})
}

// TestMissingKidOfAnotherAlgorithm: that a key id has no key for one algorithm says
// nothing about another one.
func TestMissingKidOfAnotherAlgorithm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		ready(t, s)
		for range 2 {
			if _, err := s.Find(context.Background(), "b", "RS256"); !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Errorf("got %v, want ErrKeyNotFound", err)
			}
		}
		a.rotate(ecJWK("a"), ecJWK("b"))
		expect(t, s, "b", result{200, 0})
	})
}

// TestHeadersAreBounded: who answers for the authority decides how long its headers
// are, and they are read before the body.
func TestHeadersAreBounded(t *testing.T) {
	doc, padding := document(ecJWK("a")), ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Padding", padding)
		_, _ = io.WriteString(w, doc)
	}))
	defer server.Close()
	for _, tt := range []struct {
		size int
		good bool
	}{{1 << 10, true}, {1 << 20, false}} {
		padding = strings.Repeat("x", tt.size)
		s, err := jwks.New("any", &jwks.Options{JWKSURL: server.URL, InsecureAllowHTTP: true, Logger: discard})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Find(context.Background(), "a", "ES256"); (err == nil) != tt.good {
			t.Errorf("a header of %d bytes: got %v, want it accepted: %v", tt.size, err, tt.good)
		}
		_ = s.Close()
	}
}

// TestFileThatIsADevice: what is no file may have no end.
func TestFileThatIsADevice(t *testing.T) {
	if _, err := os.Stat(os.DevNull); err != nil {
		t.Fatal(err)
	}
	s, err := jwks.NewFile(testIssuer, os.DevNull, &jwks.StaticOptions{Logger: discard})
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("got %v, want that it is no regular file", err)
	}
}
