package jwtbearer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"

	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/bearerguard/bearerguard/jwtbearer"
	mint "github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// Keys of this test's own, for what an issuer's would not do. RSA keys are slow
// to make.
var (
	ownRSA  = sync.OnceValue(func() *rsa.PrivateKey { return ownRSAKey(2048) })
	weakRSA = sync.OnceValue(func() *rsa.PrivateKey { return ownRSAKey(1024) })
	ownEC   = sync.OnceValue(func() (keys [5]*ecdsa.PrivateKey) {
		for i := range keys {
			keys[i], _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		}
		return keys
	})
)

func ownRSAKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// published is the public JWK of a key with these members changed; null takes one
// out.
func published(key any, members string) mint.ExtraKey {
	if private, ok := key.(crypto.Signer); ok {
		key = private.Public()
	}
	k, err := jwk.FromRaw(key)
	if err != nil {
		panic(err)
	}
	text, _ := json.Marshal(k)
	all := map[string]json.RawMessage{}
	json.Unmarshal(text, &all)
	changes := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(members), &changes); err != nil {
		panic(err)
	}
	for name, value := range changes {
		all[name] = value
		if string(value) == "null" {
			delete(all, name)
		}
	}
	text, _ = json.Marshal(all)
	return mint.ExtraKey(text)
}

// pss signs the token anew with another length of salt.
func pss(salt int) func(string) string {
	return func(token string) string {
		input := token[:strings.LastIndexByte(token, '.')]
		digest := sha256.Sum256([]byte(input))
		signature, err := rsa.SignPSS(rand.Reader, ownRSA(), crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			panic(err)
		}
		return input + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
}

// signature changes the decoded signature.
func signature(change func([]byte) []byte) func(string) string {
	return segment(2, func(s string) string {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(change(b))
	})
}

// fixed writes n into size bytes.
func fixed(n *big.Int, size int) []byte { return n.FillBytes(make([]byte, size)) }

var allAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}

