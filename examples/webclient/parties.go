package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/bearerguard/bearerguard/examples/api/orders"
	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// parties are the two that a web client needs: an authority and an API. Each is
// in this process unless a flag names another.
type parties struct {
	authority string // its issuer identifier
	api       string // the address to call
	ends      []func()
}

// close ends what start began, in reverse order.
func (p *parties) close() {
	for i := len(p.ends) - 1; i >= 0; i-- {
		p.ends[i]()
	}
}

func start(c *config, base string, logger *slog.Logger) (_ *parties, err error) {
	p := &parties{authority: c.authority, api: c.api}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	var checkers []jwtbearer.Checker
	if p.authority == "" {
		issuer, err := startIssuer(c, base, logger)
		if err != nil {
			return nil, err
		}
		p.ends = append(p.ends, issuer.Close)
		p.authority = issuer.URL()
		checkers = append(checkers, liveSessions{issuer})
	}
	if p.api == "" {
		if err := p.startAPI(c, checkers, logger); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// startIssuer starts the fake issuer with this program as its client.
func startIssuer(c *config, base string, logger *slog.Logger) (*jwtbearertest.Issuer, error) {
	// Both ends are in this process, so nobody needs to know it.
	c.clientSecret = cmp.Or(c.clientSecret, rand.Text())
	leeway := c.leeway
	if leeway == 0 {
		leeway = jwtbearertest.NoReuseLeeway
	}
	return jwtbearertest.Start(&jwtbearertest.Options{
		Lifetimes: jwtbearertest.Lifetimes{AccessToken: c.lifetime},
		Clients: []*jwtbearertest.Client{{
			ID:                     c.clientID,
			Secret:                 c.clientSecret,
			RedirectURIs:           []string{base + "/callback"},
			PostLogoutRedirectURIs: []string{base + "/"},
			ReuseLeeway:            leeway,
		}},
		APIs:                  []jwtbearertest.API{{Audience: c.audience, Scopes: []string{"api1"}}},
		SignInPage:            true,
		RevocationEndsSession: true,
		Logger:                logger,
	})
}

// startAPI serves the orders API, protected for the authority.
func (p *parties) startAPI(c *config, checkers []jwtbearer.Checker, logger *slog.Logger) error {
	verifier, err := jwtbearer.New(p.authority, &jwtbearer.Options{
		ClockSkew:         c.verifierSkew(),
		InsecureAllowHTTP: strings.HasPrefix(p.authority, "http://127.0.0.1:") || strings.HasPrefix(p.authority, "http://[::1]:"),
		Checkers:          checkers,
		Logger:            logger,
	})
	if err != nil {
		return err
	}
	p.ends = append(p.ends, func() { verifier.Close() })
	handler, err := orders.New(verifier, c.audience)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("the API: %w", err)
	}
	server, done := newServer(handler, logger), make(chan struct{})
	go func() { defer close(done); server.Serve(listener) }()
	p.ends = append(p.ends, func() { server.Close(); <-done })
	p.api = "http://" + listener.Addr().String() + "/orders"
	return nil
}

// liveSessions is how our API learns that a session has ended although its
// access token lives on. With an authority of one's own, package session has
// the store for it.
type liveSessions struct{ issuer *jwtbearertest.Issuer }

// CheckToken implements [jwtbearer.Checker].
func (s liveSessions) CheckToken(_ context.Context, token *jwtbearer.Token, _ *http.Request) error {
	if id := token.SessionID(); id != "" && !s.issuer.HasSession(id) {
		return jwtbearer.ErrSessionEnded
	}
	return nil
}
