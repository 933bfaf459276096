//go:build soak

package jwks_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

var (
	soakFor         = flag.Duration("soak.for", 2*time.Minute, "how long the soak lasts")
	soakConcurrency = flag.Int("soak.concurrency", 64, "how many clients at once")
)

// TestSoak runs a protected API under load over real HTTP on loopback while the
// authority rotates its keys every second and fails again and again, each time
// in another way. Every answer is held against what is right at that moment:
//
//   - a token of a key that the API has seen: 200, whatever the authority does;
//   - a token of a new key: 200, or 503 if the authority fails, never 401;
//   - a forged, expired or foreign token, or none: never 200.
//
// Afterwards nothing may have grown: goroutines, open files, memory.
//
//	go test -tags soak -run TestSoak -timeout 1h -v ./jwks -soak.for 2m
func TestSoak(t *testing.T) {
	issuer, err := jwtbearertest.Start(&jwtbearertest.Options{
		Algorithms: []string{"ES256"},
		Lifetimes:  jwtbearertest.Lifetimes{AccessToken: 24 * time.Hour},
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer issuer.Close()
	run := &soak{issuer: issuer, until: time.Now().Add(*soakFor)}
	verifier, err := jwtbearer.New(issuer.URL(), &jwtbearer.Options{
		InsecureAllowHTTP: true, // on loopback
		Logger:            slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := verifier.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	run.serve(t, verifier)
	run.publish()

	var background, load sync.WaitGroup
	background.Go(run.rotate)
	background.Go(run.flap)
	for range *soakConcurrency {
		load.Go(run.client)
	}
	time.Sleep(*soakFor / 5) // everything that grows only once has grown
	before := measure()
	t.Logf("after %v: %v", *soakFor/5, before)
	time.Sleep(time.Until(run.until) - *soakFor/20) // under load still
	after := measure()
	load.Wait()
	background.Wait()

	status := verifier.Status()
	counts := status.Authorities[0].Counts
	t.Logf("after %v: %v", *soakFor*19/20, after)
	t.Logf("requests: %d (%.0f/s): 200: %d, 401: %d, 503 while the authority failed: %d; slowest %v, slowest with a known key %v",
		run.requests.Load(), float64(run.requests.Load())/soakFor.Seconds(), run.codes[200].Load(), run.codes[401].Load(), run.codes[503].Load(),
		time.Duration(run.slowest.Load()).Round(time.Millisecond), time.Duration(run.slowestKnown.Load()).Round(time.Millisecond))
	t.Logf("authority: %d rotations, %d outages, asked for its keys %d times; refreshes %d, failed %d, forced %d; token cache hits %d, misses %d",
		run.generation.Load(), run.outages.Load(), issuer.Requests(jwtbearertest.EndpointKeys), counts.Refreshes, counts.Failed, counts.Forced, status.Cache.Hits, status.Cache.Misses)

	if n := run.wrong.Load(); n != 0 {
		t.Errorf("%d wrong answers, among them:\n%s", n, run.samples())
	}
	if after.goroutines > before.goroutines+10 {
		t.Errorf("goroutines grew from %d to %d", before.goroutines, after.goroutines)
	}
	if after.files > before.files+10 {
		t.Errorf("open files grew from %d to %d", before.files, after.files)
	}
	if after.heap > before.heap*5/4+8<<20 {
		t.Errorf("the heap grew from %d to %d KiB", before.heap>>10, after.heap>>10)
	}
}

type soak struct {
	issuer *jwtbearertest.Issuer
	api    string
	until  time.Time

	generation atomic.Int64 // of the authority's keys
	lowest     atomic.Int64 // the oldest generation that is published
	tokens     atomic.Pointer[minted]
	known      atomic.Pointer[minted] // one that the API has accepted

	failing atomic.Int64 // the authority fails or has until a moment ago: Unix ns; 0 while it does not
	outages atomic.Int64

	requests, wrong, slowest, slowestKnown atomic.Int64
	codes                                  [600]atomic.Int64

	mu   sync.Mutex
	said []string
}

// minted are tokens of one generation.
type minted struct {
	generation    int64
	good          []string
	expired       string
	foreign       string // for another API
	forged        string
	unsigned      string
	anotherIssuer string
}

func (s *soak) serve(t *testing.T, verifier *jwtbearer.Verifier) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: verifier.Require("api1")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, jwtbearer.TokenFrom(r.Context()).Subject())
		})),
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	s.api = "http://" + listener.Addr().String() + "/"
}

// publish mints the tokens of the present generation.
func (s *soak) publish() {
	m := &minted{
		generation:    s.generation.Load(),
		expired:       s.issuer.Token("api1", jwtbearertest.ExpiresIn(-time.Hour)),
		foreign:       s.issuer.Token("api2"),
		forged:        s.issuer.Token("api1", jwtbearertest.ForgedSignature()),
		unsigned:      s.issuer.Token("api1", jwtbearertest.AlgNone()),
		anotherIssuer: s.issuer.Token("api1", jwtbearertest.Claim("iss", "https://id.example.com")),
	}
	for range 32 {
		m.good = append(m.good, s.issuer.Token("api1"))
	}
	s.tokens.Store(m)
}

