package main

import (
	"context"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

type golangJWTClaims struct {
	jwt.RegisteredClaims
	ClientID string   `json:"client_id"`
	Session  string   `json:"sid"`
	Scope    string   `json:"scope"`
	Roles    []string `json:"roles"`
}

func golangJWTContender() *contender {
	return &contender{
		name:    "golang-jwt + keyfunc",
		modules: []string{"github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3"},
		open: func(ctx context.Context, issuer, jwksURL string) (*guard, error) {
			ctx, cancel := context.WithCancel(ctx)
			storage, err := jwkset.NewDefaultHTTPClientCtx(ctx, []string{jwksURL})
			if err != nil {
				cancel()
				return nil, err
			}
			keys, err := keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: storage, UseWhitelist: []jwkset.USE{jwkset.UseSig}})
			if err != nil {
				cancel()
				return nil, err
			}
			parser := jwt.NewParser(
				jwt.WithValidMethods(algorithms),
				jwt.WithIssuer(issuer),
				jwt.WithAudience(audience),
				jwt.WithExpirationRequired(),
				jwt.WithIssuedAt(),
				jwt.WithLeeway(time.Minute),
				jwt.WithStrictDecoding(),
			)
			verify := func(ctx context.Context, raw string) (string, error) {
				var claims golangJWTClaims
				if _, err := parser.ParseWithClaims(raw, &claims, keys.KeyfuncCtx(ctx)); err != nil {
					return "", err
				}
				return claims.Subject, hasScope(claims.Scope)
			}
			return &guard{verify: verify, wrap: plain(verify), subject: plainSubject, close: cancel}, nil
		},
	}
}
