package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/peerbench/machine"
)

// A page writes Markdown and keeps the first error.
type page struct {
	w   io.Writer
	err error
}

func (p *page) print(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *page) line(cells ...string) { p.print("| %s |\n", strings.Join(cells, " | ")) }

func (p *page) head(cells ...string) {
	p.line(cells...)
	p.print("|%s\n", strings.Repeat("---|", len(cells)))
}

// report writes what the run showed.
func (b *bench) report(w io.Writer, command, load string) error {
	p := &page{w: w}
	p.print("# Beside other libraries\n\n")
	p.print("`%s`, %s, on %s; load average at the start %s.\n\n", command, b.started.Format(time.DateOnly), machine.Name(), load)
	p.print("Every figure in x is a ratio to the floor: the bare standard-library check of the signatures of the same tokens, measured just before and just after, in the same process (medians of %d rounds). ", b.plan.rounds)
	p.print("Every library is set up as its documentation says for one issuer and one audience, with every check its API offers as an option switched on and one scope required; what it leaves out all the same stands in the last table.\n\n")
	for _, r := range b.rows {
		if r.skipped != "" {
			p.print("**%s took no part:** %s\n\n", r.name, r.skipped)
		} else {
			p.print("- %s: %s\n", r.name, r.versions())
		}
	}
	p.print("\n")
	b.reportMain(p)
	b.reportRepeated(p)
	b.reportServer(p)
	b.reportKeys(p)
	b.reportFlood(p)
	b.reportAuthorities(p)
	b.reportMemory(p)
	b.reportProbes(p)
	return p.err
}

func (b *bench) reportMain(p *page) {
	if len(b.floorNS) == 0 {
		return
	}
	p.print("## In one table\n\n")
	p.print("RS256 with 2,048 bits, ES256, EdDSA; a token of twelve claims, %s bytes with RS256. Allocations are those beyond the floor's %.0f, %.0f and %.0f, bytes those beyond its %s (RS256).\n\n",
		thousands(float64(len(b.minted["RS256"][0]))), b.floorAt["RS256"].allocs, b.floorAt["ES256"].allocs, b.floorAt["EdDSA"].allocs, thousands(b.floorAt["RS256"].bytes))
	p.head("", "first-seen RS256", "ES256", "EdDSA", "allocs: RS256 / ES256 / EdDSA", "bytes", "repeated token, RS256", "allocs", "whole server, share of an unprotected one's req/s: RS256 / ES256 / EdDSA", "bad tokens accepted, of "+fmt.Sprint(len(b.probed)))
	p.line("floor", us(b.floorNS["RS256"]), us(b.floorNS["ES256"]), us(b.floorNS["EdDSA"]), "", "", "", "", "", "")
	for _, r := range b.active() {
		beyond := make([]string, len(compared))
		for i, alg := range compared {
			beyond[i] = fmt.Sprintf("+%.0f", r.firstAt[alg].allocs-b.floorAt[alg].allocs)
		}
		again := "–"
		if r.repeated["RS256"] != nil {
			again = fmt.Sprintf("%.0f", r.again["RS256"].allocs)
		}
		p.line(bold(r.ours, r.name), x(r.first["RS256"]), x(r.first["ES256"]), x(r.first["EdDSA"]),
			strings.Join(beyond, " / "), "+"+thousands(r.firstAt["RS256"].bytes-b.floorAt["RS256"].bytes),
			x(r.repeated["RS256"]), again,
			shares(r), fmt.Sprint(r.acceptedProbes()))
	}
	p.print("\nThe middle half of the first-seen ratios: ")
	for i, r := range b.active() {
		if i > 0 {
			p.print("; ")
		}
		p.print("%s %.2f–%.2f", r.name, quantile(r.first["RS256"].ratios, 0.25), quantile(r.first["RS256"].ratios, 0.75))
	}
	p.print(" (RS256).\n\n")
}

func (b *bench) reportRepeated(p *page) {
	if len(b.bare) == 0 {
		return
	}
	p.print("## Repeated token through net/http middleware\n\n")
	p.print("One token again and again, a ResponseWriter that does nothing; the last column is what two callers on two cores get through compared with one on one (64 tokens, RS256).\n\n")
	p.head("", "RS256", "ES256", "EdDSA", "bytes", "allocs", "two cores")
	p.line("unprotected handler", us(b.bare["RS256"].ns()), us(b.bare["ES256"].ns()), us(b.bare["EdDSA"].ns()), "0", "0", "")
	for _, r := range b.active() {
		cells := []string{bold(r.ours, r.name)}
		for _, alg := range compared {
			cells = append(cells, us(r.repeated[alg].ns())+", "+x(r.repeated[alg]))
		}
		again := r.again["RS256"]
		p.line(append(cells, thousands(again.bytes), fmt.Sprintf("%.0f", again.allocs), fmt.Sprintf("%.2fx", r.scaling))...)
	}
	p.print("\n")
}

