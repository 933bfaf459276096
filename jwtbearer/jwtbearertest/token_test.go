package jwtbearertest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func TestTokenOfEveryAlgorithm(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		token := issuer.Token("api1", jwtbearertest.Algorithm(alg))
		if got := header(t, token)["alg"]; got != alg {
			t.Errorf("got alg %v, want %s", got, alg)
		}
		if !verifies(t, issuer, token) {
			t.Errorf("%s: jwx refuses the token", alg)
		}
	}
	// jwx does not know the newer name of EdDSA; the key is nevertheless there.
	if token := issuer.Token("api1", jwtbearertest.Algorithm("Ed25519")); header(t, token)["alg"] != "Ed25519" {
		t.Errorf("got %v", header(t, token))
	}
}

func TestTokenDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		token := issuer.Token("api1")
		h, c := header(t, token), claims(t, token)
		now := float64(time.Now().Unix())
		if h["alg"] != "RS256" || h["typ"] != "at+jwt" || h["kid"] != issuer.KeyID("RS256") || len(h) != 3 {
			t.Errorf("got header %v", h)
		}
		jti, _ := c["jti"].(string)
		if c["iss"] != issuer.URL() || c["aud"] != "api1" || c["iat"] != now || c["exp"] != now+60 || c["sub"] == "" || c["client_id"] == "" || len(jti) < 16 || len(c) != 7 {
			t.Errorf("got claims %v", c)
		}
		if again := claims(t, issuer.Token("api1"))["jti"]; again == jti {
			t.Error("two tokens have one jti")
		}
	})
}

func TestFI03TokenOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		at := time.Now().Add(90 * time.Second)
		token := issuer.Token("api1",
			jwtbearertest.Subject("bob"),
			jwtbearertest.Scopes("orders.read", "orders.write"),
			jwtbearertest.ExpiresIn(-time.Minute),
			jwtbearertest.NotBefore(at),
			jwtbearertest.IssuedAt(at),
			jwtbearertest.Claim("auth_time", at),
			jwtbearertest.Claim("aud", []any{[]string{"api1"}}),
			jwtbearertest.RawClaim("big", "1e400"),
			jwtbearertest.WithoutClaim("jti"),
			jwtbearertest.Header("x", 1),
			jwtbearertest.WithoutHeader("typ"),
		)
		if !verifies(t, issuer, token) {
			t.Error("the signature is not good")
		}
		text, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if !strings.Contains(string(text), `"big":1e400`) || !strings.Contains(string(text), `"aud":[["api1"]]`) {
			t.Errorf("got %s", text)
		}
		c := claims(t, issuer.Token("api1", jwtbearertest.Subject("bob"), jwtbearertest.Scopes("a", "b"), jwtbearertest.ExpiresIn(-time.Minute), jwtbearertest.NotBefore(at), jwtbearertest.WithoutClaim("jti"), jwtbearertest.Claim("exp2", 1.5)))
		if _, there := c["jti"]; there || c["sub"] != "bob" || c["scope"] != "a b" || c["exp"] != float64(time.Now().Unix()-60) || c["nbf"] != float64(at.Unix()) || c["exp2"] != 1.5 {
			t.Errorf("got claims %v", c)
		}
		if c := claims(t, issuer.Token("api1", jwtbearertest.ExpiresAt(at))); c["exp"] != float64(at.Unix()) {
			t.Errorf("got claims %v", c)
		}
	})
}

