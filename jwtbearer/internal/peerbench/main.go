// Command peerbench measures bearerguard beside the libraries that Go programs
// check bearer tokens with today: same tokens, same process, one table.
//
//	go run -C jwtbearer/internal/peerbench . -out table.md -svg chart.svg
//
// It takes about seven minutes; with -short, which is for trying it, one.
// It serves and fetches on loopback only. Files are named relative to the
// directory of this module when it is run with -C.
//
// A comparison counts only between things that do the same, so the command
// also probes which bad tokens each library accepts and prints that table
// beside the speeds. It exits with 1 if bearerguard accepts one.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/peerbench/machine"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peerbench:", err)
		os.Exit(1)
	}
}

// parts are what a run consists of, in order.
var parts = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"probes", (*bench).probe},
	{"first", (*bench).firstSeen},
	{"repeated", (*bench).repeatedToken},
	{"server", (*bench).wholeServer},
	{"keys", (*bench).keySetSizes},
	{"flood", (*bench).unknownKeys},
	{"authorities", (*bench).manyAuthorities},
	{"memory", (*bench).tokenMemory},
}

func run(ctx context.Context) error {
	var (
		out     = flag.String("out", "", "write the tables to this `file`, not to standard output")
		svg     = flag.String("svg", "", "draw the chart into this `file`")
		short   = flag.Bool("short", false, "few rounds: to try the command, not to quote it")
		only    = flag.String("parts", "", "run these `parts` alone, comma-separated: probes,first,repeated,server,keys,flood,authorities,memory")
		names   = flag.String("libraries", "", "compare these `libraries` alone, comma-separated")
		serve   = flag.String("serve", "", "internal: be the server's process of this library")
		issuer  = flag.String("issuer", "", "internal: the issuer for -serve")
		jwksURL = flag.String("jwks", "", "internal: the key set for -serve")
	)
	flag.Parse()
	// What a library logs about bad tokens would drown the tables.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if *serve != "" {
		return child(ctx, *serve, *issuer, *jwksURL)
	}

	field := contenders()
	if *names != "" {
		field = slices.DeleteFunc(field, func(c *contender) bool { return !slices.Contains(strings.Split(*names, ","), c.name) })
	}
	p := fullPlan
	if *short {
		p = shortPlan
	}
	load := machine.Load()
	b, err := newBench(p, field, os.Stderr)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := b.admit(ctx); err != nil {
		return err
	}
	for _, part := range parts {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), part.name) {
			continue
		}
		if err := part.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.say("done")

	command := "go run -C jwtbearer/internal/peerbench . " + strings.Join(os.Args[1:], " ")
	var page bytes.Buffer
	if err := b.report(&page, strings.TrimSpace(command), load); err != nil {
		return err
	}
	if err := write(*out, page.Bytes()); err != nil {
		return err
	}
	if *svg != "" {
		caption := fmt.Sprintf("RS256, %s; %s", machine.Name(), b.started.Format(time.DateOnly))
		if err := b.chart(*svg, caption); err != nil {
			return err
		}
	}
	return b.verdict()
}

func write(file string, data []byte) error {
	if file != "" {
		return os.WriteFile(file, data, 0o644)
	}
	_, err := io.Copy(os.Stdout, bytes.NewReader(data))
	return err
}

// verdict is an error if we accept a token that must be refused.
func (b *bench) verdict() error {
	for _, r := range b.active() {
		if !r.ours {
			continue
		}
		for _, name := range b.probed {
			if r.probes[name] == accepted {
				return fmt.Errorf("%s accepts: %s", r.name, name)
			}
		}
		if r.flood != nil && r.flood.accepted > 0 {
			return fmt.Errorf("%s accepted %d tokens of the flood", r.name, r.flood.accepted)
		}
	}
	return nil
}
