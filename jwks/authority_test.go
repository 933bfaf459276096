package jwks_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

const testIssuer = "https://id.example.com"

// An authority answers in process, so that time in a synctest bubble advances.
// Its fields may be changed by the test between requests, under mu where the
// test runs beside them.
type authority struct {
	mu       sync.Mutex
	issuer   string
	keysPath string
	keys     []jwk
	latency  time.Duration
	header   http.Header // of key set answers
	metadata fault       // nil: fine
	keySet   fault
	etag     bool
	noOIDC   bool // only RFC 8414 metadata
	seen     []*http.Request
}

// A fault answers instead of the authority; nil, nil means that it does not.
type fault func(req *http.Request) (*http.Response, error)

type jwk map[string]any

func newAuthority(keys ...jwk) *authority {
	return &authority{issuer: testIssuer, keysPath: "/keys", keys: keys}
}

func (a *authority) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

func (a *authority) rotate(keys ...jwk) { a.set(func() { a.keys = keys }) }

func (a *authority) fail(f fault) { a.set(func() { a.metadata, a.keySet = f, f }) }

func (a *authority) client() *http.Client { return &http.Client{Transport: a} }

func (a *authority) RoundTrip(req *http.Request) (*http.Response, error) {
	a.mu.Lock()
	a.seen = append(a.seen, req)
	latency := a.latency
	isMetadata := strings.Contains(req.URL.Path, "/.well-known/")
	f := a.keySet
	if isMetadata {
		f = a.metadata
	}
	a.mu.Unlock()
	if err := sleep(req.Context(), latency); err != nil {
		return nil, err
	}
	if f != nil {
		if resp, err := f(req); resp != nil || err != nil {
			return resp, err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if isMetadata {
		if a.noOIDC == strings.Contains(req.URL.Path, "openid-configuration") {
			return reply(req, 404, "text/plain", "nothing here"), nil
		}
		body, _ := json.Marshal(map[string]string{"issuer": a.issuer, "jwks_uri": testIssuer + a.keysPath})
		return reply(req, 200, "application/json", string(body)), nil
	}
	if req.URL.Path != a.keysPath {
		return reply(req, 404, "text/plain", "nothing here"), nil
	}
	body := document(a.keys...)
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(body)))
	if a.etag && req.Header.Get("If-None-Match") == tag {
		return reply(req, 304, "", ""), nil
	}
	resp := reply(req, 200, "application/json", body)
	for name, values := range a.header {
		resp.Header[name] = values
	}
	if a.etag {
		resp.Header.Set("ETag", tag)
	}
	return resp, nil
}

// requests counts the requests whose path contains part.
func (a *authority) requests(part string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, req := range a.seen {
		if strings.Contains(req.URL.Path, part) {
			n++
		}
	}
	return n
}

func (a *authority) last() *http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[len(a.seen)-1]
}

func reply(req *http.Request, status int, contentType, body string) *http.Response {
	h := http.Header{}
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: req,
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// document is a JWK Set.
func document(keys ...jwk) string {
	if keys == nil {
		keys = []jwk{}
	}
	data, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return string(data)
}

// The faults of the matrix.

func refusing(*http.Request) (*http.Response, error) {
	return nil, errors.New("dial tcp 192.0.2.1:443: connect: connection refused")
}

func hanging(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func status(code int) fault {
	return func(req *http.Request) (*http.Response, error) {
		return reply(req, code, "text/plain", "error"), nil
	}
}

func body(contentType, text string) fault {
	return func(req *http.Request) (*http.Response, error) { return reply(req, 200, contentType, text), nil }
}

func slow(d time.Duration) fault {
	return func(req *http.Request) (*http.Response, error) { return nil, sleep(req.Context(), d) }
}

func redirect(to string) fault {
	return func(req *http.Request) (*http.Response, error) {
		resp := reply(req, 302, "", "")
		resp.Header.Set("Location", to)
		return resp, nil
	}
}

// slowLoris sends a byte a second for ever, and its body knows nothing of the
// request's context.
func slowLoris(req *http.Request) (*http.Response, error) {
	resp := reply(req, 200, "application/json", "")
	resp.Body = &dripping{stop: make(chan struct{})}
	return resp, nil
}

type dripping struct {
	stop chan struct{}
	once sync.Once
}

func (d *dripping) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	case <-d.stop:
		return 0, errors.New("read on a closed body")
	}
}

