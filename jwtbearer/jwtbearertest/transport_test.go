package jwtbearertest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func TestHandlerClientStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := jwtbearertest.HandlerClient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, event := range []string{"one\n", "two\n"} {
				io.WriteString(w, event)
				http.NewResponseController(w).Flush()
				time.Sleep(time.Minute)
			}
		}))
		start := time.Now()
		res, err := client.Get("https://anything.test/")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		buf := make([]byte, 10)
		n, _ := res.Body.Read(buf)
		if got := string(buf[:n]); got != "one\n" || time.Since(start) != 0 {
			t.Errorf("got %q after %v, want the first event at once", got, time.Since(start))
		}
		rest, err := io.ReadAll(res.Body)
		if string(rest) != "two\n" || err != nil || time.Since(start) != 2*time.Minute {
			t.Errorf("got %q, %v after %v", rest, err, time.Since(start))
		}
	})
}

func TestHandlerClientPassesTheRequest(t *testing.T) {
	client := jwtbearertest.HandlerClient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != "POST" || r.Host != "a.test" || r.RequestURI != "/p?q=1" || r.Header.Get("X") != "y" || string(body) != "body" || r.TLS == nil || r.RemoteAddr == "" {
			t.Errorf("got %v with body %q", r, body)
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	r, _ := http.NewRequest("POST", "https://a.test/p?q=1", strings.NewReader("body"))
	r.Header.Set("X", "y")
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusTeapot {
		t.Errorf("got status %d", res.StatusCode)
	}
}

// Every handler below waits for its context: if it did not end, the bubble would
// report the goroutine.
func TestHandlerEndsWithTheClient(t *testing.T) {
	wait := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/started" {
			http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}
	tests := map[string]func(t *testing.T, client *http.Client){
		"the context ends before an answer": func(t *testing.T, client *http.Client) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := client.Do(request(ctx, t, "https://a.test/"))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		},
		"the client's timeout": func(t *testing.T, client *http.Client) {
			client.Timeout = time.Second
			_, err := client.Get("https://a.test/")
			var timeout interface{ Timeout() bool }
			if !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("got %v, want a timeout", err)
			}
		},
		"the context ends in the body": func(t *testing.T, client *http.Client) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			res, err := client.Do(request(ctx, t, "https://a.test/started"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(res.Body); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		},
		"the body is closed": func(t *testing.T, client *http.Client) {
			res, err := client.Get("https://a.test/started")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, jwtbearertest.HandlerClient(http.HandlerFunc(wait))) })
		})
	}
}

func TestHandlerPanicBreaksTheConnection(t *testing.T) {
	client := jwtbearertest.HandlerClient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			io.WriteString(w, "half")
		}
		panic(http.ErrAbortHandler)
	}))
	if _, err := client.Get("https://a.test/"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	res, err := client.Get("https://a.test/late")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); string(body) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestClientReachesNothingElse(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	if res, err := issuer.Client().Get("https://elsewhere.test/"); err == nil {
		res.Body.Close()
		t.Error("another host answers")
	}
	issuer.Close()
	if _, err := issuer.Client().Get(issuer.URL() + "/jwks"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed issuer: got %v, want connection refused", err)
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Hang())
		failed := make(chan error)
		go func() {
			_, err := issuer.Client().Get(issuer.URL() + "/jwks")
			failed <- err
		}()
		synctest.Wait()
		issuer.Close()
		if err := <-failed; err == nil {
			t.Error("a hanging request was answered by Close")
		}
	})
}
