package jwtbearer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"log/slog"
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
		der, err := asn1.Marshal(struct{ R, S *big.Int }{
			new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])})
		if err != nil {
			b.Fatal(err)
		}
		return func() {
			digest := sha256.Sum256(input)
			if !ecdsa.VerifyASN1(key, digest[:], der) {
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

// benchSetup is a verifier of an issuer with keys for every algorithm.
func benchSetup(b testing.TB, cache jwtbearer.CacheOptions) (*jwtbearertest.Issuer, *jwtbearer.Verifier, *jwks.Set) {
	issuer := jwtbearertest.NewIssuer(b)
	v, keys := benchVerifier(b, issuer, cache)
	return issuer, v, keys
}

// benchVerifier is a verifier whose keys were fetched: unlike static ones they
// can grow old and be asked for again, and what that costs is to be measured.
func benchVerifier(b testing.TB, issuer *jwtbearertest.Issuer, cache jwtbearer.CacheOptions) (*jwtbearer.Verifier, *jwks.Set) {
	keys, err := jwks.New(issuer.URL(), &jwks.Options{HTTPClient: issuer.Client(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { keys.Close() })
	if err := keys.WaitReady(b.Context()); err != nil {
		b.Fatal(err)
	}
	return issuer.Verifier(b, &jwtbearer.Options{Keys: keys, Cache: cache, Logger: slog.New(slog.DiscardHandler)}), keys
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
	run := func(name, token string) {
		b.Run(name, func(b *testing.B) {
			check := floor(b, keys, token)
			b.ReportAllocs()
			for b.Loop() {
				check()
			}
		})
	}
	for _, alg := range benchAlgorithms {
		run(alg, realistic(issuer, alg, 0))
	}
	// More of a check of a long token is its hash.
	run("RS256-long", realistic(issuer, "RS256", 0, jwtbearertest.Claim("padding", strings.Repeat("x", 46<<10))))
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
			b.ResetTimer() // to sign took longer
			b.RunParallel(func(pb *testing.PB) {
				w := discard{http.Header{}}
				for i := int(offset.Add(37)); pb.Next(); i++ {
					h.ServeHTTP(w, requests[i%n])
				}
			})
		})
	}
}

// BenchmarkKeySet is a first-seen token against larger and larger key sets.
func BenchmarkKeySet(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			issuer := jwtbearertest.NewIssuer(b, &jwtbearertest.Options{Algorithms: []string{"ES256"}})
			for i := range n - 1 {
				issuer.AddKeys(otherKey(b, i))
			}
			v, keys := benchVerifier(b, issuer, jwtbearer.CacheOptions{MaxEntries: 8})
			if got := len(keys.Keys()); got != n {
				b.Fatalf("got %d keys, want %d", got, n)
			}
			p, _ := v.Policy("api1")
			tokens := make([]string, 512)
			for i := range tokens {
				tokens[i] = realistic(issuer, "ES256", i)
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Verify(b.Context(), tokens[i%len(tokens)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// otherKey is a published key that signs nothing.
func otherKey(b *testing.B, i int) jwtbearertest.ExtraKey {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		b.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	return jwtbearertest.ExtraKey(fmt.Sprintf(`{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"other-%d","x":%q,"y":%q}`,
		i, text(point[1:33]), text(point[33:])))
}

// BenchmarkRefused is the cost of each kind of refusal through the middleware,
// answer included. Those after "large" are made to be dear to read: within what is
// read before the signature is checked, and beyond it.
func BenchmarkRefused(b *testing.B) {
	issuer, v, _ := benchSetup(b, jwtbearer.CacheOptions{})
	stranger := jwtbearertest.NewIssuer(b, &jwtbearertest.Options{URL: "https://stranger.test"})
	both, err := jwtbearer.Join(v, stranger.Verifier(b, nil))
	if err != nil {
		b.Fatal(err)
	}
	forged := jwtbearertest.ForgedSignature()
	refused := func(more ...jwtbearertest.TokenOption) []string {
		return []string{realistic(issuer, "RS256", 0, more...)}
	}
	// As long as can be read before the signature is checked, or as may be.
	const short, long = 3 << 9, 47 << 10
	claims := fmt.Sprintf(`{"iss":%q,"exp":%d,`, issuer.URL(), time.Now().Add(time.Hour).Unix())
	members := func(size int, form string, more ...jwtbearertest.TokenOption) []string {
		text := claims + list(size-len(claims)-1, form) + "}"
		return []string{issuer.Token("api1", append(more, jwtbearertest.RawPayload(text))...)}
	}
	elements := func(size int, name, form string, more ...jwtbearertest.TokenOption) []string {
		before := claims + `"` + name + `":[`
		text := before + list(size-len(before)-2, form) + "]}"
		return []string{issuer.Token("api1", append(more, jwtbearertest.RawPayload(text))...)}
	}
	for _, bad := range []struct {
		name   string
		tokens []string // offered in turn; with a colon, a field and its value instead
		v      *jwtbearer.Verifier
	}{
		{"none", []string{""}, v},
		{"malformed", []string{"x" + realistic(issuer, "RS256", 0)}, v},
		{"algorithm", refused(jwtbearertest.AlgNone()), v},
		{"expired", refused(jwtbearertest.ExpiresIn(-time.Hour)), v},
		{"audience", refused(jwtbearertest.Claim("aud", "api9")), v},
		{"issuer", []string{realistic(stranger, "RS256", 0)}, v},
		{"unknown-key", unknownKeys(realistic(issuer, "RS256", 0), 4096), v},
		{"signature", refused(forged), v},
		{"large", []string{strings.Repeat("x", 1<<20)}, v},
		{"large-dots", []string{strings.Repeat(".", 1<<20)}, v},
		{"spaces", []string{"Authorization:" + strings.Repeat(" ", 1<<20) + "Bearer x"}, v},
		{"cookies", []string{"Cookie:" + strings.Repeat("a;", 8<<10)}, v},
		{"large-cookies", []string{"Cookie:" + strings.Repeat("a=b; ", 200<<10)}, v},
		// The number is one at which parsers are slow.
		{"numbers", elements(short, "a", `2.2250738585072011e-308`), v},
		{"names", members(short, `"%x":0`), v},
		{"escaped-names", members(short, `"\/%x":0`), v},
		{"escaped-audience", elements(short, "aud", `"\/%x"`), v},
		{"long-numbers", elements(long, "a", `2.2250738585072011e-308`, forged), v},
		{"long-names", members(long, `"%x":0`, forged), v},
		{"long-escaped-names", members(long, `"\/%x":0`, forged), v},
		{"long-escaped-audience", elements(long, "aud", `"\/%x"`, forged), v},
		{"long-names-of-two", members(long, `"%x":0`, forged), both},
		{"long-header", []string{issuer.Token("api1", forged, jwtbearertest.RawHeader(
			fmt.Sprintf(`{"alg":"RS256","kid":%q,`, issuer.KeyID("RS256"))+list(9_000, `"%x":"`+strings.Repeat(`\/`, 25)+`"`)+`}`))}, v},
	} {
		b.Run(bad.name, func(b *testing.B) {
			h := bad.v.Require("api1", jwtbearer.Cookie("token"))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.Error("it passed") }))
			requests := make([]*http.Request, len(bad.tokens))
			for i, token := range bad.tokens {
				requests[i] = bearer(token)
				if name, value, ok := strings.Cut(token, ":"); ok || token == "" {
					requests[i].Header = http.Header{name: {value}}
				}
			}
			// The first may cause fetches, as many as the budget allows.
			for _, r := range requests[:min(len(requests), 16)] {
				h.ServeHTTP(discard{http.Header{}}, r)
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(discard{http.Header{}}, requests[i%len(requests)])
				i++
			}
		})
	}
}

// unknownKeys are n tokens like a good one that name a key each which nobody has.
func unknownKeys(token string, n int) []string {
	_, rest, _ := strings.Cut(token, ".")
	tokens := make([]string, n)
	for i := range tokens {
		header := fmt.Sprintf(`{"alg":"RS256","typ":"at+jwt","kid":"junk-%016x"}`, i)
		tokens[i] = base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + rest
	}
	return tokens
}

// list is the text of as many elements as go into so many bytes, at most 4,000, each
// with its number where the form has a verb.
func list(size int, form string) string {
	var text strings.Builder
	for i := range 4000 {
		element := form
		if strings.Contains(form, "%") {
			element = fmt.Sprintf(form, i)
		}
		if text.Len()+1+len(element) > size {
			break
		}
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(element)
	}
	return text.String()
}

// BenchmarkAuthorities is a thousand tokens, first seen and repeated, of more and
// more joined authorities.
func BenchmarkAuthorities(b *testing.B) {
	issuer := jwtbearertest.NewIssuer(b, &jwtbearertest.Options{Algorithms: []string{"ES256"}})
	for _, kind := range []struct {
		name  string
		cache jwtbearer.CacheOptions
	}{
		{"first-seen", jwtbearer.CacheOptions{MaxEntries: 8}},
		{"repeated", jwtbearer.CacheOptions{}},
	} {
		for _, n := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/authorities=%d", kind.name, n), func(b *testing.B) {
				p, _ := joined(b, issuer, n, kind.cache).Policy("api1")
				tokens := make([]string, 1000)
				for i := range tokens {
					tokens[i] = realistic(issuer, "ES256", i, jwtbearertest.Claim("iss", fmt.Sprintf("https://t%d.test", i%n)))
					if _, err := p.Verify(b.Context(), tokens[i]); err != nil {
						b.Fatal(err)
					}
				}
				i := 0
				b.ReportAllocs()
				for b.Loop() {
					if _, err := p.Verify(b.Context(), tokens[i%len(tokens)]); err != nil {
						b.Fatal(err)
					}
					i++
				}
			})
		}
	}
}