// rotate introduces a new key every second, and now and then takes the old ones
// away.
func (s *soak) rotate() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for time.Now().Before(s.until) {
		<-ticker.C
		s.generation.Add(1)
		s.issuer.Rotate()
		s.publish()
		if s.generation.Load()%15 == 0 {
			s.lowest.Store(s.generation.Load())
			s.issuer.RemoveOldKeys()
		}
	}
}

// flap lets the authority fail for three seconds out of ten.
func (s *soak) flap() {
	faults := []jwtbearertest.Fault{
		jwtbearertest.Down(), jwtbearertest.Status(500), jwtbearertest.Hang(), jwtbearertest.HTML(),
		jwtbearertest.CutBody(), jwtbearertest.Slow(500 * time.Millisecond), jwtbearertest.Truncated(), jwtbearertest.HangInBody(),
		jwtbearertest.Oversized(2 << 20), jwtbearertest.Endless(), jwtbearertest.Respond(200, "application/json", `{"keys":[]}`),
	}
	const forEver = int64(1) << 62
	for i := 0; time.Now().Add(20 * time.Second).Before(s.until); i++ {
		time.Sleep(7 * time.Second)
		s.outages.Add(1)
		s.failing.Store(forEver)
		s.issuer.SetFault(jwtbearertest.EndpointAll, faults[i%len(faults)])
		time.Sleep(3 * time.Second)
		s.issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Fault{})
		// A fetch that hangs has ten seconds, and the next one may be five away.
		s.failing.Store(time.Now().Add(16 * time.Second).UnixNano())
		if i%4 == 3 {
			time.Sleep(17 * time.Second) // so that it is also sound for a while
		}
	}
}

// client sends one request after the other.
func (s *soak) client() {
	transport := &http.Transport{MaxIdleConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	for time.Now().Before(s.until) {
		m := s.tokens.Load()
		switch n := rand.IntN(100); {
		case n < 60:
			s.good(client, m, m.good[rand.IntN(len(m.good))], false)
		case n < 80:
			if k := s.known.Load(); k != nil {
				s.good(client, k, k.good[rand.IntN(len(k.good))], true)
			}
		case n < 84:
			s.bad(client, "an expired token", m.expired)
		case n < 88:
			s.bad(client, "a token for another API", m.foreign)
		case n < 92:
			s.bad(client, "a forged token", m.forged)
		case n < 95:
			s.bad(client, "an unsigned token", m.unsigned)
		case n < 98:
			s.bad(client, "a token of another issuer", m.anotherIssuer)
		default:
			s.bad(client, "no token", "")
		}
		time.Sleep(time.Duration(rand.IntN(4)) * time.Millisecond)
	}
}

func (s *soak) good(client *http.Client, m *minted, token string, known bool) {
	code, took, why, err := s.send(client, token)
	failing := s.faulty(took)
	gone := m.generation < s.lowest.Load()
	switch {
	case err != nil:
		s.complain("a good token: %v", err)
	case code == 200:
		if old := s.known.Load(); old == nil || old.generation < m.generation {
			s.known.Store(m)
		}
		atMost(&s.slowest, took)
		if known {
			atMost(&s.slowestKnown, took)
		}
	case gone && (code == 401 || code == 503 && failing):
	case code == 503 && failing && !known:
	default:
		s.complain("a good token of generation %d, now %d, lowest %d, known %v, failing %v: %d after %v: %s",
			m.generation, s.generation.Load(), s.lowest.Load(), known, failing, code, took, why)
	}
}

func (s *soak) bad(client *http.Client, what, token string) {
	code, took, why, err := s.send(client, token)
	if err != nil || code != 401 && (code != 503 || !s.faulty(took)) {
		s.complain("%s: %d, %v: %s", what, code, err, why)
	}
}

// faulty says whether the authority failed at any time in the last took.
func (s *soak) faulty(took time.Duration) bool {
	return time.Now().Add(-took).UnixNano() < s.failing.Load()
}

func (s *soak) send(client *http.Client, token string) (code int, took time.Duration, why string, err error) {
	req, err := http.NewRequest(http.MethodGet, s.api, nil)
	if err != nil {
		return 0, 0, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	start := time.Now()
	resp, err := client.Do(req)
	took = time.Since(start)
	s.requests.Add(1)
	if err != nil {
		return 0, took, "", err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	s.codes[resp.StatusCode].Add(1)
	return resp.StatusCode, took, resp.Header.Get("WWW-Authenticate"), nil
}

func (s *soak) complain(format string, args ...any) {
	s.wrong.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.said) < 20 {
		s.said = append(s.said, fmt.Sprintf(format, args...))
	}
}

func (s *soak) samples() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.said, "\n")
}

func atMost(to *atomic.Int64, took time.Duration) {
	for old := to.Load(); int64(took) > old && !to.CompareAndSwap(old, int64(took)); old = to.Load() {
	}
}

// usage is what may not grow.
type usage struct {
	goroutines, files int
	heap              uint64
}

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d open files, %d KiB of heap", u.goroutines, u.files, u.heap>>10)
}

func measure() usage {
	runtime.GC()
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	files, _ := os.ReadDir("/proc/self/fd") // elsewhere: none, which does not grow
	return usage{runtime.NumGoroutine(), len(files), memory.HeapAlloc}
}
