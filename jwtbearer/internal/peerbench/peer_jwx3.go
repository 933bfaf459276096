package main

import (
	"context"
	"time"

	"github.com/lestrrat-go/httprc/v3"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

func jwx3Contender() *contender {
	return &contender{
		name:    "jwx v3",
		modules: []string{"github.com/lestrrat-go/jwx/v3"},
		open: func(ctx context.Context, issuer, jwksURL string) (*guard, error) {
			ctx, cancel := context.WithCancel(ctx)
			cache, err := jwk.NewCache(ctx, httprc.NewClient())
			if err != nil {
				cancel()
				return nil, err
			}
			if err := cache.Register(ctx, jwksURL); err != nil {
				cancel()
				return nil, err
			}
			keys, err := cache.CachedSet(jwksURL)
			if err != nil {
				cancel()
				return nil, err
			}
			verify := func(ctx context.Context, raw string) (string, error) {
				token, err := jwt.ParseString(raw,
					jwt.WithContext(ctx),
					jwt.WithKeySet(keys),
					jwt.WithIssuer(issuer),
					jwt.WithAudience(audience),
					jwt.WithRequiredClaim("exp"),
					jwt.WithAcceptableSkew(time.Minute),
					jwt.WithStrictStringClaims(true),
				)
				if err != nil {
					return "", err
				}
				var text string
				if err := token.Get("scope", &text); err != nil {
					return "", err
				}
				subject, _ := token.Subject()
				return subject, hasScope(text)
			}
			return &guard{verify: verify, wrap: plain(verify), subject: plainSubject, close: cancel}, nil
		},
	}
}
