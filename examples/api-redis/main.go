// Command api-redis is the API of package orders as it runs in several replicas
// that share sessions through Redis: a user who signs out, at whichever replica
// that becomes known, is refused by all of them.
//
//	redis-server --appendonly yes &
//	go run -C examples/api-redis . -redis 127.0.0.1:6379 -initialize
//	go run -C examples/api-redis . -redis 127.0.0.1:6379 -authority https://id.example.com -audience api1 -adopt
//
// -adopt records a session at its first token: nothing here creates sessions, as a
// service that signs users in would.
//
// Beside the routes of package orders:
//
//	POST   /backchannel-logout   the authority tells that a session ended
//	                             (OpenID Connect Back-Channel Logout 1.0)
//	GET    /sessions             the caller's own sessions
//	DELETE /sessions/{id}        ends a session; needs the scope sessions.revoke
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
	"github.com/bearerguard/bearerguard/jwtbearer/session/redisstore"
)

// shutdownTimeout bounds how long requests in flight may take to end.
const shutdownTimeout = 15 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "api-redis: %v\n", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It writes the address it listens on to stdout,
// and its log to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := readConfig(args, stdout)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))

	client := redis.NewClient(&redis.Options{
		Addr:                  c.redis,
		Password:              os.Getenv("REDIS_PASSWORD"),
		ContextTimeoutEnabled: true, // a request waits no longer than its context
		DialTimeout:           500 * time.Millisecond,
		DialerRetries:         1, // while Redis is away, answer 503 soon
		MaxRetries:            1,
	})
	defer client.Close()
	store, err := redisstore.New(client, &redisstore.Options{Logger: logger})
	if err != nil {
		return err
	}
	defer store.Close()
	if c.initialize {
		return store.Initialize(ctx, time.Time{})
	}

	checker, err := session.New(store, &session.Options{
		AdoptUnknown: c.adopt,
		CacheLife:    c.cacheLife,
		// Tokens of the client credentials grant have no session.
		Missing: session.SkipMissing,
		Logger:  logger,
		Sink: func(ctx context.Context, e session.SyncEvent) error {
			// Here an application writes to its database.
			logger.InfoContext(ctx, "session in use", "subject", e.Subject, "address", e.Address, "at", e.At)
			return nil
		},
	})
	if err != nil {
		return err
	}
	defer checker.Close()
	verifier, err := jwtbearer.New(c.authority, &jwtbearer.Options{
		InsecureAllowHTTP: c.allowHTTP,
		Checkers:          []jwtbearer.Checker{checker},
		Logger:            logger,
	})
	if err != nil {
		return err
	}
	defer verifier.Close()
	handler, err := routes(verifier, store, c)
	if err != nil {
		return err
	}

	listener, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "listening on http://%s\n", listener.Addr())
	return serve(ctx, listener, handler, logger)
}

// serve answers requests until ctx ends, then lets those in flight finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    128 << 10, // a token may have 64 KiB
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return errors.Join(fmt.Errorf("requests were cut off: %w", err), server.Close())
	}
	return nil
}
