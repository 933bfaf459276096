package jwtbearer_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestIdleGoroutines: an authority keeps one goroutine at most while nothing
// happens, after tokens were checked and keys refreshed as well as before, and
// none once its verifier is closed.
func TestIdleGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		issuers := make([]*jwtbearertest.Issuer, n)
		for i := range issuers {
			issuers[i] = jwtbearertest.NewIssuer(t, &jwtbearertest.Options{
				URL: fmt.Sprintf("https://t%d.test", i), Algorithms: []string{"EdDSA"}})
		}
		synctest.Wait()
		before := bubbled(t)
		idle := func(when string, most int) {
			t.Helper()
			synctest.Wait()
			if got := bubbled(t) - before; got > most {
				t.Errorf("%s: got %d goroutines of %d authorities, want %d at most", when, got, n, most)
			}
		}

		verifiers := make([]*jwtbearer.Verifier, n)
		for i, issuer := range issuers {
			verifiers[i] = issuer.Verifier(t, nil)
		}
		for _, v := range verifiers {
			if err := v.WaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		idle("after the keys were read", n)

		for i, v := range verifiers {
			p, err := v.Policy("api1")
			if err != nil {
				t.Fatal(err)
			}
			token := issuers[i].Token("api1")
			for range 2 { // cold and warm
				if _, err := p.Verify(t.Context(), token); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := p.Verify(t.Context(), issuers[i].Token("api1", jwtbearertest.Header("kid", "unknown"))); err == nil {
				t.Fatal("a token with an unknown key passed")
			}
		}
		idle("after tokens were checked", n)

		fetches := issuers[0].Requests(jwtbearertest.EndpointKeys)
		time.Sleep(time.Hour)
		if issuers[0].Requests(jwtbearertest.EndpointKeys) == fetches {
			t.Error("the keys were not refreshed within an hour")
		}
		idle("after refreshes", n)

		for _, v := range verifiers {
			v.Close()
		}
		idle("after Close", 0)
	})
}

// bubbled counts the goroutines of the bubble: the process has others, which come
// and go.
func bubbled(t *testing.T) int {
	t.Helper()
	stacks := make([]byte, 4<<20)
	own, _, _ := strings.Cut(string(stacks[:runtime.Stack(stacks, false)]), "\n")
	_, bubble, ok := strings.Cut(own, "synctest bubble ")
	if !ok {
		t.Fatalf("no bubble in %q", own)
	}
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "synctest bubble "+bubble)
}
