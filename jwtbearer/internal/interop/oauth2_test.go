package interop_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestOAuth2AndGoOIDC lets the two libraries that most Go web clients are built
// on do everything from discovery to the refresh.
func TestOAuth2AndGoOIDC(t *testing.T) {
	for _, alg := range []string{"RS256", "PS384", "ES256", "ES512", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			issuer := start(t, alg)
			ctx := t.Context()

			provider, err := oidc.NewProvider(ctx, issuer.URL())
			if err != nil {
				t.Fatalf("discovery: %v", err)
			}
			config := &oauth2.Config{
				ClientID:     jwtbearertest.DefaultClientID,
				ClientSecret: jwtbearertest.DefaultClientSecret,
				Endpoint:     provider.Endpoint(),
				RedirectURL:  redirectURI,
				Scopes:       []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess},
			}
			verifier := provider.Verifier(&oidc.Config{ClientID: config.ClientID})

			const nonce = "the nonce"
			secret := oauth2.GenerateVerifier()
			location := visit(t, config.AuthCodeURL("the state", oauth2.S256ChallengeOption(secret), oidc.Nonce(nonce)))
			if got := location.Query().Get("state"); got != "the state" {
				t.Errorf("state: got %q", got)
			}
			if got := location.Query().Get("iss"); got != issuer.URL() {
				t.Errorf("iss (RFC 9207): got %q, want %q", got, issuer.URL())
			}
			code := location.Query().Get("code")
			token, err := config.Exchange(ctx, code, oauth2.VerifierOption(secret))
			if err != nil {
				t.Fatalf("code: %v", err)
			}

			identity := verify(t, verifier, token)
			if identity.Nonce != nonce || identity.Subject == "" {
				t.Errorf("identity token: got nonce %q, subject %q", identity.Nonce, identity.Subject)
			}
			if err := identity.VerifyAccessToken(token.AccessToken); err != nil {
				t.Errorf("at_hash: %v", err)
			}
			checked := checkAccepted(t, issuer, token.AccessToken)
			if checked.Subject() != identity.Subject || checked.Algorithm() != alg {
				t.Errorf("access token: got subject %q, algorithm %s, want %q, %s", checked.Subject(), checked.Algorithm(), identity.Subject, alg)
			}

			info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
			if err != nil {
				t.Fatalf("userinfo: %v", err)
			}
			var profile struct {
				Name string `json:"name"`
			}
			if err := info.Claims(&profile); err != nil {
				t.Fatalf("userinfo: %v", err)
			}
			if info.Subject != identity.Subject || info.Email == "" || profile.Name == "" {
				t.Errorf("userinfo: got %+v, %+v", info, profile)
			}

			// New keys must be found by the client as well.
			issuer.RotateHard()
			refreshed, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
			if err != nil {
				t.Fatalf("refresh: %v", err)
			}
			if refreshed.AccessToken == token.AccessToken || refreshed.RefreshToken == token.RefreshToken {
				t.Error("refresh: got an old token, want new ones")
			}
			if again := verify(t, verifier, refreshed); again.Subject != identity.Subject {
				t.Errorf("refresh: got an identity token for %q, want %q", again.Subject, identity.Subject)
			}
			checkAccepted(t, issuer, refreshed.AccessToken)

			// What is refused is refused in the words that the libraries understand.
			if _, err := config.Exchange(ctx, code, oauth2.VerifierOption(secret)); !isCode(err, "invalid_grant") {
				t.Errorf("a code used twice: got %v, want invalid_grant", err)
			}
			wrong := *config
			wrong.ClientSecret = "wrong"
			if _, err := wrong.TokenSource(ctx, &oauth2.Token{RefreshToken: "x"}).Token(); !isCode(err, "invalid_client") {
				t.Errorf("a wrong secret: got %v, want invalid_client", err)
			}
		})
	}
}

// TestCodeNeedsItsVerifier differs from the accepted exchange in the verifier.
func TestCodeNeedsItsVerifier(t *testing.T) {
	issuer := start(t, "")
	provider, err := oidc.NewProvider(t.Context(), issuer.URL())
	if err != nil {
		t.Fatal(err)
	}
	config := &oauth2.Config{
		ClientID:     jwtbearertest.DefaultClientID,
		ClientSecret: jwtbearertest.DefaultClientSecret,
		Endpoint:     provider.Endpoint(),
		RedirectURL:  redirectURI,
		Scopes:       []string{oidc.ScopeOpenID},
	}
	location := visit(t, config.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	_, err = config.Exchange(t.Context(), location.Query().Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier()))
	if !isCode(err, "invalid_grant") {
		t.Errorf("got %v, want invalid_grant", err)
	}
}

func TestClientCredentials(t *testing.T) {
	issuer := start(t, "")
	provider, err := oidc.NewProvider(t.Context(), issuer.URL())
	if err != nil {
		t.Fatal(err)
	}
	for name, style := range map[string]oauth2.AuthStyle{"basic": oauth2.AuthStyleInHeader, "post": oauth2.AuthStyleInParams} {
		t.Run(name, func(t *testing.T) {
			config := &clientcredentials.Config{
				ClientID:       jwtbearertest.DefaultClientID,
				ClientSecret:   jwtbearertest.DefaultClientSecret,
				TokenURL:       provider.Endpoint().TokenURL,
				Scopes:         []string{"orders.read", "orders.write"},
				EndpointParams: map[string][]string{"resource": {audience}},
				AuthStyle:      style,
			}
			token, err := config.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			checked := checkAccepted(t, issuer, token.AccessToken)
			if !slices.Equal(checked.Scopes(), config.Scopes) || checked.ClientID() != config.ClientID {
				t.Errorf("got scopes %q, client %q", checked.Scopes(), checked.ClientID())
			}
			if token.RefreshToken != "" {
				t.Error("got a refresh token, want none (RFC 6749, Section 4.4.3)")
			}
		})
	}
}

// verify checks the identity token that came with a token.
func verify(t *testing.T, verifier *oidc.IDTokenVerifier, token *oauth2.Token) *oidc.IDToken {
	t.Helper()
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		t.Fatal("there is no identity token")
	}
	identity, err := verifier.Verify(context.Background(), raw)
	if err != nil {
		t.Fatalf("identity token: %v", err)
	}
	return identity
}

func isCode(err error, code string) bool {
	var refused *oauth2.RetrieveError
	return errors.As(err, &refused) && refused.ErrorCode == code
}
