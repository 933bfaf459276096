package main

import (
	"context"
	"log/slog"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

func bearerguardContender() *contender {
	return &contender{
		name:    "bearerguard",
		modules: []string{"github.com/bearerguard/bearerguard"},
		ours:    true,
		open: func(ctx context.Context, issuer, _ string) (*guard, error) {
			verifier, err := ourVerifier(ctx, issuer)
			if err != nil {
				return nil, err
			}
			return ourGuard(verifier)
		},
	}
}

// ourVerifier is ready when it is returned.
func ourVerifier(ctx context.Context, issuer string) (*jwtbearer.Verifier, error) {
	verifier, err := jwtbearer.New(issuer, &jwtbearer.Options{
		InsecureAllowHTTP: true, // the provider is on loopback
		Algorithms:        algorithms,
		Logger:            slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	if err := verifier.WaitReady(ctx); err != nil {
		verifier.Close()
		return nil, err
	}
	return verifier, nil
}

// ourGuard closes the verifier with itself, or if it fails.
func ourGuard(verifier *jwtbearer.Verifier) (*guard, error) {
	policy, err := verifier.Policy(audience, jwtbearer.Scope(scope))
	if err != nil {
		verifier.Close()
		return nil, err
	}
	return &guard{
		verify: func(ctx context.Context, raw string) (string, error) {
			token, err := policy.Verify(ctx, raw)
			if err != nil {
				return "", err
			}
			return token.Subject(), nil
		},
		wrap:    verifier.Require(audience, jwtbearer.Scope(scope)),
		subject: func(ctx context.Context) string { return jwtbearer.TokenFrom(ctx).Subject() },
		close:   func() { verifier.Close() },
	}, nil
}
