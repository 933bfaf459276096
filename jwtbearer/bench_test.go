package jwtbearer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// benchAlgorithms are the algorithms that are measured.
var benchAlgorithms = []string{"RS256", "ES256", "EdDSA"}

// realistic makes a token of twelve claims, about 1.1 kB with RS256.
func realistic(issuer *jwtbearertest.Issuer, alg string, n int, more ...jwtbearertest.TokenOption) string {
	now := time.Now()
	return issuer.Token("api1", append([]jwtbearertest.TokenOption{
		jwtbearertest.Algorithm(alg),
		jwtbearertest.Subject(fmt.Sprintf("3f1c1f9a-6f0e-4b53-9a06-%012d", n)),
		jwtbearertest.IssuedAt(now), jwtbearertest.NotBefore(now), jwtbearertest.ExpiresIn(time.Hour),
		jwtbearertest.Scopes("openid", "profile", "email", "orders.read", "orders.write"),
		jwtbearertest.Claim("aud", []string{"api1", "api2"}),
		jwtbearertest.Claim("client_id", "web-frontend"),
		jwtbearertest.Claim("sid", "9d1f0a2b-3c4d-5e6f-7a8b-9c0d1e2f3a4b"),
		jwtbearertest.Claim("auth_time", now.Unix()),
		jwtbearertest.Claim("roles", []string{"admin", "user", "auditor"}),
		jwtbearertest.Claim("tenant", "contoso"),
	}, more...)...)
}

// floor is the bare signature check of the standard library for a token.
func floor(b testing.TB, keys *jwks.Set, token string) func() {
	dot := strings.LastIndexByte(token, '.')
	input := []byte(token[:dot])
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	header, _ := base64.RawURLEncoding.DecodeString(token[:strings.IndexByte(token, '.')])
	kid := between(string(header), `"kid":"`, `"`)
	alg := between(string(header), `"alg":"`, `"`)
	found, err := keys.Find(b.Context(), kid, alg)
	if err != nil {
		b.Fatal(err)
	}
	switch key := found[0].Public().(type) {
	case *rsa.PublicKey:
		return func() {
			digest := sha256.Sum256(input)
			if rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) != nil {
				b.Fatal("signature")
			}
		}
	case *ecdsa.PublicKey:
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return func() {
			digest := sha256.Sum256(input)
			if !ecdsa.Verify(key, digest[:], r, s) {
				b.Fatal("signature")
			}
		}
	case ed25519.PublicKey:
		return func() {
			if !ed25519.Verify(key, input, signature) {
				b.Fatal("signature")
			}
		}
	}
	b.Fatal("key")
	return nil
}

func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}

