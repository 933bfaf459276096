// Command sse shows what becomes of requests that outlive their token. It starts
// an authority (the fake one of jwtbearertest) and an API of server-sent events
// on this machine, opens four streams with tokens that live four seconds, and
// prints when and why each of them ends.
//
//	go run ./examples/sse
//
// It exits with status 0 only if every stream ends as it should.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sse:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	silent := slog.New(slog.DiscardHandler) // what is refused is in the story
	issuer, err := jwtbearertest.Start(&jwtbearertest.Options{Logger: silent})
	if err != nil {
		return err
	}
	defer issuer.Close()
	sessions := session.NewMemory(nil)
	checker, err := session.New(sessions, &session.Options{AdoptUnknown: true, Logger: silent})
	if err != nil {
		return err
	}
	defer checker.Close()
	verifier, err := jwtbearer.New(issuer.URL(), &jwtbearer.Options{
		InsecureAllowHTTP: true,                  // the authority of this example is on loopback
		ClockSkew:         jwtbearer.NoClockSkew, // and its clock is ours
		Checkers:          []jwtbearer.Checker{checker},
		Logger:            silent,
	})
	if err != nil {
		return err
	}
	defer verifier.Close()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// No WriteTimeout: a stream has none, each of its events has.
	server := &http.Server{Handler: newStreams(verifier, "api1", 500*time.Millisecond), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	s := &story{
		out: out, api: "http://" + listener.Addr().String(), client: &http.Client{},
		issuer: issuer, sessions: sessions,
	}
	told := s.tell(ctx)
	closed := server.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return errors.Join(told, closed)
}
