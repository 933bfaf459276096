package jose_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
)

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		raw  string
		want error
	}{
		{"h.p.s", nil},
		{"h.p.", nil}, // an unsecured JWS: no key verifies an empty signature
		{"aGVhZA.cGF5.c2ln", nil},
		{"", jose.ErrMalformed},
		{".", jose.ErrMalformed},
		{"..", jose.ErrMalformed},
		{"...", jose.ErrMalformed},
		{"....", jose.ErrMalformed},
		{"h", jose.ErrMalformed},
		{"h.p", jose.ErrMalformed},
		{".p.s", jose.ErrMalformed},
		{"h..s", jose.ErrDetached},
		{"h..", jose.ErrDetached},
		{"h.p.s.", jose.ErrMalformed},
		{"h.p.s.x", jose.ErrMalformed},
		{"h.k.i.c.t", jose.ErrEncrypted},
		{"h..i.c.t", jose.ErrEncrypted},
		{"h....", jose.ErrEncrypted},
		{".k.i.c.t", jose.ErrMalformed},
		{"h.k.i.c.t.x", jose.ErrMalformed},
		{`{"payload":"p"}`, jose.ErrSerialization},
		{`{`, jose.ErrSerialization},
		{` {"payload":"p"}`, jose.ErrMalformed},
		{`["h","p","s"]`, jose.ErrMalformed},
		{strings.Repeat("h", 12<<10) + ".p." + strings.Repeat("s", 1366), nil},
		{strings.Repeat("h", 12<<10+1) + ".p.s", jose.ErrMalformed},
		{"h.p." + strings.Repeat("s", 1367), jose.ErrMalformed},
	} {
		c, err := jose.Split(tt.raw)
		if err != tt.want {
			t.Errorf("Split(%q): got %v, want %v", tt.raw, err, tt.want)
			continue
		}
		if err != nil {
			if c != (jose.Compact{}) {
				t.Errorf("Split(%q): an error came with %+v", tt.raw, c)
			}
			continue
		}
		if c.Header+"."+c.Payload+"."+c.Signature != tt.raw || c.SigningInput != c.Header+"."+c.Payload {
			t.Errorf("Split(%q): got %+v", tt.raw, c)
		}
	}
}

// TestAppendSegment compares with encoding/base64: a text is accepted if and only
// if it is what its own bytes encode to.
func TestAppendSegment(t *testing.T) {
	const alphabet = "ABab019-_+/= \t\r\n.\x00\xff~%"
	check := func(text string) {
		decoded, decodeErr := base64.RawURLEncoding.DecodeString(text)
		want := decodeErr == nil && base64.RawURLEncoding.EncodeToString(decoded) == text
		prefix := []byte("before")
		got, err := jose.AppendSegment(prefix, text)
		switch {
		case jose.CheckSegment(text) != want:
			t.Errorf("%q: checked to be %v, want %v", text, !want, want)
		case (err == nil) != want:
			t.Errorf("%q: got error %v, want accepted: %v", text, err, want)
		case err != nil && (err != jose.ErrMalformed || string(got) != "before"):
			t.Errorf("%q: got %q with %v", text, got, err)
		case err == nil && string(got) != "before"+string(decoded):
			t.Errorf("%q: got %q, want %q after the prefix", text, got, decoded)
		}
	}
	for n := range 4 { // all texts of up to three characters
		text := make([]byte, n)
		for i := range pow(len(alphabet), n) {
			for k := range n {
				text[k] = alphabet[i%len(alphabet)]
				i /= len(alphabet)
			}
			check(string(text))
		}
	}
	g := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		b := make([]byte, g.IntN(40))
		for i := range b {
			b[i] = byte(g.Uint32())
		}
		text := []byte(base64.RawURLEncoding.EncodeToString(b))
		check(string(text))
		if len(text) > 0 {
			text[g.IntN(len(text))] = alphabet[g.IntN(len(alphabet))]
			check(string(text))
			check(string(text) + string(alphabet[g.IntN(len(alphabet))]))
		}
	}
	check(strings.Repeat("A", 1<<16))
	check(strings.Repeat("A", 1<<16-1))
}

// TestAppendSegmentReusesMemory: what was in the buffer does not matter, and a
// large one is not made anew.
func TestAppendSegmentReusesMemory(t *testing.T) {
	buf := bytes.Repeat([]byte{0xee}, 1<<12)[:0]
	if got, err := jose.AppendSegment(buf, "aGVsbG8"); err != nil || string(got) != "hello" || &got[0] != &buf[:1][0] {
		t.Errorf("got %q, %v", got, err)
	}
	if n := testing.AllocsPerRun(100, func() { buf, _ = jose.AppendSegment(buf[:0], "aGVsbG8") }); n != 0 {
		t.Errorf("%v allocations with a buffer that is large enough", n)
	}
}

