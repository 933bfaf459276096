package main

import (
	"context"

	"github.com/coreos/go-oidc/v3/oidc"
)

func goOIDCContender() *contender {
	return &contender{
		name:    "go-oidc",
		modules: []string{"github.com/coreos/go-oidc/v3"},
		open: func(ctx context.Context, issuer, jwksURL string) (*guard, error) {
			verifier := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(ctx, jwksURL), &oidc.Config{
				ClientID:             audience,
				SupportedSigningAlgs: algorithms,
			})
			verify := func(ctx context.Context, raw string) (string, error) {
				token, err := verifier.Verify(ctx, raw)
				if err != nil {
					return "", err
				}
				var own ownClaims
				if err := token.Claims(&own); err != nil {
					return "", err
				}
				return token.Subject, hasScope(own.Scope)
			}
			return &guard{verify: verify, wrap: plain(verify), subject: plainSubject, close: func() {}}, nil
		},
	}
}
