package main

import (
	"context"
	"net/http"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

type zitadelClaims struct {
	oidc.TokenClaims
	Session string   `json:"sid"`
	Scope   string   `json:"scope"`
	Roles   []string `json:"roles"`
}

func zitadelContender() *contender {
	return &contender{
		name:    "zitadel/oidc",
		modules: []string{"github.com/zitadel/oidc/v3"},
		open: func(_ context.Context, issuer, jwksURL string) (*guard, error) {
			keys := rp.NewRemoteKeySet(&http.Client{Timeout: 30 * time.Second}, jwksURL)
			verifier := op.NewAccessTokenVerifier(issuer, keys, op.WithSupportedAccessTokenSigningAlgorithms(algorithms...))
			verify := func(ctx context.Context, raw string) (string, error) {
				claims, err := op.VerifyAccessToken[*zitadelClaims](ctx, raw, verifier)
				if err != nil {
					return "", err
				}
				if err := oidc.CheckAudience(claims, audience); err != nil {
					return "", err
				}
				return claims.Subject, hasScope(claims.Scope)
			}
			return &guard{verify: verify, wrap: plain(verify), subject: plainSubject, close: func() {}}, nil
		},
	}
}