func pow(b, n int) int {
	p := 1
	for range n {
		p *= b
	}
	return p
}

func TestParseHeader(t *testing.T) {
	for _, tt := range []struct {
		text string
		want jose.Header
		err  error
	}{
		{`{"alg":"RS256"}`, jose.Header{Algorithm: "RS256"}, nil},
		{`{"alg":"RS256","kid":"k","typ":"JWT"}`, jose.Header{Algorithm: "RS256", KeyID: "k", Type: "JWT", MediaType: "jwt"}, nil},
		{`{"typ":"application/AT+jwt","alg":"x"}`, jose.Header{Algorithm: "x", Type: "application/AT+jwt", MediaType: "at+jwt"}, nil},
		{`{"alg":"none","jku":"u","jwk":7,"x5u":[],"x5c":{},"cty":null}`, jose.Header{Algorithm: "none"}, nil},
		{`{"alg":"a","b64":true}`, jose.Header{Algorithm: "a"}, nil},
		{`{"alg":"a","CRIT":["x"],"B64":false,"Kid":"k"}`, jose.Header{Algorithm: "a"}, nil},
		{`{}`, jose.Header{}, jose.ErrHeader},
		{``, jose.Header{}, jose.ErrHeader},
		{`{"alg":"a"} `, jose.Header{}, jose.ErrHeader},
		{`{"alg":"a","alg":"a"}`, jose.Header{}, jose.ErrHeader},
		{`{"ALG":"a"}`, jose.Header{}, jose.ErrHeader},
		{`{"alg":""}`, jose.Header{}, jose.ErrHeader},
		{`{"alg":null}`, jose.Header{}, jose.ErrHeader},
		{`{"alg":["a"]}`, jose.Header{}, jose.ErrHeader},
		{`{"alg":"a","kid":""}`, jose.Header{}, jose.ErrHeader},
		{`{"alg":"a","kid":7}`, jose.Header{}, jose.ErrHeader},
		{`{"alg":"a","typ":""}`, jose.Header{}, jose.ErrHeader},
		{`{"alg":"a","typ":null}`, jose.Header{}, jose.ErrHeader},
		{`{"alg":"a","crit":[]}`, jose.Header{}, jose.ErrCritical},
		{`{"alg":"a","crit":null}`, jose.Header{}, jose.ErrCritical},
		{`{"crit":["x"]}`, jose.Header{}, jose.ErrCritical},
		{`{"alg":"a","b64":false}`, jose.Header{}, jose.ErrUnencoded},
		{`{"alg":"a","b64":false,"crit":["b64"]}`, jose.Header{}, jose.ErrUnencoded},
		{`{"alg":"a","b64":null}`, jose.Header{}, jose.ErrUnencoded},
		{`{"alg":"a","b64":"true"}`, jose.Header{}, jose.ErrUnencoded},
	} {
		h, err := jose.ParseHeader(tt.text)
		if !errors.Is(err, tt.err) || (err == nil) != (h != nil) {
			t.Errorf("%s: got %v, %v, want %v", tt.text, h, err, tt.err)
		} else if h != nil && *h != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.text, *h, tt.want)
		}
	}
}

func TestMediaType(t *testing.T) {
	for typ, want := range map[string]string{
		"": "", "JWT": "jwt", "at+jwt": "at+jwt", "AT+JWT": "at+jwt", "application/at+jwt": "at+jwt", "APPLICATION/JWT": "jwt",
		"application/": "application/", "application/a/b": "application/a/b", "text/jwt": "text/jwt", "application": "application",
		"\u212aB": "\u212ab", "JW\u1d40": "jw\u1d40",
	} {
		if got := jose.MediaType(typ); got != want {
			t.Errorf("MediaType(%q): got %q, want %q", typ, got, want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	rsaKey  = must(rsa.GenerateKey(cryptorand.Reader, 2048))
	ecKeys  = map[string]*ecdsa.PrivateKey{"ES256": newEC(elliptic.P256()), "ES384": newEC(elliptic.P384()), "ES512": newEC(elliptic.P521())}
	edKey   = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	hashes  = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}
	sizes   = map[string]int{"ES256": 32, "ES384": 48, "ES512": 66}
	message = []byte("header.payload")
)

func newEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(curve, cryptorand.Reader))
}

func digestOf(alg string) (crypto.Hash, []byte) {
	hash := hashes[alg[2:]]
	h := hash.New()
	h.Write(message)
	return hash, h.Sum(nil)
}

