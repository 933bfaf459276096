package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func TestReadConfig(t *testing.T) {
	tests := []struct {
		name string
		args string
		env  map[string]string
		want config
	}{
		{
			"defaults", "-authority https://id.example.com -audience api1", nil,
			config{"127.0.0.1:8080", "https://id.example.com", "api1", time.Minute, false},
		}, {
			"flags", "-addr :0 -authority http://id.test -audience api1 -clock-skew 5s -allow-http", nil,
			config{":0", "http://id.test", "api1", 5 * time.Second, true},
		}, {
			"environment", "", map[string]string{
				"API_ADDR": ":0", "API_AUTHORITY": "http://id.test", "API_AUDIENCE": "api1", "API_CLOCK_SKEW": "5s", "API_ALLOW_HTTP": "true",
			},
			config{":0", "http://id.test", "api1", 5 * time.Second, true},
		}, {
			"a flag stands over the environment", "-authority https://a.test -audience api1 -allow-http=false",
			map[string]string{"API_AUTHORITY": "https://b.test", "API_ALLOW_HTTP": "true"},
			config{"127.0.0.1:8080", "https://a.test", "api1", time.Minute, false},
		}, {
			"no skew is none", "-authority https://a.test -audience api1 -clock-skew 0", nil,
			config{"127.0.0.1:8080", "https://a.test", "api1", jwtbearer.NoClockSkew, false},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readConfig(strings.Fields(tt.args), func(k string) string { return tt.env[k] }, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Each mistake ends the program before it serves, with a message that names
// what is wrong.
func TestMistakes(t *testing.T) {
	const good = "-addr 127.0.0.1:0 -authority https://id.example.com -audience api1 "
	tests := []struct {
		name, args string
		env        map[string]string
		want       []string
	}{
		{"no authority", "-audience api1", nil, []string{"-authority", "API_AUTHORITY", "missing"}},
		{"no audience", "-authority https://id.example.com", nil, []string{"-audience", "API_AUDIENCE", "missing"}},
		{"unknown flag", good + "-skew 1m", nil, []string{"-skew"}},
		{"no duration", good + "-clock-skew 60", nil, []string{"-clock-skew", `"60"`}},
		{"negative skew", good + "-clock-skew -1ns", nil, []string{"-clock-skew", "negative"}},
		{"too much skew", good + "-clock-skew 11m", nil, []string{"ClockSkew", "11m", "10m"}},
		{"bad environment", good, map[string]string{"API_CLOCK_SKEW": "soon"}, []string{"API_CLOCK_SKEW", `"soon"`}},
		{"extra argument", good + "now", nil, []string{`"now"`}},
		{"http without -allow-http", "-authority http://id.example.com -audience api1", nil, []string{"http://id.example.com", "https"}},
		{"no URL", "-authority id.example.com -audience api1", nil, []string{"id.example.com"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A mistake that is not noticed does not keep the test waiting.
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			var out, log bytes.Buffer
			err := run(ctx, strings.Fields(tt.args), func(k string) string { return tt.env[k] }, &out, &log)
			var mistake usageError
			if !errors.As(err, &mistake) {
				t.Fatalf("got error %v, want a usageError", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %q", err, want)
				}
			}
			if out.Len() > 0 {
				t.Errorf("it listened: %s", out.String())
			}
		})
	}
}

func TestHelpNamesFlagsAndEnvironment(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-help"}, func(string) string { return "" }, &out, io.Discard)
	if !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("got error %v, want flag.ErrHelp", err)
	}
	for _, want := range []string{
		"-addr", "-authority", "-audience", "-clock-skew", "-allow-http",
		"API_ADDR", "API_AUTHORITY", "API_AUDIENCE", "API_CLOCK_SKEW", "API_ALLOW_HTTP",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help does not name %s:\n%s", want, out.String())
		}
	}
}

// service is the program, running in this process.
type service struct {
	url  string
	log  *syncBuffer
	stop func() error // ends it as SIGTERM does, and returns what run returned
}

func start(t *testing.T, authority string) service {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	log := &syncBuffer{}
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-addr", "127.0.0.1:0", "-authority", authority, "-audience", "api1", "-allow-http"},
			func(string) string { return "" }, in, log)
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	url, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !found {
		cancel()
		t.Fatalf("it printed %q and ended with %v", line, <-ended)
	}
	stop := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return service{url, log, stop}
}

func (s service) get(t *testing.T, path, token string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

func TestServe(t *testing.T) {
	issuer, err := jwtbearertest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer issuer.Close()
	s := start(t, issuer.URL())
	good := issuer.Token("api1")
	if got := s.get(t, "/orders", good).StatusCode; got != http.StatusOK {
		t.Errorf("a good token: got %d, want 200\n%s", got, s.log)
	}
	expired := issuer.Token("api1", jwtbearertest.IssuedAt(time.Now().Add(-time.Hour)), jwtbearertest.ExpiresIn(-30*time.Minute))
	if got := s.get(t, "/orders", expired).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("an expired token: got %d, want 401", got)
	}
	if got := s.get(t, "/readyz", "").StatusCode; got != http.StatusOK {
		t.Errorf("/readyz: got %d, want 200", got)
	}
	if err := s.stop(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	log := s.log.String()
	if n := strings.Count(log, "reason=expired"); n != 1 {
		t.Errorf("%d log lines have the reason of the refusal, want 1:\n%s", n, log)
	}
	for _, token := range []string{good, expired} {
		_, signature, _ := strings.Cut(token[strings.Index(token, ".")+1:], ".")
		if strings.Contains(log, signature) || strings.Contains(log, token) {
			t.Errorf("a token is in the log:\n%s", log)
		}
	}
}

// The API starts before its authority, says that it is not ready, and recovers
// by itself; when the authority goes away again, nothing changes.
func TestColdStart(t *testing.T) {
	issuer, err := jwtbearertest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer issuer.Close()
	issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down())

	s := start(t, issuer.URL())
	if got := s.get(t, "/readyz", "").StatusCode; got != http.StatusServiceUnavailable {
		t.Errorf("/readyz without keys: got %d, want 503", got)
	}
	resp := s.get(t, "/orders", issuer.Token("api1"))
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || resp.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("/orders without keys: got %d, %v; want 503 with Retry-After and without a challenge", resp.StatusCode, resp.Header)
	}

	issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Fault{})
	up := time.Now()
	for tick := time.Tick(20 * time.Millisecond); s.get(t, "/orders", issuer.Token("api1")).StatusCode != http.StatusOK; <-tick {
		if time.Since(up) > 10*time.Second {
			t.Fatalf("it did not recover within 10 s\n%s", s.log)
		}
	}
	if got := s.get(t, "/readyz", "").StatusCode; got != http.StatusOK {
		t.Errorf("/readyz with keys: got %d, want 200", got)
	}

	issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down())
	if got := s.get(t, "/orders", issuer.Token("api1")).StatusCode; got != http.StatusOK {
		t.Errorf("a new token while the authority is down: got %d, want 200", got)
	}
	if got := s.get(t, "/readyz", "").StatusCode; got != http.StatusOK {
		t.Errorf("/readyz while the authority is down: got %d, want 200", got)
	}
}

// A request that is in flight when the end comes is answered.
func TestGracefulShutdown(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := &closeNoticer{Listener: tcp, closed: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-listener.closed // the shutdown has begun
		w.WriteHeader(http.StatusTeapot)
	})
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener, handler, slog.New(slog.DiscardHandler)) }()

	resp, err := http.Get("http://" + tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTeapot {
		t.Errorf("got %d, want %d", resp.StatusCode, http.StatusTeapot)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// closeNoticer is a listener that tells when it is closed.
type closeNoticer struct {
	net.Listener
	once   sync.Once
	closed chan struct{}
}

func (c *closeNoticer) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
