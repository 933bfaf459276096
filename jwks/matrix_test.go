package jwks_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

// result is an answer and how long it took, by the bubble's clock.
type result struct {
	code int
	took time.Duration
}

// TestFaultMatrix is the table of every fault (rows) against every moment
// (columns): what a request gets, and after how long exactly.
//
// cold is the first request after the start. warm is a token of a key that is
// held. rotation is a token of a key that the authority has just introduced.
// Whatever the fault, it recovers by itself once the fault is over.
func TestFaultMatrix(t *testing.T) {
	const s = time.Second
	good := document(ecJWK("old"), ecJWK("new"))
	metadata := func(issuer, keys string) fault {
		return body("application/json", `{"issuer":"`+issuer+`","jwks_uri":"`+keys+`"}`)
	}
	both := func(f fault) func(*authority) { return func(a *authority) { a.metadata, a.keySet = f, f } }
	keysOnly := func(f fault) func(*authority) { return func(a *authority) { a.keySet = f } }
	metadataOnly := func(f fault) func(*authority) { return func(a *authority) { a.metadata = f } }

	tests := []struct {
		name                 string
		fault                func(*authority)
		cold, warm, rotation result
	}{
		{"none", func(*authority) {}, result{200, 0}, result{200, 0}, result{200, 0}},
		{"slow, 1 s", both(slow(s)), result{200, 2 * s}, result{200, 0}, result{200, s}},
		{"slow, 2.4 s", both(slow(2400 * time.Millisecond)), result{200, 4800 * time.Millisecond}, result{200, 0}, result{503, 2 * s}},
		{"slow, 4 s", both(slow(4 * s)), result{503, 5 * s}, result{200, 0}, result{503, 2 * s}},
		{"down", both(refusing), result{503, 0}, result{200, 0}, result{503, 0}},
		{"hanging", both(hanging), result{503, 5 * s}, result{200, 0}, result{503, 2 * s}},
		{"slow loris", both(slowLoris), result{503, 5 * s}, result{200, 0}, result{503, 2 * s}},
		{"500", both(status(500)), result{503, 0}, result{200, 0}, result{503, 0}},
		{"204", both(status(204)), result{503, 0}, result{200, 0}, result{503, 0}},
		{"404", both(status(404)), result{503, 0}, result{200, 0}, result{503, 0}},
		{"304 that nobody asked for", both(status(304)), result{503, 0}, result{200, 0}, result{503, 0}},
		{"HTML", both(body("text/html", "<html>We are down for maintenance")), result{503, 0}, result{200, 0}, result{503, 0}},
		{"no body", both(body("application/json", "")), result{503, 0}, result{200, 0}, result{503, 0}},
		{"endless", both(endless), result{503, 0}, result{200, 0}, result{503, 0}},
		{"gzip bomb", keysOnly(bomb(good)), result{503, 0}, result{200, 0}, result{503, 0}},
		{"redirect to http", both(redirect("http://id.example.com/x")), result{503, 0}, result{200, 0}, result{503, 0}},
		{"redirect in a circle", both(redirect(testIssuer + "/keys")), result{503, 0}, result{200, 0}, result{503, 0}},
		{"panic", both(func(*http.Request) (*http.Response, error) { panic("a RoundTripper's") }), result{503, 0}, result{200, 0}, result{503, 0}},

		{"key set truncated", keysOnly(body("application/json", good[:len(good)-3])), result{503, 0}, result{200, 0}, result{503, 0}},
		{"key set oversized", keysOnly(body("application/json", `{"pad":"`+string(make([]byte, 1<<20))+`"}`)), result{503, 0}, result{200, 0}, result{503, 0}},
		{"key set empty", keysOnly(body("application/json", `{"keys":[]}`)), result{503, 0}, result{200, 0}, result{503, 0}},
		{"key set unusable", keysOnly(body("application/json", `{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"old"}]}`)), result{503, 0}, result{200, 0}, result{503, 0}},
		{"key set of another form", keysOnly(body("application/json", `{"keys":{"old":1}}`)), result{503, 0}, result{200, 0}, result{503, 0}},
		{"key set as text", keysOnly(body("text/plain", good)), result{200, 0}, result{200, 0}, result{200, 0}},

		// A forced refresh goes for the keys, so that metadata that is away costs a
		// rotation nothing.
		{"metadata down", metadataOnly(refusing), result{503, 0}, result{200, 0}, result{200, 0}},
		{"metadata hanging", metadataOnly(hanging), result{503, 5 * s}, result{200, 0}, result{200, 0}},
		{"metadata oversized", metadataOnly(body("application/json", string(make([]byte, 1<<19)))), result{503, 0}, result{200, 0}, result{200, 0}},
		{"metadata of another issuer", metadataOnly(metadata("https://evil.example", testIssuer+"/keys")), result{503, 0}, result{200, 0}, result{200, 0}},
		{"metadata without jwks_uri", metadataOnly(metadata(testIssuer, "")), result{503, 0}, result{200, 0}, result{200, 0}},
		{"metadata with http jwks_uri", metadataOnly(metadata(testIssuer, "http://id.example.com/keys")), result{503, 0}, result{200, 0}, result{200, 0}},
		{"metadata redirected to another host", metadataOnly(redirect("https://www.example.com/.well-known/openid-configuration")), result{503, 0}, result{200, 0}, result{200, 0}},
	}
	for _, test := range tests {
		newKey := ecJWK("new")
		t.Run(test.name+"/cold", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(newKey)
				a.set(func() { test.fault(a) })
				set := newSet(t, a, nil)
				expect(t, set, "new", test.cold)
				recovers(t, a, set)
			})
		})
		t.Run(test.name+"/warm", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(ecJWK("old"))
				set := newSet(t, a, nil)
				ready(t, set)
				a.set(func() { test.fault(a) })
				expect(t, set, "old", test.warm)
				// Also while the scheduled refreshes fail.
				time.Sleep(90 * time.Minute)
				if a.keySet == nil || test.cold.code == 503 {
					expect(t, set, "old", test.warm)
				}
			})
		})
		t.Run(test.name+"/rotation", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(ecJWK("old"))
				set := newSet(t, a, nil)
				ready(t, set)
				time.Sleep(10 * time.Minute)
				a.set(func() { a.keys = []jwk{ecJWK("old"), newKey}; test.fault(a) })
				expect(t, set, "new", test.rotation)
				expect(t, set, "old", result{200, 0})
				recovers(t, a, set)
			})
		})
	}
}

func expect(t *testing.T, set *jwks.Set, kid string, want result) {
	t.Helper()
	var got result
	var err error
	got.took = timed(func() {
		var keys []*jwks.Key
		keys, err = set.Find(context.Background(), kid, "ES256")
		got.code = code(keys, err)
	})
	if got != want {
		t.Errorf("a token of key %q: got %d after %v (%v), want %d after %v", kid, got.code, got.took, err, want.code, want.took)
	}
}

// recovers takes the fault away and waits for the new key to be found: a fetch
// that hangs has up to ten seconds to go, and a retry is at most five seconds
// away when requests ask for it.
func recovers(t *testing.T, a *authority, set *jwks.Set) {
	t.Helper()
	a.fail(nil)
	for start := time.Now(); answer(set, "new") != 200; time.Sleep(100 * time.Millisecond) {
		if waited := time.Since(start); waited > 15*time.Second {
			t.Fatalf("it has not recovered %v after the fault was over: %+v", waited, set.Status())
		}
	}
	if status := set.Status(); status.Failures != 0 || !status.Ready {
		t.Errorf("after the recovery: got %d failures, ready %v", status.Failures, status.Ready)
	}
}
