//go:build integration

// Package soak puts an API under load for as long as one likes, over real HTTP,
// while its authority rotates keys and fails.
package soak

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

var duration = flag.Duration("soak.time", cycle, "how long the load lasts")

const (
	audience    = "api1"
	concurrency = 64

	// The authority goes through cycles of these parts, each after the one before
	// has had its effect, so that what an API owes its clients is known at any time:
	//
	//	0 s to 8 s    keys rotate every second; every good token is accepted
	//	9 s to 15 s   a tenth of the requests carry key ids that nobody has; a key
	//	              published meanwhile is accepted after patience at most
	//	16 s          all keys but the present one are taken away; no token of them has
	//	              been sent for seconds
	//	17 s to 20 s  the authority is away, each time in another way; good tokens of
	//	              the present key are accepted
	//	19 s          a key is published that nobody can read; its tokens are answered
	//	              503, and accepted within recovery after 20 s
	cycle         = 36 * time.Second
	rotationEnds  = 8 * time.Second
	junkBegins    = 9 * time.Second
	junkRotation  = 10 * time.Second
	junkEnds      = 15 * time.Second
	removal       = 16 * time.Second
	outageBegins  = 17 * time.Second
	awayRotation  = 19 * time.Second
	outageEnds    = 20 * time.Second
	slack         = 1500 * time.Millisecond // for a busy machine
	patience      = 5*time.Second + slack   // between two refreshes that unknown key ids ask for
	recovery      = patience
	recoveryHangs = 10*time.Second + patience // a fetch that hangs is given up after 10 s
)

// outages are the ways to be away.
var outages = []struct {
	fault    jwtbearertest.Fault
	recovery time.Duration
}{
	{jwtbearertest.Down(), recovery},
	{jwtbearertest.Hang(), recoveryHangs},
	{jwtbearertest.Status(http.StatusInternalServerError), recovery},
	{jwtbearertest.HTML(), recovery},
	{jwtbearertest.HangInBody(), recoveryHangs},
	{jwtbearertest.Truncated(), recovery},
	{jwtbearertest.CutBody(), recovery},
}

// authority is the fake issuer with a diary: what it did, and when.
type authority struct {
	*jwtbearertest.Issuer
	begun time.Time // when the first cycle began

	mu       sync.Mutex
	rotated  time.Time // when the present key was published
	junkFrom time.Time // zero: there is no junk
	awayFrom time.Time // when the last outage began
	back     time.Time // when its effects must be over; zero: it goes on
}

// minted is a token with what is to be known of it.
type minted struct {
	raw       string
	published time.Time // its key
}

// affected reports whether an outage may still be felt at a time.
func (a *authority) affected(at time.Time) bool {
	return !a.awayFrom.IsZero() && (a.back.IsZero() || at.Before(a.back))
}

// excused reports whether a good token may be answered by status at the end of a
// request, since the API cannot have its key.
func (a *authority) excused(token minted, end time.Time, status int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if status != http.StatusUnauthorized && status != http.StatusServiceUnavailable {
		return false
	}
	if a.affected(end) && token.published.After(a.awayFrom) {
		return true
	}
	junk := !a.junkFrom.IsZero() && token.published.After(a.junkFrom)
	return junk && status == http.StatusUnauthorized && end.Sub(token.published) < patience
}

// unavailable reports whether a token that is not good may be answered by 503,
// since the API cannot have the key that it names.
func (a *authority) unavailable(end time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.affected(end)
}

// position tells when something was, for messages.
func (a *authority) position(at time.Time) string {
	since := at.Sub(a.begun)
	return fmt.Sprintf("cycle %d, second %.3f", since/cycle, (since % cycle).Seconds())
}

func (a *authority) junk() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.junkFrom.IsZero()
}

// live goes through cycles until the context ends.
func (a *authority) live(ctx context.Context) {
	for n := 0; ; n++ {
		begin := a.begun.Add(time.Duration(n) * cycle)
		outage := outages[n%len(outages)]
		until := func(part time.Duration) bool {
			select {
			case <-ctx.Done():
				return false
			case <-time.After(time.Until(begin.Add(part))):
				return true
			}
		}
		for part := time.Duration(0); part <= rotationEnds; part += time.Second {
			if !until(part) {
				return
			}
			a.rotate()
		}
		steps := []struct {
			at time.Duration
			do func()
		}{
			{junkBegins, func() { a.note(func(now time.Time) { a.junkFrom = now }) }},
			{junkRotation, a.rotate},
			{junkEnds, func() { a.note(func(time.Time) { a.junkFrom = time.Time{} }) }},
			{removal, a.RemoveOldKeys},
			{outageBegins, func() {
				a.note(func(now time.Time) { a.awayFrom, a.back = now, time.Time{} })
				a.SetFault(jwtbearertest.EndpointAll, outage.fault)
			}},
			{awayRotation, a.rotate},
			{outageEnds, func() {
				a.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Fault{})
				a.note(func(now time.Time) { a.back = now.Add(outage.recovery) })
			}},
			{cycle, func() {}},
		}
		for _, step := range steps {
			if !until(step.at) {
				return
			}
			step.do()
		}
	}
}

