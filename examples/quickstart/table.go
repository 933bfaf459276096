package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"unicode/utf8"
)

// table writes results for a person to read.
type table struct {
	out    io.Writer
	colour bool
}

// The widths of the columns, in characters.
const (
	sentWidth   = 37
	answerWidth = 39
)

// SGR codes of the few colours that the table uses.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
)

// wantsColour reports whether f is a terminal whose owner has not asked for
// plain text (https://no-color.org).
func wantsColour(f *os.File, getenv func(string) string) bool {
	if getenv("NO_COLOR") != "" || getenv("TERM") == "dumb" {
		return false
	}
	// A Windows console that understands colour codes says so.
	if runtime.GOOS == "windows" && getenv("WT_SESSION") == "" && getenv("TERM") == "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (t table) head() {
	fmt.Fprintf(t.out, "    %s%s%s\n\n", t.cell("SENT", sentWidth, bold), t.cell("EXPECTED", answerWidth, bold), t.cell("RECEIVED", 0, bold))
}

func (t table) row(r result) {
	mark, colour := "✓", green
	if !r.ok() {
		mark, colour = "✗", red
	}
	want1, want2 := r.want.lines()
	got1, got2 := r.got.lines()
	if r.err != nil {
		got1, got2 = "no answer", "" // the error itself follows the table: it can be long
	}
	fmt.Fprintf(t.out, "  %s %s%s%s\n", t.cell(mark, 0, colour),
		t.cell(r.name, sentWidth, bold), t.cell(want1, answerWidth, ""), t.cell(got1, 0, colour))
	second := "    " + t.cell(r.detail, sentWidth, dim) + t.cell(want2, answerWidth, dim) + t.cell(got2, 0, dim)
	fmt.Fprintln(t.out, strings.TrimRight(second, " "))
}

// sum writes what does not match, in full, and the last line; it reports
// whether everything matched.
func (t table) sum(results []result) bool {
	failed := 0
	for _, r := range results {
		if r.ok() {
			continue
		}
		failed++
		fmt.Fprintf(t.out, "\n  %s\n    expected %s\n", t.cell(r.name, 0, red), r.want)
		if r.err != nil {
			fmt.Fprintf(t.out, "    received no answer: %v\n", r.err)
		} else {
			fmt.Fprintf(t.out, "    received %s\n", r.got)
		}
	}
	if failed > 0 {
		fmt.Fprintf(t.out, "\n  %s\n\n", t.cell(fmt.Sprintf("%d of %d answers differ from what was expected.", failed, len(results)), 0, red))
		return false
	}
	fmt.Fprintf(t.out, "\n  %s\n", t.cell(fmt.Sprintf("All %d answers are as expected.", len(results)), 0, green))
	return true
}

// cell pads text to a width and colours it; padding counts characters, not
// bytes and not colour codes.
func (t table) cell(text string, width int, colour string) string {
	padding := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
	if !t.colour || colour == "" || text == "" {
		return text + padding
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m" + padding
}

var parameter = regexp.MustCompile(`(\w+)="([^"]*)"`)

// lines are an answer in two short lines: the status with the error code, and
// what explains it.
func (a answer) lines() (first, second string) {
	if a.challenge == "" {
		return fmt.Sprintf("%d", a.status), a.says
	}
	found := map[string]string{}
	for _, p := range parameter.FindAllStringSubmatch(a.challenge, -1) {
		found[p[1]] = p[2]
	}
	if found["error"] == "" {
		return fmt.Sprintf("%d %s", a.status, a.challenge), ""
	}
	second = found["error_description"]
	if found["scope"] != "" {
		second = "scope: " + found["scope"]
	}
	return fmt.Sprintf("%d %s", a.status, found["error"]), second
}

// String is the answer in full.
func (a answer) String() string {
	text := fmt.Sprintf("%d", a.status)
	if a.challenge != "" {
		text += ", WWW-Authenticate: " + a.challenge
	}
	if a.says != "" {
		text += ", " + a.says
	}
	return text
}
