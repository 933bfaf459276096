//go:build integration

package interop_test

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestOpenIDClient runs openidclient/client.mjs, which does with the npm package
// openid-client what TestOAuth2AndGoOIDC does in Go, against the issuer.
func TestOpenIDClient(t *testing.T) {
	folder, err := filepath.Abs("openidclient")
	if err != nil {
		t.Fatal(err)
	}
	install(t, folder)
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA", "Ed25519"} {
		t.Run(alg, func(t *testing.T) {
			issuer := start(t, alg)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			command := exec.CommandContext(ctx, "node", "client.mjs", issuer.URL(), alg,
				jwtbearertest.DefaultClientID, jwtbearertest.DefaultClientSecret, audience)
			command.Dir = folder
			var problems bytes.Buffer
			command.Stderr = &problems
			token, err := command.Output()
			if err != nil {
				t.Fatalf("client.mjs: %v\n%s", err, &problems)
			}
			if got := checkAccepted(t, issuer, string(token)); got.Algorithm() != alg {
				t.Errorf("access token: got algorithm %s, want %s", got.Algorithm(), alg)
			}
		})
	}
}

// install runs npm ci. It is run each time: it takes a second, and an old folder
// can then hide nothing.
func install(t *testing.T, folder string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, output)
	}
}