func (a *authority) note(change func(now time.Time)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(time.Now())
}

// rotate publishes a new key and keeps the old ones.
func (a *authority) rotate() {
	a.note(func(now time.Time) {
		a.Rotate()
		a.rotated = now
	})
}

// mint makes a good token.
func (a *authority) mint(alg string) minted {
	a.mu.Lock()
	defer a.mu.Unlock()
	return minted{a.Token(audience, jwtbearertest.Algorithm(alg)), a.rotated}
}

// tokens holds what the load sends. It is renewed all the time, so that no good
// token is older than its key's retirement allows.
type tokens struct {
	good      []minted
	bad       []string // never accepted, whatever the keys
	junkToken string
}

func mintAll(a *authority, algs []string) *tokens {
	all := &tokens{}
	for _, alg := range algs {
		all.good = append(all.good, a.mint(alg))
		use := jwtbearertest.Algorithm(alg)
		all.bad = append(all.bad,
			a.Token(audience, use, jwtbearertest.ExpiresIn(-2*time.Minute)),
			a.Token("other", use),
			a.Token(audience, use, jwtbearertest.WithoutClaim("exp")),
			a.Token(audience, use, jwtbearertest.ForgedSignature()),
		)
	}
	all.bad = append(all.bad, a.Token(audience, jwtbearertest.AlgNone()), "x.y.z", "junk")
	all.junkToken = a.Token(audience, jwtbearertest.Algorithm(algs[0]), jwtbearertest.Header("kid", fmt.Sprintf("junk-%d", rand.Uint64())))
	return all
}

// tally counts answers.
type tally struct {
	mu      sync.Mutex
	answers map[string]int
	latency histogram // of good tokens that were accepted
	wrong   []string
}

func (c *tally) add(kind string, status int, took time.Duration, wrong string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[fmt.Sprintf("%s %d", kind, status)]++
	if kind == "good" && status == http.StatusOK {
		c.latency.add(took)
	}
	if wrong != "" && len(c.wrong) < 20 {
		c.wrong = append(c.wrong, wrong)
	}
}

func (c *tally) count(prefix string) int {
	n := 0
	for name, count := range c.answers {
		if strings.HasPrefix(name, prefix) {
			n += count
		}
	}
	return n
}

// histogram counts durations in steps of five per cent, so that it takes the same
// memory after an hour as after a second.
type histogram struct {
	steps [500]int
	total int
}

const step = 1.05

func (h *histogram) add(d time.Duration) {
	n := int(math.Log(float64(max(d.Microseconds(), 1))) / math.Log(step))
	h.steps[min(n, len(h.steps)-1)]++
	h.total++
}

// quantile returns the end of the step that holds the given share.
func (h *histogram) quantile(share float64) time.Duration {
	left := int(share * float64(h.total))
	for n, count := range h.steps {
		if left -= count; left <= 0 {
			return time.Duration(math.Pow(step, float64(n+1))) * time.Microsecond
		}
	}
	return 0
}

func TestSoak(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	files := openFiles()
	algs := []string{"ES256", "EdDSA", "RS256"}
	issuer, err := jwtbearertest.Start(&jwtbearertest.Options{Algorithms: algs})
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{Issuer: issuer, begun: time.Now()}

	verifier, err := jwtbearer.New(issuer.URL(), &jwtbearer.Options{
		InsecureAllowHTTP: true,
		Logger:            slog.New(slog.DiscardHandler),
		Cache:             jwtbearer.CacheOptions{MaxEntries: 500}, // full soon, so that growth elsewhere shows
	})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(verifier.Require(audience)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, jwtbearer.TokenFrom(r.Context()).Subject())
	})))
	client := &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: concurrency},
	}

	ctx, cancel := context.WithTimeout(t.Context(), *duration)
	defer cancel()
	var running sync.WaitGroup
	var current atomic.Pointer[tokens]
	a.rotate()
	current.Store(mintAll(a, algs))
	running.Go(func() { a.live(ctx) })
	running.Go(func() {
		for ctx.Err() == nil {
			current.Store(mintAll(a, algs))
			time.Sleep(50 * time.Millisecond)
		}
	})
	counts := &tally{answers: map[string]int{}}
	for range concurrency {
		running.Go(func() {
			for ctx.Err() == nil {
				a.request(client, api.URL, current.Load(), counts)
			}
		})
	}

	var samples []sample
	for ctx.Err() == nil {
		time.Sleep(*duration / 40)
		samples = append(samples, takeSample())
	}
	running.Wait()

	t.Logf("%v, %d requests at concurrency %d, %.0f per second", *duration, counts.count(""), concurrency, float64(counts.count(""))/duration.Seconds())
	for _, name := range sortedKeys(counts.answers) {
		t.Logf("%9d  %s", counts.answers[name], name)
	}
	t.Logf("accepted within: half %v, 99 %% %v, all %v", counts.latency.quantile(0.5), counts.latency.quantile(0.99), counts.latency.quantile(1))
	t.Logf("the authority: %d requests for metadata, %d for keys", issuer.Requests(jwtbearertest.EndpointDiscovery), issuer.Requests(jwtbearertest.EndpointKeys))
	for _, wrong := range counts.wrong {
		t.Error(wrong)
	}
	if counts.answers["good 200"] < counts.count("good")/2 {
		t.Errorf("only %d of %d good requests were accepted: the load does not test what it should", counts.answers["good 200"], counts.count("good"))
	}
	checkGrowth(t, samples)

	client.CloseIdleConnections()
	api.Close()
	if err := verifier.Close(); err != nil {
		t.Error(err)
	}
	issuer.Close()
	checkLeaks(t, goroutines, files)
}

