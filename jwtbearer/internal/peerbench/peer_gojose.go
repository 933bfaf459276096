package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// ownClaims are those beside the registered ones.
type ownClaims struct {
	ClientID string   `json:"client_id"`
	Session  string   `json:"sid"`
	Scope    string   `json:"scope"`
	Roles    []string `json:"roles"`
}

func goJOSEContender() *contender {
	return &contender{
		name:    "go-jose",
		modules: []string{"github.com/go-jose/go-jose/v4"},
		static:  true,
		open: func(ctx context.Context, issuer, jwksURL string) (*guard, error) {
			var keys jose.JSONWebKeySet
			if err := fetchJSON(ctx, jwksURL, &keys); err != nil {
				return nil, err
			}
			accepted := make([]jose.SignatureAlgorithm, len(algorithms))
			for i, alg := range algorithms {
				accepted[i] = jose.SignatureAlgorithm(alg)
			}
			verify := func(_ context.Context, raw string) (string, error) {
				token, err := jwt.ParseSigned(raw, accepted)
				if err != nil {
					return "", err
				}
				var claims jwt.Claims
				var own ownClaims
				if err := token.Claims(keys, &claims, &own); err != nil {
					return "", err
				}
				expected := jwt.Expected{Issuer: issuer, AnyAudience: jwt.Audience{audience}}
				if err := claims.ValidateWithLeeway(expected, time.Minute); err != nil {
					return "", err
				}
				return claims.Subject, hasScope(own.Scope)
			}
			return &guard{verify: verify, wrap: plain(verify), subject: plainSubject, close: func() {}}, nil
		},
	}
}

func fetchJSON(ctx context.Context, url string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(v)
}