func (b *bench) reportServer(p *page) {
	if len(b.bareAt) == 0 {
		return
	}
	p.print("## Whole HTTP server over loopback\n\n")
	p.print("A process with GOMAXPROCS=1 each, %d connections from another process, one token; medians of %d rounds, in which every server gets %v between two of the unprotected one. Processor time is the server's, user and system; what share of it the unprotected server needs is the same share again, and moves less where neighbors take the machine.\n\n",
		b.plan.connections, b.plan.httpRounds, b.plan.httpSlice)
	cells := []string{""}
	for _, alg := range compared {
		cells = append(cells, alg+" req/s", "share", "µs of processor", "share by that")
	}
	p.head(cells...)
	line := func(name string, of func(alg string) *served) {
		cells := []string{name}
		for _, alg := range compared {
			s := of(alg)
			share, spent := "100 %", "100 %"
			if len(s.share) > 0 {
				share, spent = percent(s.share), percent(s.spent)
			}
			cells = append(cells, thousands(quantile(s.rates, 0.5)), share, fmt.Sprintf("%.0f", quantile(s.cpu, 0.5)), spent)
		}
		p.line(cells...)
	}
	line(unprotected, func(alg string) *served { return b.bareAt[alg] })
	for _, r := range b.active() {
		line(bold(r.ours, r.name), func(alg string) *served { return r.server[alg] })
	}
	bare := b.bareAt["RS256"]
	p.print("\nThe unprotected server was busy %.0f %% of the time: where that is far below 100, the client or a neighbor on the machine was the limit, the shares of req/s flatter all, and the shares by processor time are those to read.\n\n",
		quantile(bare.rates, 0.5)*quantile(bare.cpu, 0.5)/1e4)
}

func (b *bench) reportKeys(p *page) {
	rows := b.active()
	if len(rows) == 0 || len(rows[0].keys) == 0 {
		return
	}
	p.print("## Size of the key set\n\nFirst-seen ES256 tokens; the key that signed stands in the middle of the set.\n\n")
	cells := []string{"keys"}
	for _, n := range keyCounts {
		cells = append(cells, thousands(float64(n)))
	}
	p.head(append(cells, "most against one")...)
	for _, r := range rows {
		cells := []string{bold(r.ours, r.name)}
		for _, n := range keyCounts {
			cells = append(cells, x(r.keys[n]))
		}
		most := r.keys[keyCounts[len(keyCounts)-1]].ratio() / r.keys[keyCounts[0]].ratio()
		p.line(append(cells, fmt.Sprintf("%.2fx", most))...)
	}
	p.print("\n")
}

func (b *bench) reportFlood(p *page) {
	rows := b.active()
	if len(rows) == 0 || rows[0].flood == nil {
		return
	}
	p.print("## Flood of unknown key ids\n\n")
	p.print("%s tokens, each with a key id of its own that nobody has: by one caller, and by %d while the key set takes %v, each at one that has seen no flood before. Then the authority replaces its key: how long its new tokens are refused.\n\n",
		thousands(float64(b.plan.flood)), floodWorkers, floodLag)
	p.head("", "fetches: 1 / 16 callers", "bad token, median: 1 / 16 callers", "longest", "new key found: no attack", "after 1 bad token", "after the flood: 1 / 16 callers", "goroutines kept")
	for _, r := range rows {
		f := r.flood
		found := make([]string, len(f.found))
		for i, each := range f.found {
			switch {
			case each.na:
				found[i] = "–"
			case each.never:
				found[i] = fmt.Sprintf("**not within %v**", b.plan.patience)
			case each.took < 50*time.Millisecond:
				found[i] = "at once"
			default:
				found[i] = fmt.Sprintf("%.1f s", each.took.Seconds())
			}
		}
		fetches := fmt.Sprintf("%s / %s", thousands(float64(f.fetches[0])), thousands(float64(f.fetches[1])))
		if r.static {
			fetches = "static keys"
		}
		p.line(bold(r.ours, r.name), fetches, us(f.median[0])+" / "+us(f.median[1]), us(math.Max(f.worst[0], f.worst[1])),
			found[0], found[1], found[2]+" / "+found[3], fmt.Sprint(r.idle))
	}
	p.print("\n")
}

func (b *bench) reportProbes(p *page) {
	if len(b.probed) == 0 {
		return
	}
	p.print("## What each refuses\n\nEvery token below differs from an accepted one in the one thing named. ✓: refused.\n\n")
	cells := []string{"token"}
	for _, r := range b.active() {
		cells = append(cells, r.name)
	}
	p.head(cells...)
	for _, name := range b.probed {
		cells := []string{name}
		for _, r := range b.active() {
			cells = append(cells, r.probes[name].String())
		}
		p.line(cells...)
	}
	p.print("\n")
}

func (r *row) acceptedProbes() int {
	n := 0
	for _, v := range r.probes {
		if v == accepted {
			n++
		}
	}
	return n
}

func shares(r *row) string {
	if len(r.server) == 0 {
		return "–"
	}
	var out []string
	for _, alg := range compared {
		out = append(out, strings.TrimSuffix(percent(r.server[alg].share), " %"))
	}
	return strings.Join(out, " / ") + " %"
}

func percent(shares []float64) string { return fmt.Sprintf("%.0f %%", 100*quantile(shares, 0.5)) }

func bold(yes bool, s string) string {
	if yes {
		return "**" + s + "**"
	}
	return s
}

func x(s *series) string {
	if s == nil {
		return "–"
	}
	if r := s.ratio(); r < 0.1 {
		return fmt.Sprintf("%.4fx", r)
	}
	return fmt.Sprintf("%.2fx", s.ratio())
}

func us(ns float64) string {
	switch {
	case ns >= 1e6:
		return fmt.Sprintf("%.1f ms", ns/1e6)
	case ns >= 1e4:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	case ns >= 100:
		return fmt.Sprintf("%.2f µs", ns/1e3)
	}
	return fmt.Sprintf("%.0f ns", ns)
}

func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
