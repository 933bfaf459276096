//go:build integration

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// providerFolder has the server of the root module's integration tests.
const providerFolder = "../../jwtbearer/internal/integration"

// startProvider runs the npm package oidc-provider, a certified OpenID Connect
// server, until the test ends, and returns its issuer identifier.
func startProvider(t *testing.T, config any) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(providerFolder, "node_modules", "oidc-provider")); err != nil {
		install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		install.Dir = providerFolder
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("npm ci in %s: %v\n%s", providerFolder, err, out)
		}
	}
	command := exec.Command("node", "server.mjs")
	command.Dir = providerFolder
	var stderr syncBuffer
	command.Stderr = &stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("node: %v", err)
	}
	t.Cleanup(func() {
		stdin.Close() // which ends it
		late := time.AfterFunc(patience, func() { command.Process.Kill() })
		defer late.Stop()
		command.Wait()
		if t.Failed() {
			t.Logf("oidc-provider says:\n%s", stderr.String())
		}
	})
	late := time.AfterFunc(patience, func() { command.Process.Kill() })
	defer late.Stop()
	if err := json.NewEncoder(stdin).Encode(config); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(stdout)
	line, err := out.ReadBytes('\n')
	var started struct{ Issuer string }
	if err == nil {
		err = json.Unmarshal(line, &started)
	}
	if err != nil {
		t.Fatalf("oidc-provider did not start: %v\n%s", err, stderr.String())
	}
	go io.Copy(io.Discard, out)
	return started.Issuer
}

// freeAddress returns a loopback address that nobody listens on: the redirect
// URI must be registered before the program runs.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// TestBrowserWithOIDCProvider is the same program, told by flags alone to be a
// client of a server that nobody here wrote, with rotation on: it has no leeway,
// and its access tokens outlive a revocation.
func TestBrowserWithOIDCProvider(t *testing.T) {
	const resource = "https://orders.example.com/"
	listen := freeAddress(t)
	issuer := startProvider(t, map[string]any{
		"clients": []map[string]any{{
			"client_id": "shop", "client_secret": "a secret: with/signs&%",
			"grant_types":               []string{"authorization_code", "refresh_token"},
			"redirect_uris":             []string{"http://" + listen + "/callback"},
			"post_logout_redirect_uris": []string{"http://" + listen + "/"},
		}},
		"resources":          map[string]any{resource: map[string]any{"scope": "api1", "accessTokenTTL": 5}},
		"rotateRefreshToken": true,
	})
	t.Setenv(secretVariable, "a secret: with/signs&%")
	address := startProgram(t, "-listen", listen, "-authority", issuer, "-client-id", "shop", "-resource", resource, "-skew", "1s")
	b := startBrowser(t)

	b.run("opening", chromedp.Navigate(address))
	b.signIn("#sign-in")
	b.until("#who", "alice")
	b.click("#call")
	b.until("#outcome", "The API answered 200")

	renewals := b.count(".entry.k-renewed")
	b.click("#wait")
	b.until("#outcome", "renewed on the way")
	b.until("#access", fmt.Sprint("A", 2+renewals))
	b.until("#entries", "was rotated")
	b.shot("provider-renewed")

	b.click("#mode input[value=on-401]")
	b.until("#outcome", "when the API refuses it")
	b.when("waiting for the end of the skew zone", "document.querySelector('#life').dataset.phase === 'dead'")
	b.click("#call-ten")
	b.until("#outcome", "10 × 200. They shared one refresh.")

	b.click("#replay")
	b.until("#outcome", "was refused with invalid_grant")
	b.click("#wait")
	b.when("waiting for the end of the session", "document.querySelector('#ended')?.checkVisibility()")
	b.shot("provider-ended-by-replay")

	b.signIn("#sign-in-again")
	b.click("#revoke")
	b.until("#outcome", "revoked at the authority")
	b.click("#wait")
	b.when("waiting for the end of the session", "document.querySelector('#ended')?.checkVisibility()")
	b.shot("provider-ended-by-revocation")

	b.signIn("#sign-in-again")
	b.click("#sign-out")
	b.until("#nobody", "Nobody is signed in")
	if url := mustEval[string](b, "location.href"); !strings.HasPrefix(url, address) {
		t.Errorf("the sign-out ended at %s", url)
	}
}