// benchSetup is a verifier over a static key set: what is measured is checking,
// not fetching.
func benchSetup(b testing.TB, cache jwtbearer.CacheOptions) (*jwtbearertest.Issuer, *jwtbearer.Verifier, *jwks.Set) {
	issuer := jwtbearertest.NewIssuer(b)
	keys, err := jwks.NewStatic(issuer.URL(), issuer.KeySet(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { keys.Close() })
	v, err := jwtbearer.New(issuer.URL(), &jwtbearer.Options{Keys: keys, Cache: cache})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { v.Close() })
	return issuer, v, keys
}

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func bearer(token string) *http.Request {
	r, _ := http.NewRequest(http.MethodGet, "https://api.test/orders", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// BenchmarkFloor is the bare signature check of the standard library: what every
// other figure is to be compared with.
func BenchmarkFloor(b *testing.B) {
	issuer, _, keys := benchSetup(b, jwtbearer.CacheOptions{})
	for _, alg := range benchAlgorithms {
		b.Run(alg, func(b *testing.B) {
			check := floor(b, keys, realistic(issuer, alg, 0))
			b.ReportAllocs()
			for b.Loop() {
				check()
			}
		})
	}
}

// BenchmarkFirstSeen is a token that was never seen before, through the cache:
// there are more tokens than it holds, offered in turn.
func BenchmarkFirstSeen(b *testing.B) {
	issuer, v, _ := benchSetup(b, jwtbearer.CacheOptions{MaxEntries: 8})
	for _, alg := range benchAlgorithms {
		b.Run(alg, func(b *testing.B) {
			tokens := make([]string, 512)
			for i := range tokens {
				tokens[i] = realistic(issuer, alg, i)
			}
			p, _ := v.Policy("api1")
			ctx := b.Context()
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Verify(ctx, tokens[i%len(tokens)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// BenchmarkRepeated is a token that was seen before, through the middleware.
func BenchmarkRepeated(b *testing.B) {
	issuer, v, _ := benchSetup(b, jwtbearer.CacheOptions{})
	for _, alg := range benchAlgorithms {
		b.Run(alg, func(b *testing.B) {
			h := v.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r, w := bearer(realistic(issuer, alg, 0)), discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkRepeatedParallel is the same on all cores, with one token and with a
// thousand.
func BenchmarkRepeatedParallel(b *testing.B) {
	issuer, v, _ := benchSetup(b, jwtbearer.CacheOptions{})
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("tokens=%d", n), func(b *testing.B) {
			requests := make([]*http.Request, n)
			for i := range requests {
				requests[i] = bearer(realistic(issuer, "EdDSA", i))
			}
			h := v.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			var offset atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				w := discard{http.Header{}}
				for i := int(offset.Add(37)); pb.Next(); i++ {
					h.ServeHTTP(w, requests[i%n])
				}
			})
		})
	}
}

// BenchmarkRefused is the cost of each kind of refusal through the middleware,
// answer included.
func BenchmarkRefused(b *testing.B) {
	issuer, v, _ := benchSetup(b, jwtbearer.CacheOptions{})
	stranger := jwtbearertest.NewIssuer(b, &jwtbearertest.Options{URL: "https://stranger.test"})
	expired := []jwtbearertest.TokenOption{jwtbearertest.ExpiresIn(-time.Hour)}
	for _, bad := range []struct{ name, token string }{
		{"none", ""},
		{"malformed", "x" + realistic(issuer, "RS256", 0)},
		{"algorithm", realistic(issuer, "RS256", 0, jwtbearertest.AlgNone())},
		{"expired", realistic(issuer, "RS256", 0, expired...)},
		{"audience", realistic(issuer, "RS256", 0, jwtbearertest.Claim("aud", "api9"))},
		{"issuer", realistic(stranger, "RS256", 0)},
		{"unknown-key", realistic(issuer, "RS256", 0, jwtbearertest.Header("kid", "junk"))},
		{"signature", realistic(issuer, "RS256", 0, jwtbearertest.ForgedSignature())},
		{"large", strings.Repeat("x", 1<<20)},
	} {
		b.Run(bad.name, func(b *testing.B) {
			h := v.Require("api1")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.Error("it passed") }))
			r := bearer(bad.token)
			if bad.token == "" {
				r.Header.Del("Authorization")
			}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(discard{http.Header{}}, r)
			}
		})
	}
}

// BenchmarkAuthorities is a repeated and a first-seen token of one of many
// joined authorities.
func BenchmarkAuthorities(b *testing.B) {
	for _, n := range []int{1, 1000} {
		issuer, v, _ := benchSetup(b, jwtbearer.CacheOptions{MaxEntries: 8})
		all := []*jwtbearer.Verifier{v}
		for i := range n - 1 {
			url := fmt.Sprintf("https://t%d.test", i)
			set, err := jwks.NewStatic(url, issuer.KeySet(), nil)
			if err != nil {
				b.Fatal(err)
			}
			m, err := jwtbearer.New(url, &jwtbearer.Options{Keys: set})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { set.Close() })
			all = append(all, m)
		}
		joined, err := jwtbearer.Join(all...)
		if err != nil {
			b.Fatal(err)
		}
		p, _ := joined.Policy("api1")
		tokens := make([]string, 64)
		for i := range tokens {
			tokens[i] = realistic(issuer, "ES256", i)
		}
		b.Run(fmt.Sprintf("first-seen/authorities=%d", n), func(b *testing.B) {
			i := 0
			for b.Loop() {
				if _, err := p.Verify(b.Context(), tokens[i%len(tokens)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
		b.Run(fmt.Sprintf("repeated/authorities=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Verify(b.Context(), tokens[0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMemory is what one remembered token takes, and that offering far more
// tokens than the cache holds takes no more than it says.
func BenchmarkMemory(b *testing.B) {
	for _, offered := range []int{10, 1000, 20000} {
		b.Run(fmt.Sprintf("offered=%d", offered), func(b *testing.B) {
			for b.Loop() {
				issuer, v, _ := benchSetup(b, jwtbearer.CacheOptions{MaxEntries: 4096})
				p, _ := v.Policy("api1")
				before := heap()
				for i := range offered {
					// EdDSA: signing is what takes the time here.
					if _, err := p.Verify(b.Context(), realistic(issuer, "EdDSA", i)); err != nil {
						b.Fatal(err)
					}
				}
				st := v.Status().Cache
				b.ReportMetric(float64(heap()-before)/float64(st.Entries), "B/token")
				b.ReportMetric(float64(st.Bytes)/float64(st.Entries), "counted-B/token")
				b.ReportMetric(float64(st.Entries), "tokens")
				runtime.KeepAlive(v)
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