func TestFI03BrokenTokens(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	other := jwtbearertest.NewIssuer(t)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := issuer.Token("api1")
	if !verifies(t, issuer, good) {
		t.Fatal("the token that all others differ from is not good")
	}
	segments := func(token string) []string { return strings.Split(token, ".") }
	tests := []struct {
		name    string
		options []jwtbearertest.TokenOption
		check   func(token string) bool
	}{
		{"none", []jwtbearertest.TokenOption{jwtbearertest.AlgNone()},
			func(s string) bool { return header(t, s)["alg"] == "none" && strings.HasSuffix(s, ".") }},
		{"None", []jwtbearertest.TokenOption{jwtbearertest.AlgNone(), jwtbearertest.Header("alg", "NonE")},
			func(s string) bool { return header(t, s)["alg"] == "NonE" && strings.HasSuffix(s, ".") }},
		{"no signature", []jwtbearertest.TokenOption{jwtbearertest.WithoutSignature()},
			func(s string) bool { return header(t, s)["alg"] == "RS256" && strings.HasSuffix(s, ".") }},
		{"HMAC", []jwtbearertest.TokenOption{jwtbearertest.HMACWithPublicKey()},
			func(s string) bool {
				return header(t, s)["alg"] == "HS256" && header(t, s)["kid"] == header(t, good)["kid"] && len(segments(s)[2]) == 43
			}},
		{"forged", []jwtbearertest.TokenOption{jwtbearertest.ForgedSignature()},
			func(s string) bool { return len(s) == len(good) }},
		{"stranger", []jwtbearertest.TokenOption{jwtbearertest.SignedByStranger()},
			func(s string) bool { return header(t, s)["kid"] == header(t, good)["kid"] }},
		{"stranger's own key", []jwtbearertest.TokenOption{jwtbearertest.SigningKey(stranger)},
			func(s string) bool { return header(t, s)["alg"] == "ES256" }},
		{"embedded", []jwtbearertest.TokenOption{jwtbearertest.EmbeddedKey()},
			func(s string) bool { return header(t, s)["jwk"] != nil && header(t, s)["kid"] == nil }},
		{"other issuer", []jwtbearertest.TokenOption{jwtbearertest.SignedBy(other)},
			func(s string) bool { return verifies(t, other, s) && claims(t, s)["iss"] == issuer.URL() }},
		{"truncated", []jwtbearertest.TokenOption{jwtbearertest.TruncatedSignature()},
			func(s string) bool { return len(s) < len(good) }},
		{"DER", []jwtbearertest.TokenOption{jwtbearertest.Algorithm("ES256"), jwtbearertest.DERSignature()},
			func(s string) bool { return strings.HasPrefix(segments(s)[2], "ME") }},
		{"extra segment", []jwtbearertest.TokenOption{jwtbearertest.ExtraSegment()},
			func(s string) bool { return len(segments(s)) == 4 }},
		{"encrypted", []jwtbearertest.TokenOption{jwtbearertest.Encrypted()},
			func(s string) bool { return len(segments(s)) == 5 && header(t, s)["enc"] != nil }},
	}
	for _, test := range tests {
		token := issuer.Token("api1", test.options...)
		if verifies(t, issuer, token) {
			t.Errorf("%s: jwx takes the token", test.name)
		}
		if !test.check(token) {
			t.Errorf("%s: got header %v in a token of %d segments", test.name, header(t, token), len(segments(token)))
		}
	}

	// What jwx 2 lets pass and a strict verifier does not.
	raw := func(token string, n int) string {
		text, err := base64.RawURLEncoding.DecodeString(segments(token)[n])
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := raw(issuer.Token("api1", jwtbearertest.Critical("b64"), jwtbearertest.Header("b64", false)), 0); !strings.Contains(got, `"b64":false,"crit":["b64"]`) {
		t.Errorf("crit: got header %s", got)
	}
	if got := raw(issuer.Token("api1", jwtbearertest.Critical()), 0); !strings.Contains(got, `"crit":[]`) {
		t.Errorf("empty crit: got header %s", got)
	}
	if got := raw(issuer.Token("api1", jwtbearertest.DuplicateClaim("sub", "eve")), 1); strings.Count(got, `"sub":`) != 2 {
		t.Errorf("duplicate claim: got %s", got)
	}
	if got := raw(issuer.Token("api1", jwtbearertest.DuplicateHeader("alg", "none")), 0); strings.Count(got, `"alg":`) != 2 {
		t.Errorf("duplicate header: got %s", got)
	}
	if got := issuer.Token("api1", jwtbearertest.RawHeader(`{"alg":`), jwtbearertest.RawPayload(`x`)); raw(got, 0) != `{"alg":` || raw(got, 1) != "x" {
		t.Errorf("raw: got %s", got)
	}
	if got := issuer.Token("api1", jwtbearertest.Padded()); !strings.HasSuffix(got, "==") {
		t.Errorf("padded: got a signature without padding")
	}
	got := issuer.Token("api1", jwtbearertest.NonCanonical())
	last := segments(got)[2]
	if _, err := base64.RawURLEncoding.DecodeString(last); err != nil {
		t.Errorf("non-canonical: a lax decoder must take it, got %v", err)
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(last); err == nil {
		t.Error("non-canonical: a strict decoder takes it")
	}
}

func TestTokenPanicsOnMistakes(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{Algorithms: []string{"ES384"}})
	for name, option := range map[string]jwtbearertest.TokenOption{
		"algorithm":     jwtbearertest.Algorithm("RS256"),
		"key":           jwtbearertest.SigningKey("secret"),
		"value":         jwtbearertest.Claim("f", func() {}),
		"non-canonical": jwtbearertest.NonCanonical(),
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := recover(); p == nil || !strings.HasPrefix(p.(string), "jwtbearertest: ") {
					t.Errorf("got %v, want a panic that names the package", p)
				}
			}()
			issuer.Token("api1", option)
		})
	}
}
