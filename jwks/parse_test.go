package jwks_test

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/bearerguard/bearerguard/jwks"
)

// Every row differs from an accepted key in one thing. The good key beside it
// always works.
func TestOneBadKey(t *testing.T) {
	good := ecJWK("good")
	r := jwkOf("k", rsaKey())
	p256, p384, p521 := jwkOf("k", newEC(elliptic.P256())), jwkOf("k", newEC(elliptic.P384())), jwkOf("k", newEC(elliptic.P521()))
	ed := jwkOf("k", newEd())
	modulus := func(bits int, odd bool) string {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		if odd {
			n.SetBit(n, 0, 1)
		}
		return b64(n.Bytes())
	}
	exponent := func(e *big.Int) string { return b64(e.Bytes()) }
	raw := func(member string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(member)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	x := p256["x"].(string)
	// The same bits but for the last two, which are not part of the value.
	stray := x[:len(x)-1] + string(strays(x[len(x)-1]))

	tests := []struct {
		name   string
		key    any
		used   string // algorithms that find it, "" if it is skipped
		reason string
		normal bool
	}{
		{"RSA", r, "RS256 RS384 RS512 PS256 PS384 PS512", "", false},
		{"RSA for one", r.with("alg", "PS384"), "PS384", "", false},
		{"P-256", p256, "ES256", "", false},
		{"P-384", p384, "ES384", "", false},
		{"P-521", p521, "ES512", "", false},
		{"Ed25519", ed, "EdDSA Ed25519", "", false},
		{"Ed25519, alg EdDSA", ed.with("alg", "EdDSA"), "EdDSA Ed25519", "", false},
		{"Ed25519, alg Ed25519", ed.with("alg", "Ed25519"), "EdDSA Ed25519", "", false},
		{"use sig", p256.with("use", "sig"), "ES256", "", false},
		{"key_ops verify", p256.with("key_ops", []string{"sign", "verify"}), "ES256", "", false},
		{"unknown members", p256.with("exp", 1).with("KID", "other").with("Kty", "RSA"), "ES256", "", false},
		{"a certificate that does not fit", r.with("x5c", []string{"AAAA"}).with("x5t", "x").with("x5t#S256", 1).with("x5u", "http://127.0.0.1:1/"), "RS256 RS384 RS512 PS256 PS384 PS512", "", false},
		{"a zero octet before the modulus", r.with("n", b64(append([]byte{0}, raw(r["n"].(string))...))), "RS256 RS384 RS512 PS256 PS384 PS512", "", false},
		{"8192 bits", r.with("n", modulus(8192, true)), "RS256 RS384 RS512 PS256 PS384 PS512", "", false},
		{"2048 bits", r.with("n", modulus(2048, true)), "RS256 RS384 RS512 PS256 PS384 PS512", "", false},
		{"exponent 2^31-1", r.with("e", exponent(big.NewInt(1<<31-1))), "RS256 RS384 RS512 PS256 PS384 PS512", "", false},

		{"unknown kty", jwk{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "k"}, "", "unknown key type", true},
		{"kty in another case", p256.with("kty", "ec"), "", "unknown key type", true},
		{"no kty", p256.with("kty", nil), "", `"kty" is missing`, false},
		{"kty that is no string", p256.with("kty", 1), "", `"kty" is not a string`, false},
		{"KTY only", p256.with("kty", nil).with("KTY", "EC"), "", `"kty" is missing`, false},
		{"symmetric", jwk{"kty": "oct", "k": "c2VjcmV0c2VjcmV0", "kid": "k"}, "", "symmetric", false},
		{"no object", []string{"kty", "EC"}, "", "not a JSON object", false},
		{"null", nil, "", "not a JSON object", false},
		{"a member twice", json.RawMessage(`{"kty":"EC","kty":"EC","kid":"k"}`), "", "twice", false},
		{"kid that is no string", p256.with("kid", 7), "", `"kid" is not a string`, false},
		{"kid that is null", json.RawMessage(`{"kty":"EC","kid":null}`), "", `"kid" is not a string`, false},

		{"use enc", p256.with("use", "enc"), "", "use", true},
		{"use unknown", p256.with("use", "SIG"), "", "use", true},
		{"use that is no string", p256.with("use", []string{"sig"}), "", `"use" is not a string`, false},
		{"key_ops without verify", p256.with("key_ops", []string{"sign"}), "", "key_ops", true},
		{"key_ops empty", p256.with("key_ops", []string{}), "", "key_ops", true},
		{"key_ops that is no array", p256.with("key_ops", "verify"), "", "key_ops", false},
		{"key_ops of numbers", p256.with("key_ops", []int{1}), "", "key_ops", false},
		{"alg for encryption", r.with("alg", "RSA-OAEP"), "", "RSA-OAEP", true},
		{"alg of another type", r.with("alg", "ES256"), "", "does not fit", false},
		{"alg of another curve", p256.with("alg", "ES384"), "", "does not fit", false},
		{"alg in another case", p256.with("alg", "es256"), "", "unsupported alg", true},
		{"alg none", p256.with("alg", "none"), "", "unsupported alg", true},
		{"HMAC on a public key", r.with("alg", "HS256"), "", "HS256", false},
		{"alg that is no string", p256.with("alg", 256), "", `"alg" is not a string`, false},

		{"private EC", p256.with("d", "AAAA"), "", "private", false},
		{"private EC, d empty", p256.with("d", ""), "", "private", false},
		{"private RSA by d", r.with("d", "AAAA"), "", "private", false},
		{"private RSA by p", r.with("p", "AAAA"), "", "private", false},
		{"private RSA by q", r.with("q", "AAAA"), "", "private", false},
		{"private RSA by dp", r.with("dp", "AAAA"), "", "private", false},
		{"private RSA by dq", r.with("dq", "AAAA"), "", "private", false},
		{"private RSA by qi", r.with("qi", "AAAA"), "", "private", false},
		{"private RSA by oth", r.with("oth", []any{}), "", "private", false},
		{"private Ed25519", ed.with("d", "AAAA"), "", "private", false},
		{"private AKP", jwk{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "priv": "AAAA", "kid": "k"}, "", "private", false},

		{"2047 bits", r.with("n", modulus(2047, true)), "", "2047 bits", false},
		{"1024 bits", r.with("n", modulus(1024, true)), "", "1024 bits", false},
		{"a modulus of 1", r.with("n", "AQ"), "", "1 bits", false},
		{"8193 bits", r.with("n", modulus(8193, true)), "", "8193 bits", false},
		{"a huge modulus", r.with("n", modulus(100_000, true)), "", "more than 8192", false},
		{"even modulus", r.with("n", modulus(2048, false)), "", "even RSA modulus", false},
		{"no modulus", r.with("n", nil), "", `"n" is missing`, false},
		{"no exponent", r.with("e", nil), "", `"e" is missing`, false},
		{"exponent 3", r.with("e", "Aw"), "", "exponent", false},
		{"exponent 1", r.with("e", "AQ"), "", "do not make a key", false},
		{"exponent 65535", r.with("e", exponent(big.NewInt(65535))), "", "exponent less", false},
		{"exponent 65538", r.with("e", exponent(big.NewInt(65538))), "", "even RSA exponent", false},
		{"exponent 2^31+1", r.with("e", exponent(big.NewInt(1<<31+1))), "", "31 bits", false},
		{"exponent 2^64+65537", r.with("e", exponent(new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 64), big.NewInt(65537)))), "", "31 bits", false},
		{"zeros before the exponent", r.with("e", b64([]byte{0, 0, 0, 1, 0, 1})), "", "31 bits", false},

		{"padding", p256.with("x", x+"="), "", "canonical", false},
		{"stray bits", p256.with("x", stray), "", "canonical", false},
		{"a line break", p256.with("x", x[:10]+"\n"+x[10:]), "", "canonical", false},
		{"base64 and not base64url", p256.with("x", strings.Repeat("+", 43)), "", "canonical", false},
		{"a number", p256.with("x", 5), "", `"x" is not a string`, false},
		{"no x", p256.with("x", nil), "", `"x" is missing`, false},
		{"no y", p256.with("y", nil), "", `"y" is missing`, false},
		{"x too short", p256.with("x", b64(raw(x)[1:])), "", "31 octets", false},
		{"x too long", p256.with("x", b64(append([]byte{0}, raw(x)...))), "", "33 octets", false},
		{"off the curve", p256.with("y", x), "", "do not make a key", false},
		{"the point at infinity", p256.with("x", b64(make([]byte, 32))).with("y", b64(make([]byte, 32))), "", "do not make a key", false},
		{"coordinates of another curve", p256.with("crv", "P-384"), "", "32 octets", false},
		{"no crv", p256.with("crv", nil), "", `"crv" is missing`, false},
		{"crv that is no string", p256.with("crv", 256), "", `"crv" is not a string`, false},
		{"secp256k1", p256.with("crv", "secp256k1"), "", "unsupported curve", true},
		{"P-224", p256.with("crv", "P-224"), "", "unsupported curve", true},

		{"Ed25519 too short", ed.with("x", b64(make([]byte, 31))), "", "31 octets", false},
		{"Ed25519 too long", ed.with("x", b64(make([]byte, 33))), "", "33 octets", false},
		{"Ed25519, zeros", ed.with("x", b64(make([]byte, 32))), "", "small order", false},
		{"Ed25519, the identity", ed.with("x", b64(append([]byte{1}, make([]byte, 31)...))), "", "small order", false},
		{"Ed25519 off the curve", ed.with("x", b64(append([]byte{2}, make([]byte, 31)...))), "", "not on its curve", false},
		{"Ed25519, y beyond p", ed.with("x", b64(bytes.Repeat([]byte{0xff}, 32))), "", "canonically", false},
		{"Ed25519 without x", ed.with("x", nil), "", `"x" is missing`, false},
		{"OKP without crv", ed.with("crv", nil), "", `"crv" is missing`, false},
		{"X25519", ed.with("crv", "X25519"), "", "unsupported curve", true},
		{"Ed448", ed.with("crv", "Ed448").with("x", b64(make([]byte, 57))), "", "unsupported curve", true},
		{"Ed25519 with an EC alg", ed.with("alg", "ES256"), "", "does not fit", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			data, err := json.Marshal(map[string]any{"keys": []any{test.key, good}})
			if err != nil {
				t.Fatal(err)
			}
			s := static(t, string(data))
			if _, err := s.Find(context.Background(), "good", "ES256"); err != nil {
				t.Errorf("the good key beside it: %v", err)
			}
			var used []string
			for _, alg := range everyAlg {
				if keys, err := s.Find(context.Background(), "k", alg); err == nil {
					used = append(used, alg)
					if len(keys) != 1 || keys[0].ID() != "k" {
						t.Errorf("Find(k, %s): got %d keys, want exactly the one", alg, len(keys))
					}
				}
			}
			if got := strings.Join(used, " "); got != test.used {
				t.Errorf("found for %q, want %q", got, test.used)
			}
			skipped := s.Status().Skipped
			if test.used != "" {
				if len(skipped) != 0 {
					t.Errorf("skipped: %+v, want none", skipped)
				}
				return
			}
			if len(skipped) != 1 || skipped[0].Index != 0 || skipped[0].Normal != test.normal || !strings.Contains(skipped[0].Reason, test.reason) {
				t.Errorf("skipped: %+v, want one, normal %v, because of %q", skipped, test.normal, test.reason)
			}
		})
	}
}