// request sends one request of a random kind and judges the answer.
func (a *authority) request(client *http.Client, target string, all *tokens, counts *tally) {
	kind, raw := "good", ""
	token := all.good[rand.IntN(len(all.good))]
	switch n := rand.IntN(100); {
	case n < 10 && a.junk():
		kind, raw = "junk", all.junkToken
	case n < 30:
		kind, raw = "bad", all.bad[rand.IntN(len(all.bad))]
	case n < 32:
		kind = "none"
	default:
		raw = token.raw
	}
	request, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		panic(err)
	}
	if kind != "none" {
		request.Header.Set("Authorization", "Bearer "+raw)
	}
	begin := time.Now()
	response, err := client.Do(request)
	if err != nil {
		counts.add(kind, 0, 0, fmt.Sprintf("%s: %v", kind, err))
		return
	}
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	response.Body.Close()
	end := time.Now()

	wrong := ""
	switch status := response.StatusCode; {
	case err != nil:
		wrong = err.Error()
	case kind == "good" && status != http.StatusOK && !a.excused(token, end, status):
		wrong = fmt.Sprintf("a good token, key published %v ago: got %d %q", end.Sub(token.published), status, response.Header.Get("WWW-Authenticate"))
	case (kind == "bad" || kind == "junk") && status != http.StatusUnauthorized && !(status == http.StatusServiceUnavailable && a.unavailable(end)):
		wrong = fmt.Sprintf("a %s token: got %d", kind, status)
	case kind == "none" && (status != http.StatusUnauthorized || response.Header.Get("WWW-Authenticate") != "Bearer"):
		wrong = fmt.Sprintf("no token: got %d", status)
	case status == http.StatusServiceUnavailable && response.Header.Get("Retry-After") == "":
		wrong = "503 without Retry-After"
	case end.Sub(begin) > 8*time.Second:
		wrong = fmt.Sprintf("%s: answered after %v", kind, end.Sub(begin))
	}
	if wrong != "" {
		wrong = fmt.Sprintf("%v: after %v: %s", a.position(begin), end.Sub(begin), wrong)
	}
	counts.add(kind, response.StatusCode, end.Sub(begin), wrong)
}

// sample is what the process holds at a moment.
type sample struct {
	goroutines, files int
	heap              uint64
}

func takeSample() sample {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return sample{runtime.NumGoroutine(), openFiles(), memory.HeapAlloc}
}

// openFiles counts the file descriptors, where the system tells them.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// checkGrowth compares the last quarter of the samples with the second one, by
// their medians; in the first one everything is filling up.
func checkGrowth(t *testing.T, samples []sample) {
	t.Helper()
	quarter := len(samples) / 4
	median := func(part []sample, value func(sample) int) int {
		var values []int
		for _, s := range part {
			values = append(values, value(s))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	for _, what := range []struct {
		name  string
		value func(sample) int
		allow int
	}{
		{"goroutines", func(s sample) int { return s.goroutines }, 16},
		{"open files", func(s sample) int { return s.files }, 16},
		{"heap, KiB", func(s sample) int { return int(s.heap >> 10) }, 4 << 10},
	} {
		early := median(samples[quarter:2*quarter], what.value)
		late := median(samples[3*quarter:], what.value)
		t.Logf("%s: %d in the second quarter, %d in the last", what.name, early, late)
		if late > early+what.allow {
			t.Errorf("%s grew from %d to %d", what.name, early, late)
		}
	}
}

// checkLeaks waits until everything that the test started is gone.
func checkLeaks(t *testing.T, goroutines, files int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if runtime.NumGoroutine() <= goroutines && openFiles() <= files+2 { // the poller of the runtime keeps some
			return
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Errorf("after closing everything: %d goroutines, %d before; %d files, %d before\n%s", runtime.NumGoroutine(), goroutines,
				openFiles(), files, stacks[:runtime.Stack(stacks, true)])
			return
		}
	}
}

func sortedKeys(m map[string]int) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
