package main

import (
	"context"
	"net/url"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	"github.com/auth0/go-jwt-middleware/v3/jwks"
	"github.com/auth0/go-jwt-middleware/v3/validator"
)

type auth0Claims struct{ ownClaims }

// Validate is the library's place for what a caller requires.
func (c *auth0Claims) Validate(context.Context) error { return hasScope(c.Scope) }

func auth0Contender() *contender {
	return &contender{
		name:    "auth0/go-jwt-middleware",
		modules: []string{"github.com/auth0/go-jwt-middleware/v3"},
		open: func(_ context.Context, issuer, jwksURL string) (*guard, error) {
			issuerURL, err := url.Parse(issuer)
			if err != nil {
				return nil, err
			}
			keys, err := jwks.NewCachingProvider(jwks.WithIssuerURL(issuerURL), jwks.WithStrictJWKSURIOrigin())
			if err != nil {
				return nil, err
			}
			accepted := make([]validator.SignatureAlgorithm, len(algorithms))
			for i, alg := range algorithms {
				accepted[i] = validator.SignatureAlgorithm(alg)
			}
			v, err := validator.New(
				validator.WithKeyFunc(keys.KeyFunc),
				validator.WithAlgorithms(accepted),
				validator.WithIssuer(issuer),
				validator.WithAudience(audience),
				validator.WithAllowedClockSkew(time.Minute),
				validator.WithCustomClaims(func() *auth0Claims { return new(auth0Claims) }),
			)
			if err != nil {
				return nil, err
			}
			middleware, err := jwtmiddleware.New(jwtmiddleware.WithValidator(v))
			if err != nil {
				return nil, err
			}
			return &guard{
				verify: func(ctx context.Context, raw string) (string, error) {
					claims, err := v.ValidateToken(ctx, raw)
					if err != nil {
						return "", err
					}
					return claims.(*validator.ValidatedClaims).RegisteredClaims.Subject, nil
				},
				wrap: middleware.CheckJWT,
				subject: func(ctx context.Context) string {
					claims, err := jwtmiddleware.GetClaims[*validator.ValidatedClaims](ctx)
					if err != nil {
						return ""
					}
					return claims.RegisteredClaims.Subject
				},
				close: func() {},
			}, nil
		},
	}
}
