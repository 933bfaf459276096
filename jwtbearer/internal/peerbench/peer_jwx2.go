package main

import (
	"context"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

func jwx2Contender() *contender {
	return &contender{
		name:    "jwx v2",
		modules: []string{"github.com/lestrrat-go/jwx/v2"},
		open: func(ctx context.Context, issuer, jwksURL string) (*guard, error) {
			ctx, cancel := context.WithCancel(ctx)
			cache := jwk.NewCache(ctx)
			if err := cache.Register(jwksURL); err != nil {
				cancel()
				return nil, err
			}
			if _, err := cache.Refresh(ctx, jwksURL); err != nil {
				cancel()
				return nil, err
			}
			keys := jwk.NewCachedSet(cache, jwksURL)
			verify := func(ctx context.Context, raw string) (string, error) {
				token, err := jwt.ParseString(raw,
					jwt.WithContext(ctx),
					jwt.WithKeySet(keys),
					jwt.WithIssuer(issuer),
					jwt.WithAudience(audience),
					jwt.WithRequiredClaim("exp"),
					jwt.WithAcceptableSkew(time.Minute),
				)
				if err != nil {
					return "", err
				}
				list, _ := token.Get("scope")
				text, _ := list.(string)
				return token.Subject(), hasScope(text)
			}
			return &guard{verify: verify, wrap: plain(verify), subject: plainSubject, close: cancel}, nil
		},
	}
}
