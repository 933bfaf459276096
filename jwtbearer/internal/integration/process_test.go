//go:build integration && unix

package integration

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// api is a process of examples/api.
type api struct {
	base string // its address, http://127.0.0.1:port
}

// buildAPI compiles examples/api and returns the program.
func buildAPI(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "api")
	command := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/bearerguard/bearerguard/examples/api")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	return program
}

// startAPI starts the program, which ends with the test.
func startAPI(t *testing.T, program string, arguments ...string) *api {
	t.Helper()
	command := exec.Command(program, append([]string{"-addr", "127.0.0.1:0"}, arguments...)...)
	command.Stderr = &testLog{tb: t, prefix: "api: "}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sync.OnceFunc(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(stopTimeout, func() {
			t.Error("the api did not end when it was told to")
			_ = command.Process.Kill()
		})
		err := command.Wait()
		if late.Stop() && err != nil {
			t.Errorf("the api ended with %v", err)
		}
	}))

	late := time.AfterFunc(startTimeout, func() { _ = command.Process.Kill() })
	defer late.Stop()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the api did not start: %v", err)
	}
	base, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !found {
		t.Fatalf("the api said %q", line)
	}
	return &api{base: base}
}

// answer is what the api answered.
type answer struct {
	status     int
	challenge  string
	retryAfter string
	body       string
}

// has reports whether the status is the wanted one and the challenge has each
// of the parts.
func (a answer) has(status int, challenge ...string) bool {
	for _, part := range challenge {
		if !strings.Contains(a.challenge, part) {
			return false
		}
	}
	return a.status == status
}

// call sends a request with a token, or without if it is empty.
func (a *api) call(t *testing.T, method, path, token string) answer {
	t.Helper()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(`{"item": "tea"}`)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, a.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Timeout: startTimeout}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" && strings.Contains(string(text), token) {
		t.Errorf("%s %s: the body holds the token", method, path)
	}
	return answer{
		status:     response.StatusCode,
		challenge:  response.Header.Get("WWW-Authenticate"),
		retryAfter: response.Header.Get("Retry-After"),
		body:       string(text),
	}
}

// waitReady waits until the api has keys, at most limit.
func (a *api) waitReady(t *testing.T, limit time.Duration) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for a.call(t, http.MethodGet, "/readyz", "").status != http.StatusOK {
		if time.Now().After(deadline) {
			t.Fatalf("the api was not ready after %v", limit)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// listed decodes the body of GET /orders.
func (a answer) listed(t *testing.T) (page struct {
	Sub   string
	Scope string
	Exp   int64
}) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &page); err != nil {
		t.Errorf("body %q: %v", a.body, err)
	}
	return page
}

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
