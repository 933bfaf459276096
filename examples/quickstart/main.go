// Command quickstart shows what the library does, without a network and
// without an account anywhere: it starts an authority (the fake one of
// jwtbearertest) and an API that trusts it, both on this machine, sends the API
// good tokens and bad ones over HTTP, and prints what came back.
//
//	go run ./examples/quickstart           plays the story
//	go run ./examples/quickstart -serve    also keeps both running, for curl
//
// It exits with status 0 only if every answer is the expected one.
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

	"github.com/bearerguard/bearerguard/examples/api/orders"
	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// errDiffers: the story was told in full above, so no more needs saying.
var errDiffers = errors.New("an answer differs from what was expected")

func main() {
	serve := flag.Bool("serve", false, "keep authority and API running, and print curl lines")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, table{os.Stdout, wantsColour(os.Stdout, os.Getenv)}, os.Stderr, *serve)
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run plays the story, and with serve waits for the end of ctx.
func run(ctx context.Context, t table, stderr io.Writer, serve bool) error {
	// The refusals of the story are in the table; those of -serve are logged.
	var level slog.LevelVar
	level.Set(slog.LevelError + 1)
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: &level}))

	issuer, err := jwtbearertest.Start(nil)
	if err != nil {
		return err
	}
	defer issuer.Close()
	verifier, err := jwtbearer.New(issuer.URL(), &jwtbearer.Options{
		InsecureAllowHTTP: true, // the authority of this example is on loopback
		Logger:            logger,
		Events: &jwtbearer.Events{Refused: func(ctx context.Context, _ *http.Request, refused *jwtbearer.Error) {
			logger.InfoContext(ctx, "refused", "reason", refused.Reason.String(), "detail", refused.Detail)
		}},
	})
	if err != nil {
		return err
	}
	defer verifier.Close()
	api, err := orders.New(verifier, audience)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: api, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends by Close, with an error that says so
	defer server.Close()
	url := "http://" + listener.Addr().String() + "/orders"

	fmt.Fprintf(t.out, "\n  The authority  %s\n  The API        %s   for audience %s, clock skew 1 minute\n\n", issuer.URL(), url, audience)
	t.head()
	results := play(ctx, &http.Client{Timeout: 10 * time.Second}, url, issuer, t.row)
	if !t.sum(results) {
		return errDiffers
	}
	if !serve {
		fmt.Fprint(t.out, "  To try it by hand: go run ./examples/quickstart -serve\n\n")
		return nil
	}
	level.Set(slog.LevelInfo)
	printCurl(t, url, issuer)
	<-ctx.Done()
	return nil
}
