// Command webclient signs a person in, calls an API in their name, and shows in
// the browser how the tokens behind that are renewed, rotated, replayed and
// revoked. Without flags it brings its own authority and API:
//
//	go run -C examples/webclient .
//
// The part to copy into a program is package renew. With -authority it is a
// client of another authority, and with -api of another API; see -help.
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
	"strings"
	"syscall"
	"time"

	"github.com/bearerguard/bearerguard/examples/webclient/web"
)

const shutdownTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintf(os.Stderr, "webclient: %v\n", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It writes the address to open to stdout and its log
// to stderr.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	c, err := readConfig(args, getenv, stdout)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	listener, err := net.Listen("tcp", c.listen)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	defer listener.Close()
	base := "http://" + listener.Addr().String()

	parties, err := start(&c, origin(base), logger)
	if err != nil {
		return err
	}
	defer parties.close()
	app, err := web.New(web.Config{
		BaseURL:      base,
		Authority:    parties.authority,
		ClientID:     c.clientID,
		ClientSecret: c.clientSecret,
		Scopes:       c.scopes,
		API:          parties.api,
		Resource:     c.resource,
		ClockSkew:    c.skew,
		Early:        c.early,
		Logger:       logger,
	})
	if err != nil {
		return err
	}
	defer app.Close()

	server := newServer(app, logger)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "Open %s\n", base)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	app.Close() // ends the streams of events, which Shutdown would wait for
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if server.Shutdown(ending) != nil {
		server.Close()
	}
	<-failed
	return nil
}

// origin is an address as browsers write it, and package web with them: without
// the default port.
func origin(base string) string { return strings.TrimSuffix(base, ":80") }

// newServer has no WriteTimeout: an event stream lasts, and sets a deadline for
// each of its writes.
func newServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    128 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}