func conformanceAlgorithms() []conformanceArea {
	const allow, oneAlg = "RFC 8725, 3.1", "RFC 8725, 3.1; RFC 7517, 4.4"
	var cases []conformanceCase
	bare := &conformanceSetup{is: "keys without `alg` and `use`", issuer: mint.Options{BareKeys: true}}
	nameless := &conformanceSetup{is: "keys and tokens without `kid`", issuer: mint.Options{NoKeyIDs: true}}
	bareNameless := &conformanceSetup{is: "keys without `alg`, `use` and `kid`", issuer: mint.Options{BareKeys: true, NoKeyIDs: true}}
	for _, alg := range allAlgorithms {
		cases = append(cases,
			conformanceCase{name: alg, edit: edits(mint.Algorithm(alg)), source: "RFC 7518, 3.1; RFC 8037; RFC 9864"},
			conformanceCase{name: alg, at: bare, edit: edits(mint.Algorithm(alg)), source: "RFC 7517, 4.2 and 4.4 (optional)"},
			conformanceCase{name: alg, at: nameless, edit: edits(mint.Algorithm(alg)), source: "RFC 7517, 4.5 (optional)"},
			conformanceCase{name: alg, at: bareNameless, edit: edits(mint.Algorithm(alg)), source: "RFC 7517, 4.2, 4.4 and 4.5 (optional)"},
		)
	}
	for i := range cases {
		if at := cases[i].at; at != nil {
			cases[i].name += ", " + at.is
		}
	}
	for _, alg := range allAlgorithms {
		cases = append(cases, conformanceCase{name: alg + " with a changed signature", want: "signature", source: "RFC 7515, 5.2", with: edits(mint.Algorithm(alg)), edit: edits(mint.ForgedSignature())})
	}
	for _, alg := range allAlgorithms {
		cases = append(cases, conformanceCase{name: alg + ", signed by a stranger", want: "signature", source: "RFC 7515, 5.2; RFC 9068, 4", with: edits(mint.Algorithm(alg)), edit: edits(mint.SignedByStranger())})
	}
	// One key, two algorithms.
	for _, pair := range [][2]string{{"RS256", "PS256"}, {"PS256", "RS256"}, {"RS256", "RS384"}, {"RS512", "RS256"}, {"PS384", "PS512"}} {
		cases = append(cases, conformanceCase{
			name: fmt.Sprintf("%s under the `kid` of the key whose `alg` is %s, which is the same RSA key", pair[0], pair[1]), want: "unknown_key", source: oneAlg,
			with: edits(mint.Algorithm(pair[0])),
			editFor: func(i *mint.Issuer) []mint.TokenOption {
				return edits(mint.Header("kid", i.KeyID(pair[1])))
			},
		})
	}
	for _, pair := range [][2]string{{"EdDSA", "Ed25519"}, {"Ed25519", "EdDSA"}} {
		cases = append(cases, conformanceCase{
			name: fmt.Sprintf("%s under the `kid` of the key whose `alg` is %s: two names of one algorithm", pair[0], pair[1]), source: "RFC 9864, 2.2",
			edit:    edits(mint.Algorithm(pair[0])),
			editFor: func(i *mint.Issuer) []mint.TokenOption { return edits(mint.Header("kid", i.KeyID(pair[1]))) },
		})
	}
	for _, pair := range [][2]string{{"RS256", "ES256"}, {"ES256", "RS256"}, {"ES256", "ES384"}, {"ES384", "ES256"}, {"ES512", "ES256"}, {"EdDSA", "ES256"}, {"ES256", "EdDSA"}, {"RS256", "EdDSA"}, {"EdDSA", "RS256"}} {
		for _, at := range []*conformanceSetup{nil, bare} {
			name := fmt.Sprintf("%s under the `kid` of a key for %s", pair[0], pair[1])
			cases = append(cases, conformanceCase{
				name: name + setupSuffix(at), at: at, want: "unknown_key", source: "RFC 7518, 3.1; RFC 8725, 3.1",
				with:    edits(mint.Algorithm(pair[0])),
				editFor: func(i *mint.Issuer) []mint.TokenOption { return edits(mint.Header("kid", i.KeyID(pair[1]))) },
			})
		}
	}
	// The header says one thing, the signature is another.
	for _, pair := range [][2]string{{"RS256", "RS512"}, {"RS256", "PS256"}, {"PS256", "RS256"}, {"PS256", "PS384"}} {
		cases = append(cases, conformanceCase{
			name: fmt.Sprintf("the header says %s, the same key signed by %s", pair[0], pair[1]), at: bare, want: "signature", source: allow,
			edit: edits(mint.Algorithm(pair[1]), mint.Header("alg", pair[0])), mend: edits(mint.Algorithm(pair[0])),
		})
	}
	for _, none := range []string{"none", "None", "NONE", "nOnE", "none ", " none"} {
		cases = append(cases,
			conformanceCase{name: fmt.Sprintf("`%q` and an empty signature", none), want: "algorithm", source: "RFC 9068, 4; RFC 8725, 3.2", edit: edits(mint.AlgNone(), mint.Header("alg", none))},
			conformanceCase{name: fmt.Sprintf("`%q` and a signature", none), want: "algorithm", source: "RFC 9068, 4; RFC 8725, 3.2", edit: edits(mint.Header("alg", none))},
		)
	}
	secrets := []struct {
		is     string
		secret func(public *rsa.PublicKey, der []byte) []byte
	}{
		{"the public key as PEM", func(_ *rsa.PublicKey, der []byte) []byte {
			return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		}},
		{"the public key as DER", func(_ *rsa.PublicKey, der []byte) []byte { return der }},
		{"the modulus", func(public *rsa.PublicKey, _ []byte) []byte { return public.N.Bytes() }},
		{"the JWK", func(public *rsa.PublicKey, _ []byte) []byte { return []byte(published(public, `{"kid":"own"}`)) }},
		{"nothing", func(*rsa.PublicKey, []byte) []byte { return []byte{0} }},
	}
	own := &conformanceSetup{is: "one more RSA key", keys: func(i *mint.Issuer) { i.AddKeys(published(ownRSA().Public(), `{"kid":"own"}`)) }}
	for _, s := range secrets {
		der, err := x509.MarshalPKIXPublicKey(ownRSA().Public())
		if err != nil {
			panic(err)
		}
		cases = append(cases, conformanceCase{
			name: "HS256 with " + s.is + " as the secret", at: own, want: "algorithm", source: "RFC 8725, 2.1 and 3.1",
			edit: edits(mint.SigningKey(s.secret(&ownRSA().PublicKey, der)), mint.Header("kid", "own")),
			mend: edits(mint.SigningKey(ownRSA()), mint.Header("kid", "own")),
		})
	}
	cases = append(cases, conformanceCase{name: "HS256 with the signing key's PEM, by HMACWithPublicKey", want: "algorithm", source: "RFC 8725, 2.1 and 3.1", edit: edits(mint.HMACWithPublicKey())})
	for _, alg := range []string{"HS256", "HS384", "HS512", "ES256K", "Ed448", "ESP256", "ML-DSA-44", "RS1", "RSA-OAEP", "dir", "A128KW", "PBES2-HS256+A128KW", "rs256", "Rs256", "RS256 ", " RS256", "RS256\u0000", "RS256,none", "eddsa", "EDDSA", "ed25519", "SHA256withRSA"} {
		cases = append(cases, conformanceCase{name: fmt.Sprintf("`alg` is `%s`", strings.Trim(fmt.Sprintf("%q", alg), `"`)), want: "algorithm", source: allow, edit: edits(mint.Header("alg", alg))})
	}
	for _, v := range []wrongValue{{"a number", `256`}, {"null", `null`}, {"a boolean", `true`}, {"an array", `["RS256"]`}, {"an object", `{"alg":"RS256"}`}, {"an empty string", `""`}} {
		cases = append(cases, conformanceCase{name: "`alg` is " + v.is + ": `" + v.json + "`", want: "malformed", source: "RFC 7515, 4.1.1", edit: edits(mint.Header("alg", json.RawMessage(v.json)))})
	}
	cases = append(cases, conformanceCase{name: "no `alg`", want: "malformed", source: "RFC 7515, 4.1.1", edit: edits(mint.WithoutHeader("alg"))})
	only := &conformanceSetup{is: "Algorithms ES256", options: jwtbearer.Options{Algorithms: []string{"ES256"}}}
	cases = append(cases,
		conformanceCase{name: "the one algorithm that is listed", at: only, source: allow, edit: edits(mint.Algorithm("ES256"))},
		conformanceCase{name: "a good token by an algorithm that is not listed", at: only, want: "algorithm", source: allow, edit: edits(mint.Algorithm("RS256")), mend: edits(mint.Algorithm("ES256"))},
		conformanceCase{name: "EdDSA, where only Ed25519 is listed", at: &conformanceSetup{is: "Algorithms Ed25519", options: jwtbearer.Options{Algorithms: []string{"Ed25519"}}},
			want: "algorithm", source: "RFC 9864, 2.2", edit: edits(mint.Algorithm("EdDSA")), mend: edits(mint.Algorithm("Ed25519"))},
	)

	const ec, rs = "RFC 7518, 3.4", "RFC 8017, 8.2.2"
	var signatures []conformanceCase
	for _, alg := range []struct {
		name  string
		size  int
		curve elliptic.Curve
	}{{"ES256", 32, elliptic.P256()}, {"ES384", 48, elliptic.P384()}, {"ES512", 66, elliptic.P521()}} {
		n, size := alg.curve.Params().N, alg.size
		add := func(name, want string, change func(r, s []byte) []byte) {
			signatures = append(signatures, conformanceCase{
				name: alg.name + ": " + name, want: want, source: ec, with: edits(mint.Algorithm(alg.name)),
				text: signature(func(b []byte) []byte { return change(b[:size:size], b[size:]) }),
			})
		}
		join := func(r, s []byte) []byte { return append(append([]byte(nil), r...), s...) }
		signatures = append(signatures, conformanceCase{name: alg.name + ": the signature in ASN.1 DER", want: "signature", source: ec, with: edits(mint.Algorithm(alg.name)), edit: edits(mint.DERSignature())})
		add("one byte missing", "signature", func(r, s []byte) []byte { return join(r, s[:size-1]) })
		add("one byte too many", "signature", func(r, s []byte) []byte { return join(r, append(s[:size:size], 0)) })
		add("a zero before each half", "signature", func(r, s []byte) []byte { return join(append([]byte{0}, r...), append([]byte{0}, s...)) })
		add("a zero before s only", "signature", func(r, s []byte) []byte { return join(r, append([]byte{0}, s...)) })
		add("many zeros before s", "signature", func(r, s []byte) []byte { return join(r, append(make([]byte, size), s...)) })
		add("half of the signature", "signature", func(r, s []byte) []byte { return r })
		add("r is 0", "signature", func(r, s []byte) []byte { return join(make([]byte, size), s) })
		add("s is 0", "signature", func(r, s []byte) []byte { return join(r, make([]byte, size)) })
		add("r and s are 0", "signature", func(r, s []byte) []byte { return make([]byte, 2*size) })
		add("r and s are 1", "signature", func(r, s []byte) []byte { return join(fixed(big.NewInt(1), size), fixed(big.NewInt(1), size)) })
		add("r is the order of the curve", "signature", func(r, s []byte) []byte { return join(fixed(n, size), s) })
		add("s is the order of the curve", "signature", func(r, s []byte) []byte { return join(r, fixed(n, size)) })
		add("r and s swapped", "signature", func(r, s []byte) []byte { return join(s, r) })
		add("all bits set", "signature", func(r, s []byte) []byte { return []byte(strings.Repeat("\xff", 2*size)) })
		add("s replaced by n - s, which is a signature too (of the same content)", "", func(r, s []byte) []byte {
			return join(r, fixed(new(big.Int).Sub(n, new(big.Int).SetBytes(s)), size))
		})
	}
	for _, alg := range []string{"RS256", "PS256"} {
		add := func(name string, change func([]byte) []byte) {
			signatures = append(signatures, conformanceCase{name: alg + ": " + name, want: "signature", source: rs, with: edits(mint.Algorithm(alg)), text: signature(change)})
		}
		add("one byte missing", func(b []byte) []byte { return b[:len(b)-1] })
		add("a zero in front", func(b []byte) []byte { return append([]byte{0}, b...) })
		add("a zero behind", func(b []byte) []byte { return append(b, 0) })
		add("one byte", func(b []byte) []byte { return b[:1] })
		add("all zero", func(b []byte) []byte { return make([]byte, len(b)) })
		add("the number 1", func(b []byte) []byte { return fixed(big.NewInt(1), len(b)) })
		add("all bits set", func(b []byte) []byte { return []byte(strings.Repeat("\xff", len(b))) })
	}
	for _, alg := range []string{"EdDSA", "Ed25519"} {
		order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
		add := func(name string, change func([]byte) []byte) {
			signatures = append(signatures, conformanceCase{name: alg + ": " + name, want: "signature", source: "RFC 8032, 5.1.7", with: edits(mint.Algorithm(alg)), text: signature(change)})
		}
		add("one byte missing", func(b []byte) []byte { return b[:len(b)-1] })
		add("one byte too many", func(b []byte) []byte { return append(b, 0) })
		add("all zero", func(b []byte) []byte { return make([]byte, len(b)) })
		add("S replaced by S + L, the same number by another text", func(b []byte) []byte {
			s := make([]byte, 32)
			for i := range s { // little-endian
				s[i] = b[63-i]
			}
			sum := fixed(new(big.Int).Add(new(big.Int).SetBytes(s), order), 32)
			for i := range sum {
				b[63-i] = sum[i]
			}
			return b
		})
	}
	ownPS := &conformanceSetup{is: "one more RSA key", keys: own.keys}
	ps := edits(mint.SigningKey(ownRSA()), mint.Header("alg", "PS256"), mint.Header("kid", "own"))
	signatures = append(signatures,
		conformanceCase{name: "PS256: no salt", at: ownPS, want: "signature", source: "RFC 7518, 3.5", with: ps, text: pss(0), mendText: pss(32)},
		conformanceCase{name: "PS256: a salt of 20 bytes", at: ownPS, want: "signature", source: "RFC 7518, 3.5", with: ps, text: pss(20), mendText: pss(32)},
		conformanceCase{name: "PS256: the longest salt", at: ownPS, want: "signature", source: "RFC 7518, 3.5", with: ps, text: pss(222), mendText: pss(32)},
		conformanceCase{name: "the signature of another token", at: own, want: "signature", source: "RFC 7515, 5.2",
			with: edits(mint.SigningKey(ownRSA()), mint.Header("kid", "own")), text: func(token string) string {
				digest := sha256.Sum256([]byte("e30.e30"))
				signature, err := rsa.SignPKCS1v15(nil, ownRSA(), crypto.SHA256, digest[:])
				if err != nil {
					panic(err)
				}
				return token[:strings.LastIndexByte(token, '.')+1] + base64.RawURLEncoding.EncodeToString(signature)
			}},
		conformanceCase{name: "the payload changed after signing", want: "signature", source: "RFC 7515, 5.2", text: segment(1, func(s string) string {
			text, _ := base64.RawURLEncoding.DecodeString(s)
			return b64(strings.Replace(string(text), `"alice"`, `"admin"`, 1))
		})},
		conformanceCase{name: "a space added to the payload after signing", want: "signature", source: "RFC 7515, 5.2", text: segment(1, func(s string) string {
			text, _ := base64.RawURLEncoding.DecodeString(s)
			return b64(strings.Replace(string(text), `{`, `{ `, 1))
		})},
		conformanceCase{name: "the header changed after signing: no `typ`", want: "signature", source: "RFC 7515, 5.2", text: segment(0, func(s string) string {
			text, _ := base64.RawURLEncoding.DecodeString(s)
			return b64(strings.Replace(string(text), `"typ":"at+jwt",`, ``, 1))
		})},
		conformanceCase{name: "the header changed after signing: no `kid`", want: "signature", source: "RFC 7515, 5.2", text: segment(0, func(s string) string {
			var h map[string]any
			text, _ := base64.RawURLEncoding.DecodeString(s)
			json.Unmarshal(text, &h)
			delete(h, "kid")
			text, _ = json.Marshal(h)
			return b64(string(text))
		})},
	)
	return []conformanceArea{
		{title: "Algorithms", text: "The key decides by which algorithm it may be used, and never the token. There is no code for `none`, and none for an HMAC.", cases: cases},
		{title: "Signatures", cases: signatures},
	}
}

func setupSuffix(at *conformanceSetup) string {
	if at == nil {
		return ""
	}
	return ", " + at.is
}
