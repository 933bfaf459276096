package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// TestStory plays the story on a fake clock.
func TestStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		sessions := session.NewMemory(nil)
		checker, err := session.New(sessions, &session.Options{AdoptUnknown: true})
		if err != nil {
			t.Fatal(err)
		}
		defer checker.Close()
		verifier := issuer.Verifier(t, &jwtbearer.Options{ClockSkew: jwtbearer.NoClockSkew, Checkers: []jwtbearer.Checker{checker}})
		var out strings.Builder
		s := &story{
			out: &out, api: "https://api.test", client: jwtbearertest.HandlerClient(newStreams(verifier, "api1", 500*time.Millisecond)),
			issuer: issuer, sessions: sessions,
		}
		if err := s.tell(t.Context()); err != nil {
			t.Errorf("%v\n%s", err, out.String())
		}
	})
}

// open starts a stream and returns its name, and a function that reads it to its end.
func open(t *testing.T, client *http.Client, token string) (name string, rest func() (event, data string)) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.test/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	names := make(chan string, 1)
	ends := make(chan [2]string, 1)
	go func() {
		var last [2]string
		for event, data := range readEvents(res.Body) {
			if event == "stream" {
				names <- data
			}
			last = [2]string{event, data}
		}
		ends <- last
	}()
	return <-names, func() (string, string) {
		last := <-ends
		return last[0], last[1]
	}
}

func TestStreamGoesOnWhileItsTokenIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		client := jwtbearertest.HandlerClient(newStreams(issuer.Verifier(t, &jwtbearer.Options{ClockSkew: jwtbearer.NoClockSkew}), "api1", time.Second))
		began := time.Now()
		name, rest := open(t, client, issuer.Token("api1", jwtbearertest.ExpiresIn(time.Minute)))
		for range 10 {
			time.Sleep(50 * time.Second)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.test/events/"+name+"/token", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+issuer.Token("api1", jwtbearertest.ExpiresIn(time.Minute)))
			res, err := client.Do(r)
			if err != nil || res.StatusCode != http.StatusNoContent {
				t.Fatalf("renewing: got %v, error %v", res, err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		if event, data := rest(); event != "end" || data != "expired" {
			t.Errorf("got %q %q, want end, expired", event, data)
		}
		if d := time.Since(began); d != 560*time.Second {
			t.Errorf("the stream lived %v, want 560s", d)
		}
	})
}

func TestUnknownStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		client := jwtbearertest.HandlerClient(newStreams(issuer.Verifier(t, nil), "api1", time.Second))
		for token, want := range map[string]int{issuer.Token("api1"): http.StatusNotFound, "": http.StatusUnauthorized} {
			r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://api.test/events/x/token", nil)
			if err != nil {
				t.Fatal(err)
			}
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("got %d, want %d", res.StatusCode, want)
			}
		}
	})
}
