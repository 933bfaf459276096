package jwtbearertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// outcome says in a word what a client sees of the key set within ten seconds.
func outcome(t *testing.T, issuer *jwtbearertest.Issuer) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	client := issuer.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(request(ctx, t, issuer.URL()+"/jwks"))
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case err != nil:
		return "broken"
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout in body"
	case err != nil:
		return "broken in body"
	case len(body) == 1<<20:
		return "too much"
	case res.StatusCode != http.StatusOK:
		return res.Status + " " + res.Header.Get("Location")
	case !json.Valid(body):
		return "no JSON, " + res.Header.Get("Content-Type")
	}
	return "good, " + res.Header.Get("Content-Type")
}

func TestFI11FaultsAndRecovery(t *testing.T) {
	const good = "good, application/jwk-set+json"
	tests := []struct {
		name  string
		fault jwtbearertest.Fault
		want  string
	}{
		{"down", jwtbearertest.Down(), "refused"},
		{"hang", jwtbearertest.Hang(), "timeout"},
		{"hang in body", jwtbearertest.HangInBody(), "timeout in body"},
		{"cut", jwtbearertest.CutBody(), "broken in body"},
		{"slow", jwtbearertest.Slow(9 * time.Second), good},
		{"too slow", jwtbearertest.Slow(11 * time.Second), "timeout"},
		{"500", jwtbearertest.Status(500), "500 Internal Server Error "},
		{"late 500", jwtbearertest.Status(500).After(11 * time.Second), "timeout"},
		{"404", jwtbearertest.Status(404), "404 Not Found "},
		{"HTML", jwtbearertest.HTML(), "no JSON, text/html; charset=utf-8"},
		{"truncated", jwtbearertest.Truncated(), "no JSON, application/jwk-set+json"},
		{"oversized", jwtbearertest.Oversized(1 << 20), "too much"},
		{"large", jwtbearertest.Oversized(1 << 19), good},
		{"endless", jwtbearertest.Endless(), "too much"},
		{"redirect", jwtbearertest.RedirectTo("https://elsewhere.test/"), "302 Found https://elsewhere.test/"},
		{"content type", jwtbearertest.ContentType("text/plain"), "good, text/plain"},
		{"raw", jwtbearertest.Respond(200, "application/json", "[]"), "good, application/json"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := jwtbearertest.NewIssuer(t)
				if got := outcome(t, issuer); got != good {
					t.Fatalf("before: got %q", got)
				}
				issuer.SetFault(jwtbearertest.EndpointKeys, test.fault)
				if got := outcome(t, issuer); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if res, _ := get(t, issuer, issuer.URL()+"/.well-known/openid-configuration"); res.StatusCode != 200 {
					t.Errorf("another endpoint: got status %d, want 200", res.StatusCode)
				}
				issuer.SetFault(jwtbearertest.EndpointKeys, jwtbearertest.Fault{})
				if got := outcome(t, issuer); got != good {
					t.Errorf("after: got %q", got)
				}
				issuer.SetFault(jwtbearertest.EndpointAll, test.fault.Times(2))
				for n, want := range []string{test.want, test.want, good} {
					if got := outcome(t, issuer); got != want {
						t.Errorf("limited to two times, request %d: got %q, want %q", n+1, got, want)
					}
				}
				if got := issuer.Requests(jwtbearertest.EndpointKeys); got != 6 {
					t.Errorf("got %d requests counted, want 6", got)
				}
			})
		})
	}
}

func TestFI11FaultsOverSockets(t *testing.T) {
	issuer, err := jwtbearertest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer issuer.Close()
	for _, test := range []struct {
		name  string
		fault jwtbearertest.Fault
		want  string
	}{
		{"down", jwtbearertest.Down(), "broken"},
		{"cut", jwtbearertest.CutBody(), "broken in body"},
		{"500", jwtbearertest.Status(500), "500 Internal Server Error "},
		{"truncated", jwtbearertest.Truncated(), "no JSON, application/jwk-set+json"},
		{"endless", jwtbearertest.Endless(), "too much"},
		{"healed", jwtbearertest.Fault{}, "good, application/jwk-set+json"},
	} {
		issuer.SetFault(jwtbearertest.EndpointKeys, test.fault)
		if got := outcome(t, issuer); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestFaultOfOneEndpointStandsOverAll(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Status(503))
	issuer.SetFault(jwtbearertest.EndpointKeys, jwtbearertest.Status(404))
	if got := outcome(t, issuer); !strings.HasPrefix(got, "404") {
		t.Errorf("got %q, want 404", got)
	}
	issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Fault{})
	if got := outcome(t, issuer); !strings.HasPrefix(got, "good") {
		t.Errorf("got %q: healing all must heal every endpoint", got)
	}
}

func TestMisspeltEndpointPanics(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	issuer.SetFault("jwsk", jwtbearertest.Down())
}

// Without reading the body first, net/http would not notice that the client is
// gone, and Close would wait for the handler.
func TestHangingPostEndsWithItsClient(t *testing.T) {
	over := make(chan struct{})
	issuer := jwtbearertest.NewIssuer(t)
	issuer.SetFault(jwtbearertest.EndpointToken, jwtbearertest.Hang())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(over)
		issuer.ServeHTTP(w, r)
	}))
	base, end := context.WithCancel(t.Context())
	server.Config.BaseContext = func(net.Listener) context.Context { return base }
	server.Start()
	defer server.Close()
	defer end() // if all else fails
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", server.URL+"/token", strings.NewReader("grant_type=x"))
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		res, err := server.Client().Do(r)
		if err == nil {
			res.Body.Close()
		}
		failed <- err
	}()
	for issuer.Requests(jwtbearertest.EndpointToken) == 0 {
		runtime.Gosched()
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the request cancelled", err)
	}
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Error("the handler still hangs")
	}
}

func TestSlowPostKeepsItsBody(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		issuer.SetFault(jwtbearertest.EndpointToken, jwtbearertest.Slow(time.Minute))
		token(t, issuer, form("grant_type", "client_credentials"))
	})
}