// sign signs message by alg with the standard library.
func sign(alg string) (crypto.PublicKey, []byte) {
	switch {
	case strings.HasPrefix(alg, "Ed"):
		return edKey.Public(), ed25519.Sign(edKey, message)
	case alg[:2] == "RS":
		hash, digest := digestOf(alg)
		return rsaKey.Public(), must(rsa.SignPKCS1v15(nil, rsaKey, hash, digest))
	case alg[:2] == "PS":
		hash, digest := digestOf(alg)
		return rsaKey.Public(), must(rsa.SignPSS(cryptorand.Reader, rsaKey, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
	}
	_, digest := digestOf(alg)
	r, s, err := ecdsa.Sign(cryptorand.Reader, ecKeys[alg], digest)
	if err != nil {
		panic(err)
	}
	return ecKeys[alg].Public(), fixed(alg, r, s)
}

func fixed(alg string, r, s *big.Int) []byte {
	size := sizes[alg]
	return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
}

func TestVerify(t *testing.T) {
	keys := map[string]crypto.PublicKey{}
	signatures := map[string][]byte{}
	for _, alg := range jose.Algorithms {
		keys[alg], signatures[alg] = sign(alg)
		if !jose.Supported(alg) {
			t.Errorf("%s is listed and not supported", alg)
		}
	}
	// A signature holds for its own algorithm and key, and for no other.
	for _, alg := range jose.Algorithms {
		for _, by := range jose.Algorithms {
			for _, key := range jose.Algorithms {
				same := func(a, b string) bool { return a == b || a[:2] == "Ed" && b[:2] == "Ed" }
				want := same(alg, by) && (same(alg, key) || alg[1:2] == "S" && key[1:2] == "S" && alg[0] != 'E' && key[0] != 'E')
				if got := jose.Verify(alg, keys[key], message, signatures[by]); got != want {
					t.Errorf("Verify(%s) with the key for %s of a signature by %s: got %v", alg, key, by, got)
				}
			}
		}
		b := bytes.Clone(signatures[alg])
		for _, i := range []int{0, len(b) / 2, len(b) - 1} {
			b[i] ^= 1
			if jose.Verify(alg, keys[alg], message, b) {
				t.Errorf("%s: byte %d of the signature was changed", alg, i)
			}
			b[i] ^= 1
		}
		for name, b := range map[string][]byte{
			"none": nil, "one byte": {1}, "one byte less": b[:len(b)-1], "one byte more": append(bytes.Clone(b), 0), "a zero in front": append([]byte{0}, b...), "zeros": make([]byte, len(b)), "twice": append(bytes.Clone(b), b...),
		} {
			if jose.Verify(alg, keys[alg], message, b) {
				t.Errorf("%s: accepted a signature of %s", alg, name)
			}
		}
		if jose.Verify(alg, keys[alg], []byte("header.payloae"), b) {
			t.Errorf("%s: accepted another message", alg)
		}
	}
	for _, alg := range []string{"", "none", "HS256", "HS384", "HS512", "ES256K", "rs256", "RS256 ", "Ed448"} {
		if jose.Supported(alg) || jose.Verify(alg, keys["RS256"], message, signatures["RS256"]) {
			t.Errorf("%q is supported", alg)
		}
	}
	type named []byte
	for name, key := range map[string]crypto.PublicKey{
		"nil": nil, "a private key": rsaKey, "an RSA key by value": rsaKey.PublicKey, "bytes": []byte(edKey.Public().(ed25519.PublicKey)), "other bytes": named(edKey.Public().(ed25519.PublicKey)),
		"a short Ed25519 key": ed25519.PublicKey{1, 2, 3}, "no Ed25519 key": ed25519.PublicKey(nil), "an Ed25519 private key": edKey,
	} {
		for _, alg := range jose.Algorithms {
			if jose.Verify(alg, key, message, signatures[alg]) {
				t.Errorf("%s: accepted with %s", alg, name)
			}
		}
	}
}

// TestVerifyPSSSalt: the salt is as long as the hash (RFC 7518, Section 3.5).
func TestVerifyPSSSalt(t *testing.T) {
	for _, alg := range []string{"PS256", "PS384", "PS512"} {
		hash, digest := digestOf(alg)
		for _, salt := range []int{0, 1, 20, hash.Size() - 1, hash.Size(), hash.Size() + 1, rsa.PSSSaltLengthAuto} {
			signature := must(rsa.SignPSS(cryptorand.Reader, rsaKey, hash, digest, &rsa.PSSOptions{SaltLength: salt}))
			if got := jose.Verify(alg, rsaKey.Public(), message, signature); got != (salt == hash.Size()) {
				t.Errorf("%s with a salt of %d bytes: got %v", alg, salt, got)
			}
		}
	}
}

// TestVerifyECDSA is about the two numbers: in range, and written in one way.
func TestVerifyECDSA(t *testing.T) {
	for alg, key := range ecKeys {
		_, digest := digestOf(alg)
		n, size := key.Curve.Params().N, sizes[alg]
		r, s, err := ecdsa.Sign(cryptorand.Reader, key, digest)
		if err != nil {
			t.Fatal(err)
		}
		other := new(big.Int).Sub(n, s)
		if !jose.Verify(alg, key.Public(), message, fixed(alg, r, s)) || !jose.Verify(alg, key.Public(), message, fixed(alg, r, other)) {
			t.Errorf("%s: a signature was refused", alg)
		}
		zero, one := new(big.Int), big.NewInt(1)
		most := new(big.Int).Sub(new(big.Int).Lsh(one, uint(8*size)), one)
		for name, pair := range map[string][2]*big.Int{
			"r = 0": {zero, s}, "s = 0": {r, zero}, "both 0": {zero, zero}, "r = 1": {one, s}, "s = 1": {r, one}, "r = n": {n, s}, "s = n": {r, n}, "r = n, s = 0": {n, zero}, "swapped": {s, r},
			"r = most": {most, s}, "s = most": {r, most}, "both most": {most, most},
		} {
			if jose.Verify(alg, key.Public(), message, fixed(alg, pair[0], pair[1])) {
				t.Errorf("%s: accepted %s", alg, name)
			}
		}
		for _, sum := range []*big.Int{new(big.Int).Add(r, n), new(big.Int).Add(s, n)} {
			if sum.BitLen() <= 8*size {
				if jose.Verify(alg, key.Public(), message, fixed(alg, sum, s)) || jose.Verify(alg, key.Public(), message, fixed(alg, r, sum)) {
					t.Errorf("%s: accepted a number that was not reduced", alg)
				}
			}
		}
		for _, zeros := range []int{1, 2, size} {
			if jose.Verify(alg, key.Public(), message, append(append(r.FillBytes(make([]byte, size)), make([]byte, zeros)...), s.FillBytes(make([]byte, size))...)) {
				t.Errorf("%s: accepted %d zeros before s", alg, zeros)
			}
		}
		der := must(asn1.Marshal(struct{ R, S *big.Int }{r, s}))
		if jose.Verify(alg, key.Public(), message, der) {
			t.Errorf("%s: accepted DER", alg)
		}
		// The forms of other curves, and halves that are shorter or longer.
		for _, half := range []int{32, 48, 66, size - 1, size + 1} {
			if half == size || half*8 < max(r.BitLen(), s.BitLen()) {
				continue
			}
			b := append(r.FillBytes(make([]byte, half)), s.FillBytes(make([]byte, half))...)
			if jose.Verify(alg, key.Public(), message, b) {
				t.Errorf("%s: accepted halves of %d bytes", alg, half)
			}
		}
		// The digest that fits the curve, signed on another curve.
		for otherAlg, otherKey := range ecKeys {
			if otherAlg == alg {
				continue
			}
			r, s, err := ecdsa.Sign(cryptorand.Reader, otherKey, digest)
			if err != nil {
				t.Fatal(err)
			}
			if max(r.BitLen(), s.BitLen()) <= 8*size && jose.Verify(alg, otherKey.Public(), message, fixed(alg, r, s)) {
				t.Errorf("%s: accepted a key for %s", alg, otherAlg)
			}
		}
	}
}

// TestVerifyECDSAAgreesWithTheStandardLibrary goes through many signatures, so
// that numbers with leading zeros and with a high bit are among them.
func TestVerifyECDSAAgreesWithTheStandardLibrary(t *testing.T) {
	for alg, count := range map[string]int{"ES256": 1500, "ES384": 60, "ES512": 200} {
		if testing.Short() {
			count /= 10
		}
		key := ecKeys[alg]
		_, digest := digestOf(alg)
		var short, high int
		for i := range count {
			r, s, err := ecdsa.Sign(cryptorand.Reader, key, digest)
			if err != nil {
				t.Fatal(err)
			}
			b := fixed(alg, r, s)
			if b[0] == 0 || b[len(b)/2] == 0 {
				short++
			}
			if b[0]&0x80 != 0 {
				high++
			}
			if !jose.Verify(alg, key.Public(), message, b) {
				t.Fatalf("%s: refused r = %x, s = %x", alg, r, s)
			}
			b[i%len(b)] ^= 1 << (i % 8)
			half := len(b) / 2
			want := ecdsa.Verify(&key.PublicKey, digest, new(big.Int).SetBytes(b[:half]), new(big.Int).SetBytes(b[half:]))
			if got := jose.Verify(alg, key.Public(), message, b); got != want {
				t.Fatalf("%s: got %v, crypto/ecdsa says %v: %x", alg, got, want, b)
			}
		}
		if !testing.Short() && alg != "ES384" && short == 0 {
			t.Errorf("%s: none of %d signatures has a leading zero", alg, count)
		}
		if alg != "ES512" && high == 0 {
			t.Errorf("%s: no number of %d signatures has its high bit set", alg, count)
		}
	}
}
