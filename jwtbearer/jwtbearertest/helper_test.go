package jwtbearertest_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// get reads url through the issuer's client.
func get(t *testing.T, issuer *jwtbearertest.Issuer, url string) (*http.Response, []byte) {
	t.Helper()
	res, err := issuer.Client().Get(url)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("GET %s: reading the body: %v", url, err)
	}
	return res, body
}

func getJSON(t *testing.T, issuer *jwtbearertest.Issuer, url string) map[string]any {
	t.Helper()
	res, body := get(t, issuer, url)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: got status %d, want 200", url, res.StatusCode)
	}
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatalf("GET %s: %v in %q", url, err, body)
	}
	return doc
}

// keySet reads the published keys as jwx does, leaving out what it cannot read.
func keySet(t *testing.T, issuer *jwtbearertest.Issuer) jwk.Set {
	t.Helper()
	set, err := jwk.Parse(issuer.KeySet(), jwk.WithIgnoreParseError(true))
	if err != nil {
		t.Fatalf("the key set: %v", err)
	}
	return set
}

// verifies tells whether jwx finds token good under the published keys.
func verifies(t *testing.T, issuer *jwtbearertest.Issuer, token string) bool {
	t.Helper()
	_, err := jws.Verify([]byte(token), jws.WithKeySet(keySet(t, issuer), jws.WithRequireKid(false), jws.WithMultipleKeysPerKeyID(true), jws.WithInferAlgorithmFromKey(true)))
	return err == nil
}

// part decodes segment n of a token.
func part(t *testing.T, token string, n int) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
	if err != nil {
		t.Fatalf("segment %d of the token: %v", n, err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatalf("segment %d of the token: %v in %s", n, err, text)
	}
	return members
}

func header(t *testing.T, token string) map[string]any { t.Helper(); return part(t, token, 0) }
func claims(t *testing.T, token string) map[string]any { t.Helper(); return part(t, token, 1) }

func request(ctx context.Context, t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// inBubble runs a subtest in a bubble of testing/synctest.
func inBubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	if name == "" {
		synctest.Test(t, test)
		return
	}
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func testLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
