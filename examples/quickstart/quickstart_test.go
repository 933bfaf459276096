package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerguard/bearerguard/examples/api/orders"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// The whole story in-process, on the clock of the bubble.
func TestStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		api, err := orders.New(issuer.Verifier(t, nil), audience)
		if err != nil {
			t.Fatal(err)
		}
		results := play(t.Context(), jwtbearertest.HandlerClient(api), "http://api.test/orders", issuer, func(result) {})
		if want := len(steps()); len(results) != want || want < 13 {
			t.Fatalf("the story has %d answers, want %d, at least 13", len(results), want)
		}
		for _, r := range results {
			if !r.ok() {
				t.Errorf("%s: got %v (error: %v)\nwant %v", r.name, r.got, r.err, r.want)
			}
		}
	})
}

// The story over real HTTP, as the command plays it.
func TestRun(t *testing.T) {
	var out, log bytes.Buffer
	if err := run(t.Context(), table{out: &out}, &log, false); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	text := out.String()
	if got, want := strings.Count(text, "✓"), len(steps()); got != want {
		t.Errorf("the table has %d ticks, want %d:\n%s", got, want, text)
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("the table has colour codes where none were asked for:\n%q", text)
	}
	if log.Len() > 0 {
		t.Errorf("the story logs what its table shows:\n%s", log.String())
	}
	for _, line := range strings.Split(text, "\n") {
		if n := len([]rune(line)); n > 120 {
			t.Errorf("a line has %d characters, more than 120: %s", n, line)
		}
	}
}

// With -serve, the lines to paste are right: each token gets the answer that
// its comment promises.
func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &servedOutput{t: t, cancel: cancel}
	if err := run(ctx, table{out: out}, &bytes.Buffer{}, true); err != nil {
		t.Fatal(err)
	}
	want := []int{http.StatusUnauthorized, http.StatusOK, http.StatusUnauthorized, http.StatusForbidden, http.StatusCreated, http.StatusOK, http.StatusOK}
	if len(out.statuses) != len(want) {
		t.Fatalf("statuses of the curl lines: got %v, want %v", out.statuses, want)
	}
	for i := range want {
		if out.statuses[i] != want[i] {
			t.Errorf("status of curl line %d: got %d, want %d", i+1, out.statuses[i], want[i])
		}
	}
}

// servedOutput does what a reader does: each curl line is sent as soon as it
// is printed; after the last one, it presses Ctrl-C.
type servedOutput struct {
	t        *testing.T
	cancel   context.CancelFunc
	statuses []int
}

func (o *servedOutput) Write(p []byte) (int, error) {
	for _, line := range strings.Split(string(p), "\n") {
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		o.statuses = append(o.statuses, o.send(line))
		if strings.HasSuffix(line, "/.well-known/openid-configuration") {
			o.cancel()
		}
	}
	return len(p), nil
}

func (o *servedOutput) send(line string) int {
	fields := strings.Fields(strings.ReplaceAll(line, " -i ", " "))
	method, url := http.MethodGet, fields[1]
	body := ""
	if _, after, found := strings.Cut(line, " -d '"); found {
		method, body = http.MethodPost, strings.TrimSuffix(after, "'")
	}
	req, err := http.NewRequestWithContext(o.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		o.t.Error(err)
		return 0
	}
	if _, after, found := strings.Cut(line, "Bearer "); found {
		token, _, _ := strings.Cut(after, "'")
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Error(err)
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestColumnsHoldTheirText(t *testing.T) {
	for _, s := range steps() {
		first, second := s.want.lines()
		for _, text := range []string{s.name, s.detail} {
			if len(text) >= sentWidth {
				t.Errorf("%q has %d characters, more than the %d of its column", text, len(text), sentWidth-1)
			}
		}
		for _, text := range []string{first, second} {
			if len(text) >= answerWidth {
				t.Errorf("%q has %d characters, more than the %d of its column", text, len(text), answerWidth-1)
			}
		}
	}
}

func TestTable(t *testing.T) {
	pass := result{step: step{name: "as it should", want: answer{status: 200, says: "sub: alice"}}, got: answer{status: 200, says: "sub: alice"}}
	fail := result{step: step{name: "goes wrong", want: invalidToken("the token has expired")}, got: answer{status: 200, says: "sub: mallory"}}
	gone := result{step: step{name: "goes nowhere", want: answer{status: 200}}, err: os.ErrDeadlineExceeded}
	tests := []struct {
		name     string
		colour   bool
		results  []result
		ok       bool
		contains []string
	}{
		{"all match", false, []result{pass}, true, []string{"✓ as it should", "All 1 answers"}},
		{"one differs", false, []result{pass, fail}, false, []string{
			"✗ goes wrong", "1 of 2", "sub: mallory", `expected 401, WWW-Authenticate: Bearer error="invalid_token"`,
		}},
		{"no answer", false, []result{gone}, false, []string{"✗ goes nowhere", "received no answer: i/o timeout"}},
		{"colour", true, []result{pass}, true, []string{"\x1b[32m✓\x1b[0m"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tab := table{&out, tt.colour}
			for _, r := range tt.results {
				tab.row(r)
			}
			if got := tab.sum(tt.results); got != tt.ok {
				t.Errorf("sum: got %v, want %v", got, tt.ok)
			}
			for _, want := range tt.contains {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, out.String())
				}
			}
		})
	}
}

func TestWantsColour(t *testing.T) {
	plain, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	tests := []struct {
		name string
		file *os.File
		env  map[string]string
		want bool
	}{
		{"a terminal", device, map[string]string{"TERM": "xterm"}, true},
		{"NO_COLOR", device, map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false},
		{"NO_COLOR empty", device, map[string]string{"TERM": "xterm", "NO_COLOR": ""}, true},
		{"dumb", device, map[string]string{"TERM": "dumb"}, false},
		{"a file", plain, map[string]string{"TERM": "xterm"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := wantsColour(tt.file, func(k string) string { return tt.env[k] }); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