var everyAlg = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}

// strays returns another last character for the same 256 bits.
func strays(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)^1]
}

// static makes a set of one document; the test ends it.
func static(tb testing.TB, data string) *jwks.Set {
	tb.Helper()
	s, err := jwks.NewStatic(testIssuer, []byte(data), &jwks.StaticOptions{Logger: discard})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func TestDuplicates(t *testing.T) {
	one, two := ecJWK("k"), ecJWK("k")
	r := jwkOf("k", rsaKey())
	point := func(k *jwks.Key) string { return string(mustJSON(jwkOf(k.ID(), k.Public()))) }
	find := func(t *testing.T, s *jwks.Set, kid, alg string) *jwks.Key {
		t.Helper()
		keys, err := s.Find(context.Background(), kid, alg)
		if err != nil || len(keys) != 1 {
			t.Fatalf("Find(%q, %q): got %d keys, %v, want one", kid, alg, len(keys), err)
		}
		return keys[0]
	}
	t.Run("the first wins", func(t *testing.T) {
		s := static(t, document(one, two))
		if got, want := point(find(t, s, "k", "ES256")), string(mustJSON(one)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if skipped := s.Status().Skipped; len(skipped) != 1 || skipped[0].Index != 1 || skipped[0].Normal {
			t.Errorf("skipped: %+v, want the second", skipped)
		}
	})
	t.Run("the first that is usable wins", func(t *testing.T) {
		s := static(t, document(one.with("use", "enc"), two))
		if got, want := point(find(t, s, "k", "ES256")), string(mustJSON(two)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("the same key twice", func(t *testing.T) {
		s := static(t, document(one, one))
		if skipped := s.Status().Skipped; len(skipped) != 1 || !skipped[0].Normal {
			t.Errorf("skipped: %+v, want one, which is normal", skipped)
		}
	})
	t.Run("types are apart", func(t *testing.T) {
		s := static(t, document(one, r))
		if find(t, s, "k", "ES256") == find(t, s, "k", "RS256") {
			t.Error("two keys are one")
		}
		if skipped := s.Status().Skipped; len(skipped) != 0 {
			t.Errorf("skipped: %+v, want none", skipped)
		}
	})
	t.Run("algorithms are apart", func(t *testing.T) {
		s := static(t, document(r.with("alg", "RS256"), r))
		if a, b := find(t, s, "k", "RS256"), find(t, s, "k", "PS256"); a == b || a.Algorithm() != "RS256" || b.Algorithm() != "" {
			t.Errorf("got %q and %q, want the first for its own algorithm and the second for the others", a.Algorithm(), b.Algorithm())
		}
	})
	t.Run("without kid they are several", func(t *testing.T) {
		s := static(t, document(ecJWK(""), ecJWK("")))
		if keys, err := s.Find(context.Background(), "", "ES256"); err != nil || len(keys) != 2 {
			t.Errorf("got %d keys, %v, want 2", len(keys), err)
		}
	})
	t.Run("kid is case-sensitive", func(t *testing.T) {
		s := static(t, document(ecJWK("K"), ecJWK("k")))
		if find(t, s, "K", "ES256") == find(t, s, "k", "ES256") {
			t.Error("two keys are one")
		}
	})
}

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

func TestKeySets(t *testing.T) {
	good := ecJWK("k")
	many := make([]jwk, 2000)
	for i := range many {
		many[i] = good.with("kid", string(rune('a'+i%26))+strings.Repeat("x", i/26))
	}
	tests := []struct {
		name, data string
		want       string // part of the error; "": accepted
	}{
		{"one key", document(good), ""},
		{"other members", `{"Keys":1,"issuer":"x","keys":[` + string(mustJSON(good)) + `]}`, ""},
		{"space around", "\r\n\t " + document(good) + "\n", ""},
		{"2000 keys", document(many...), ""},
		{"2001 keys", document(append(slices.Clone(many), good)...), "more than the 2000"},
		{"empty", `{"keys":[]}`, "empty"},
		{"no keys", `{"KEYS":[]}`, `no member "keys"`},
		{"keys twice", `{"keys":[],"keys":[` + string(mustJSON(good)) + `]}`, "twice"},
		{"keys null", `{"keys":null}`, "not an array"},
		{"keys an object", `{"keys":{}}`, "not an array"},
		{"one bare key", string(mustJSON(good)), `no member "keys"`},
		{"an array", `[]`, "neither"},
		{"two documents", document(good) + `{}`, "follows"},
		{"cut off", document(good)[:20], "ends too early"},
		{"no JSON", `{keys}`, "not JSON"},
		{"nothing", ``, "neither"},
		{"only a bad key", document(good.with("y", "AA")), "none of the 1 keys"},
		{"too large", strings.Repeat(" ", 1<<20) + document(good), "larger"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := jwks.NewStatic(testIssuer, []byte(test.data), &jwks.StaticOptions{Logger: discard})
			if err == nil {
				_ = s.Close()
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
