//go:build integration && unix

// Package integration starts a real authorization server, the npm package
// oidc-provider, for tests that want one nobody here wrote. Its tests drive
// examples/api, as a process, with the tokens of that server.
//
// It needs Node.js 20 or newer and npm, and is built with -tags integration
// only.
package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	installTimeout = 3 * time.Minute
	startTimeout   = 30 * time.Second
	stopTimeout    = 5 * time.Second
)

// Config is the configuration of the server, as server.mjs explains it.
type Config struct {
	Port               int                       `json:"port,omitempty"`
	Algs               []string                  `json:"algs,omitempty"`
	Clients            []Client                  `json:"clients,omitempty"`
	Resources          map[string]Resource       `json:"resources,omitempty"`
	DefaultResource    string                    `json:"defaultResource,omitempty"`
	TTL                map[string]int            `json:"ttl,omitempty"`
	RotateRefreshToken *bool                     `json:"rotateRefreshToken,omitempty"`
	Accounts           map[string]map[string]any `json:"accounts,omitempty"`
	Account            string                    `json:"account,omitempty"`
}

// Client is the metadata of a client (OpenID Connect Dynamic Client
// Registration 1.0, Section 2), in its own names.
type Client map[string]any

// ServiceClient is a client that may ask for tokens in its own name alone.
func ServiceClient(id, secret string) Client {
	return Client{
		"client_id":      id,
		"client_secret":  secret,
		"grant_types":    []string{"client_credentials"},
		"redirect_uris":  []string{},
		"response_types": []string{},
	}
}

// Resource is an API that the server issues tokens for.
type Resource struct {
	Audience       string `json:"audience,omitempty"`
	Scope          string `json:"scope,omitempty"`
	Alg            string `json:"alg,omitempty"`
	AccessTokenTTL int    `json:"accessTokenTTL,omitempty"` // seconds
}

// Provider is a running server.
type Provider struct {
	// Issuer is its issuer identifier, an http URL on loopback.
	Issuer string
	// Port is the port it listens on.
	Port int

	stop func()
}

// Start starts a server, which ends with the test. It installs what the server
// needs when it is not there yet.
func Start(tb testing.TB, config Config) *Provider {
	tb.Helper()
	folder := install(tb)

	text, err := json.Marshal(config)
	if err != nil {
		tb.Fatalf("integration: %v", err)
	}
	command := exec.Command("node", "server.mjs")
	command.Dir = folder
	command.Stderr = &testLog{tb: tb, prefix: "oidc-provider: "}
	stdin, err := command.StdinPipe()
	if err != nil {
		tb.Fatalf("integration: %v", err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		tb.Fatalf("integration: %v", err)
	}
	if err := command.Start(); err != nil {
		tb.Fatalf("integration: Node.js 20 or newer is needed: %v", err)
	}
	p := &Provider{stop: sync.OnceFunc(func() {
		_ = stdin.Close() // it ends with its stdin
		late := time.AfterFunc(stopTimeout, func() { _ = command.Process.Kill() })
		defer late.Stop()
		_ = command.Wait()
	})}
	tb.Cleanup(p.stop)

	late := time.AfterFunc(startTimeout, func() { _ = command.Process.Kill() })
	defer late.Stop()
	if _, err := fmt.Fprintf(stdin, "%s\n", text); err != nil {
		tb.Fatalf("integration: the server is gone: %v", err)
	}
	var started struct {
		Issuer string
		Port   int
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &started)
	}
	if err != nil {
		tb.Fatalf("integration: the server did not start: %v", err)
	}
	p.Issuer, p.Port = started.Issuer, started.Port
	return p
}

// Stop ends the server before the test does.
func (p *Provider) Stop() { p.stop() }

// Token takes an access token for a resource from the token endpoint by the
// client credentials grant.
func (p *Provider) Token(tb testing.TB, client Client, resource, scope string) string {
	tb.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}}
	if scope != "" {
		form.Set("scope", scope)
	}
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, p.Issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		tb.Fatalf("integration: %v", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(client["client_id"].(string), client["client_secret"].(string))
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
	}
	p.call(tb, request, &answer)
	if answer.AccessToken == "" || !strings.EqualFold(answer.TokenType, "Bearer") {
		tb.Fatalf("integration: the token endpoint gave no bearer token")
	}
	return answer.AccessToken
}

// Rotate replaces all keys of the server. With keep, the old ones stay published
// and sign no more.
func (p *Provider) Rotate(tb testing.TB, keep bool) {
	tb.Helper()
	target := p.Issuer + "/control/rotate"
	if keep {
		target += "?keep"
	}
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, target, nil)
	if err != nil {
		tb.Fatalf("integration: %v", err)
	}
	p.call(tb, request, &struct{}{})
}

func (p *Provider) call(tb testing.TB, request *http.Request, answer any) {
	tb.Helper()
	client := &http.Client{Timeout: startTimeout}
	response, err := client.Do(request)
	if err != nil {
		tb.Fatalf("integration: %v", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		tb.Fatalf("integration: %v", err)
	}
	if response.StatusCode != http.StatusOK {
		tb.Fatalf("integration: %s %s: got %s: %s", request.Method, request.URL, response.Status, body)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		tb.Fatalf("integration: %v", err)
	}
}

// install runs npm ci unless that was done for this very lock file, and returns
// the folder of the server.
func install(tb testing.TB) string {
	tb.Helper()
	_, source, _, ok := runtime.Caller(0)
	if !ok {
		tb.Fatal("integration: this file is nowhere")
	}
	folder := filepath.Dir(source)

	// Tests of several packages run as several processes.
	lock, err := os.Open(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		tb.Fatalf("integration: %v", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		tb.Fatalf("integration: %v", err)
	}
	wanted, err := io.ReadAll(lock)
	if err != nil {
		tb.Fatalf("integration: %v", err)
	}
	stamp := filepath.Join(folder, "node_modules", ".installed-from")
	if installed, err := os.ReadFile(stamp); err == nil && bytes.Equal(installed, wanted) {
		return folder
	}
	ctx, cancel := context.WithTimeout(tb.Context(), installTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		tb.Fatalf("integration: npm ci: %v\n%s", err, output)
	}
	if err := os.WriteFile(stamp, wanted, 0o644); err != nil {
		tb.Fatalf("integration: %v", err)
	}
	return folder
}

// testLog writes whole lines to the log of a test.
type testLog struct {
	tb     testing.TB
	prefix string
	mu     sync.Mutex
	rest   []byte
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.tb.Logf("%s%s", l.prefix, line)
		l.rest = rest
	}
}
