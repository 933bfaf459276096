package jwtbearer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestFaults is what an API answers while its authority is at fault: the first
// request after the start (cold), a token of a key that is held (warm), a token
// of a key that the authority has just introduced (rotation), and a token that
// is bad whatever the keys are. Nothing takes longer than its bound, nothing is
// a 401 but what is the token's fault, and all is well once the fault is over.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		fault                jwtbearertest.Fault
		cold, warm, rotation int
	}{
		{"none", jwtbearertest.Fault{}, 200, 200, 200},
		{"slow", jwtbearertest.Slow(time.Second), 200, 200, 200},
		{"very slow", jwtbearertest.Slow(time.Minute), 503, 200, 503},
		{"down", jwtbearertest.Down(), 503, 200, 503},
		{"hanging", jwtbearertest.Hang(), 503, 200, 503},
		{"hanging in the body", jwtbearertest.HangInBody(), 503, 200, 503},
		{"cut in the body", jwtbearertest.CutBody(), 503, 200, 503},
		{"500", jwtbearertest.Status(500), 503, 200, 503},
		{"403", jwtbearertest.Status(403), 503, 200, 503},
		{"404", jwtbearertest.Status(404), 503, 200, 503},
		{"204", jwtbearertest.Status(204), 503, 200, 503},
		{"HTML page", jwtbearertest.HTML(), 503, 200, 503},
		{"truncated", jwtbearertest.Truncated(), 503, 200, 503},
		{"oversized", jwtbearertest.Oversized(8 << 20), 503, 200, 503},
		{"endless", jwtbearertest.Endless(), 503, 200, 503},
		{"redirect to nowhere", jwtbearertest.RedirectTo("https://elsewhere.test/"), 503, 200, 503},
		{"redirect to http", jwtbearertest.RedirectTo("http://issuer.test/"), 503, 200, 503},
		{"another content type", jwtbearertest.ContentType("text/plain"), 200, 200, 200},
		{"no keys", jwtbearertest.Respond(200, "application/json", `{"keys":[]}`), 503, 200, 503},
		{"null", jwtbearertest.Respond(200, "application/json", `null`), 503, 200, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				check := func(moment string, h http.Handler, token string, want int) {
					t.Helper()
					start := time.Now()
					w := get(t, h, token)
					if w.Code != want {
						t.Errorf("%s: got %d %s, want %d", moment, w.Code, w.Body, want)
					}
					if took := time.Since(start); took > 5*time.Second {
						t.Errorf("%s: took %v", moment, took)
					}
					if (w.Code == 503) != (w.Header().Get("Retry-After") != "") {
						t.Errorf("%s: %d with Retry-After %q", moment, w.Code, w.Header().Get("Retry-After"))
					}
				}
				issuer := jwtbearertest.NewIssuer(t)
				issuer.SetFault(jwtbearertest.EndpointAll, tt.fault)
				cold := issuer.Verifier(t, nil).Require("api1")(hello)
				check("cold", cold, issuer.Token("api1"), tt.cold)
				check("cold, bad token", cold, issuer.Token("api2"), 401)

				issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Fault{})
				v := issuer.Verifier(t, nil)
				h := v.Require("api1")(hello)
				if err := v.WaitReady(t.Context()); err != nil {
					t.Fatal(err)
				}
				issuer.SetFault(jwtbearertest.EndpointAll, tt.fault)
				check("warm", h, issuer.Token("api1"), tt.warm)
				check("warm, bad token", h, issuer.Token("api1", jwtbearertest.ForgedSignature()), 401)
				time.Sleep(20 * time.Minute) // some refreshes fail
				check("warm, later", h, issuer.Token("api1"), tt.warm)
				issuer.Rotate()
				check("rotation", h, issuer.Token("api1"), tt.rotation)

				issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Fault{})
				time.Sleep(time.Minute)
				check("recovered", h, issuer.Token("api1"), 200)
				check("recovered from cold", cold, issuer.Token("api1"), 200)
			})
		})
	}
}

// TestDisconnectHarmsNobody shows that who gives up takes nobody along.
func TestDisconnectHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Slow(time.Second))
		h := issuer.Verifier(t, nil).Require("api1")(hello)
		token := issuer.Token("api1")
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan int)
		go func() {
			r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			first <- w.Code
		}()
		synctest.Wait()
		start := time.Now()
		cancel()
		if code := <-first; code != 503 || time.Since(start) != 0 {
			t.Errorf("who gave up: got %d after %v", code, time.Since(start))
		}
		if w := get(t, h, token); w.Code != 200 {
			t.Errorf("who stayed: got %d", w.Code)
		}
	})
}