// joined is a verifier of n authorities, https://t0.test and so on, which all
// have the keys of issuer.
func joined(b *testing.B, issuer *jwtbearertest.Issuer, n int, cache jwtbearer.CacheOptions) *jwtbearer.Verifier {
	client := jwtbearertest.HandlerClient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/keys" {
			w.Write(issuer.KeySet())
			return
		}
		fmt.Fprintf(w, `{"issuer":"https://%[1]s","jwks_uri":"https://%[1]s/keys"}`, r.Host)
	}))
	members := make([]*jwtbearer.Verifier, n)
	for i := range members {
		var err error
		members[i], err = jwtbearer.New(fmt.Sprintf("https://t%d.test", i), &jwtbearer.Options{
			HTTPClient: client, Cache: cache, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
	}
	v, err := jwtbearer.Join(members...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { v.Close() })
	return v
}

// BenchmarkMemory is what the memory of tokens takes: however many distinct ones
// are offered, no more than it counts and is bounded by. A million take a minute
// or two.
func BenchmarkMemory(b *testing.B) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	issuer := jwtbearertest.NewIssuer(b)
	issuer.AddKeys(jwtbearertest.ExtraKey(fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"cheap","x":%q}`,
		base64.RawURLEncoding.EncodeToString(public))))
	// The claims are those of one realistic token, but for a number of its own. Signing
	// is done here, at the least cost.
	text := base64.RawURLEncoding
	segments := strings.Split(realistic(issuer, "EdDSA", 0), ".")
	claims, err := text.DecodeString(segments[1])
	if err != nil {
		b.Fatal(err)
	}
	header := text.EncodeToString([]byte(`{"alg":"EdDSA","typ":"at+jwt","kid":"cheap"}`))
	token := func(i int) string {
		input := header + "." + text.EncodeToString(fmt.Appendf(claims[:len(claims)-1:len(claims)-1], `,"n":%d}`, i))
		return input + "." + text.EncodeToString(ed25519.Sign(private, []byte(input)))
	}
	for _, offered := range []int{10, 1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("offered=%d", offered), func(b *testing.B) {
			for b.Loop() {
				v, _ := benchVerifier(b, issuer, jwtbearer.CacheOptions{})
				p, _ := v.Policy("api1")
				before := heap()
				for i := range offered {
					if _, err := p.Verify(b.Context(), token(i)); err != nil {
						b.Fatal(err)
					}
				}
				st := v.Status().Cache
				b.ReportMetric(float64(heap()-before)/(1<<20), "heap-MiB")
				b.ReportMetric(float64(st.Bytes)/(1<<20), "counted-MiB")
				b.ReportMetric(float64(st.Entries), "entries")
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
