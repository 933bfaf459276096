package jwks_test

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

// served is an authority behind TLS on loopback. Its handler can be changed.
type served struct {
	*httptest.Server
	handler atomic.Pointer[http.HandlerFunc]
	keys    atomic.Pointer[string]
}

func serve(t *testing.T) *served {
	t.Helper()
	s := &served{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := s.handler.Load(); h != nil {
			(*h)(w, r)
			return
		}
		s.fine(w, r)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *served) fine(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_, _ = io.WriteString(w, `{"issuer":"`+s.URL+`","jwks_uri":"`+s.URL+`/keys"}`)
	case "/keys":
		_, _ = io.WriteString(w, *s.keys.Load())
	default:
		http.NotFound(w, r)
	}
}

func (s *served) publish(keys ...jwk) {
	doc := document(keys...)
	s.keys.Store(&doc)
}

func (s *served) replace(h http.HandlerFunc) {
	if h == nil {
		s.handler.Store(nil)
		return
	}
	s.handler.Store(&h)
}

// TestOverSockets is the short form of the fault matrix with a real server,
// real TLS and the real http.Transport.
func TestOverSockets(t *testing.T) {
	server := serve(t)
	server.publish(ecJWK("a"))
	s, err := jwks.New(server.URL, &jwks.Options{HTTPClient: server.Client(), Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // before the server, which waits for its connections
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}

	server.publish(ecJWK("b"))
	if keys, err := s.Find(ctx, "b", "ES256"); err != nil || len(keys) != 1 {
		t.Fatalf("a rotation: got %d keys, %v", len(keys), err)
	}

	release := make(chan struct{})
	t.Cleanup(sync.OnceFunc(func() { close(release) }))
	faults := []struct {
		name string
		h    http.HandlerFunc
		want string
	}{
		{"500", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", 500) }, "500"},
		{"HTML", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "<html>") }, "not JSON"},
		{"cut off", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"keys":`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "breaks off"},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		}, "larger than"},
		{"gzip bomb", func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				t.Error("the request does not accept gzip")
			}
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(packed, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		}, "larger than"},
		{"redirect to http", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/keys", http.StatusFound)
		}, "InsecureAllowHTTP"},
		{"redirect in a circle", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, "more than 3 redirects"},
		{"connection cut", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, ""},
	}
	for _, fault := range faults {
		server.replace(fault.h)
		err := s.Refresh(ctx)
		if !errors.Is(err, jwks.ErrUnavailable) || !strings.Contains(err.Error(), fault.want) {
			t.Errorf("%s: got %v, want %q", fault.name, err, fault.want)
		}
		if keys, err := s.Find(ctx, "b", "ES256"); err != nil || len(keys) != 1 {
			t.Errorf("%s: the key in hand: got %d keys, %v", fault.name, len(keys), err)
		}
	}

	server.replace(func(w http.ResponseWriter, r *http.Request) { // hangs
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	start := time.Now()
	short, end := context.WithTimeout(ctx, 200*time.Millisecond)
	defer end()
	if _, err := s.Find(short, "c", "ES256"); !errors.Is(err, jwks.ErrUnavailable) {
		t.Errorf("hanging: got %v, want ErrUnavailable", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("hanging: it waited %v with a context of 200ms", took)
	}
	if err := s.Close(); err != nil || time.Since(start) > 5*time.Second {
		t.Errorf("Close in a fetch that hangs: %v after %v", err, time.Since(start))
	}
}

// A certificate that nobody vouches for is an outage, and the error says so.
func TestUntrustedCertificate(t *testing.T) {
	server := serve(t)
	server.publish(ecJWK("a"))
	s, err := jwks.New(server.URL, &jwks.Options{Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err = s.Find(ctx, "a", "ES256")
	var untrusted *tls.CertificateVerificationError
	if !errors.Is(err, jwks.ErrUnavailable) || !errors.As(err, &untrusted) {
		t.Errorf("got %v, want ErrUnavailable because of the certificate", err)
	}
}

// What a program does to http.DefaultTransport for some host of its own does not
// decide whose keys are believed.
func TestDefaultTransportIsNotUsed(t *testing.T) {
	before := http.DefaultTransport
	http.DefaultTransport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer func() { http.DefaultTransport = before }()
	TestUntrustedCertificate(t)
}

// The default client leaves nothing open behind.
func TestDefaultClient(t *testing.T) {
	server := httptest.NewServer(nil)
	doc := document(ecJWK("a"))
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, doc) })
	defer server.Close()
	before := runtime.NumGoroutine()
	s, err := jwks.New("any", &jwks.Options{JWKSURL: server.URL, InsecureAllowHTTP: true, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines before, %d after Close", before, runtime.NumGoroutine())
		}
	}
}