func (d *dripping) Close() error { d.once.Do(func() { close(d.stop) }); return nil }

// endless sends spaces as fast as they are taken.
func endless(req *http.Request) (*http.Response, error) {
	resp := reply(req, 200, "application/json", "")
	resp.Body = io.NopCloser(spaces{})
	return resp, nil
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// bomb is 8 MiB of spaces and then a good document, packed into 8 KiB.
func bomb(doc string) fault {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.CopyN(w, spaces{}, 8<<20)
	_, _ = io.WriteString(w, doc)
	_ = w.Close()
	return func(req *http.Request) (*http.Response, error) {
		resp := reply(req, 200, "application/json", packed.String())
		resp.Header.Set("Content-Encoding", "gzip")
		return resp, nil
	}
}

// Keys.

var b64 = base64.RawURLEncoding.EncodeToString

// ecJWK makes a new P-256 key under kid.
func ecJWK(kid string) jwk { return jwkOf(kid, newEC(elliptic.P256())) }

func newEC(curve elliptic.Curve) crypto.PublicKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return &key.PublicKey
}

func newEd() crypto.PublicKey {
	key, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// rsaKey is made once: making one takes long.
var rsaKey = sync.OnceValue(func() *rsa.PublicKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return &key.PublicKey
})

func jwkOf(kid string, public crypto.PublicKey) jwk {
	k := jwk{}
	if kid != "" {
		k["kid"] = kid
	}
	switch key := public.(type) {
	case *rsa.PublicKey:
		k["kty"], k["n"], k["e"] = "RSA", b64(key.N.Bytes()), b64(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		k["kty"], k["crv"], k["x"], k["y"] = "EC", key.Curve.Params().Name, b64(point[1:1+half]), b64(point[1+half:])
	case ed25519.PublicKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", b64(key)
	}
	return k
}

// with returns a copy of k that differs in one member; nil takes it away.
func (k jwk) with(name string, value any) jwk {
	c := jwk{}
	for n, v := range k {
		c[n] = v
	}
	if value == nil {
		delete(c, name)
	} else {
		c[name] = value
	}
	return c
}

// Sets.

// newSet starts a set on a; the test ends it.
func newSet(tb testing.TB, a *authority, opts *jwks.Options) *jwks.Set {
	tb.Helper()
	var o jwks.Options
	if opts != nil {
		o = *opts
	}
	if o.HTTPClient == nil {
		o.HTTPClient = a.client()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := jwks.New(testIssuer, &o)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func ready(tb testing.TB, s *jwks.Set) {
	tb.Helper()
	if err := s.WaitReady(context.Background()); err != nil {
		tb.Fatalf("WaitReady: %v", err)
	}
}

// answer is what an API would answer to a token that names kid: 200, 401 or 503.
func answer(s *jwks.Set, kid string) int {
	keys, err := s.Find(context.Background(), kid, "ES256")
	return code(keys, err)
}

func code(keys []*jwks.Key, err error) int {
	switch {
	case err == nil && len(keys) > 0:
		return 200
	case errors.Is(err, jwks.ErrUnavailable):
		return 503
	case errors.Is(err, jwks.ErrKeyNotFound):
		return 401
	}
	panic(fmt.Sprintf("Find returned %v, %v", keys, err))
}

// timed returns how long f takes.
func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

var discard = slog.New(slog.DiscardHandler)
