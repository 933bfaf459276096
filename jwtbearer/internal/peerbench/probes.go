package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
)

// A probe is a token that differs from an accepted one in one thing and must
// be refused.
type probe struct {
	name  string
	token string
}

// A probeKit is a provider of good keys, and of one in some kits that no token
// may be checked with, and the probes for it.
type probeKit struct {
	idp      *provider
	rsa, ec  *signer
	accepted []probe // good tokens
	refused  []probe
}

// newProbeKit publishes extra beside the good keys.
func newProbeKit(extra ...publicKey) (*probeKit, error) {
	k := &probeKit{}
	var err error
	if k.rsa, err = newSigner("rsa", "RS256"); err != nil {
		return nil, err
	}
	if k.ec, err = newSigner("ec", "ES256"); err != nil {
		return nil, err
	}
	if k.idp, err = newProvider(append([]publicKey{k.rsa.public(), k.ec.public()}, extra...)...); err != nil {
		return nil, err
	}
	token, err := good(k.rsa, k.idp.issuer)
	if err != nil {
		k.idp.Close()
		return nil, err
	}
	k.accepted = []probe{{"the accepted token", token}}
	return k, nil
}

// oddKeyKit holds the one probe that extra is about: a token signed with it.
func oddKeyKit(name string, odd *signer, extra publicKey) (*probeKit, error) {
	k, err := newProbeKit(extra)
	if err != nil {
		return nil, err
	}
	token, err := good(odd, k.idp.issuer)
	if err != nil {
		k.idp.Close()
		return nil, err
	}
	k.refused = []probe{{name, token}}
	return k, nil
}

// tokenKit holds the probes that need no odd key.
func tokenKit() (*probeKit, error) {
	k, err := newProbeKit()
	if err != nil {
		return nil, err
	}
	foreign, err := newSigner("rsa", "RS256")
	if err != nil {
		k.idp.Close()
		return nil, err
	}
	h, c := header(k.rsa), claims(k.idp.issuer)
	now := time.Now().Unix()
	var failed error
	fail := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	build := func(s *signer, alg, header, payload string) string {
		token, err := compact(s, alg, header, payload)
		fail(err)
		return token
	}
	raw := func(header, payload string) string { return build(k.rsa, "RS256", header, payload) }
	head := func(o object) string { return raw(o.String(), c.String()) }
	body := func(o object) string { return raw(h.String(), o.String()) }

	base := body(c)
	cut := strings.Split(base, ".")
	sig := cut[2]
	k.accepted = append(k.accepted,
		probe{"the base of the probes", base},
		probe{"ES256", build(k.ec, "ES256", header(k.ec).String(), c.String())},
		probe{"typ absent", head(h.without("typ"))},
		probe{"aud a string", body(c.with("aud", audience))},
	)
	add := func(name, token string) { k.refused = append(k.refused, probe{name, token}) }

	add("another key's signature", build(foreign, "RS256", h.String(), c.String()))
	add("a changed payload", cut[0]+"."+b64.EncodeToString([]byte(c.with("sub", "admin").String()))+"."+sig)
	add("`alg` none, no signature", b64.EncodeToString([]byte(h.with("alg", "none").String()))+"."+cut[1]+".")
	add("HS256 with the public key as secret", k.hmac(h.with("alg", "HS256").String(), c.String(), fail))
	add("wrong `iss`", body(c.with("iss", "https://elsewhere.example.com")))
	add("no `iss`", body(c.without("iss")))
	add("wrong `aud`", body(c.with("aud", "api2")))
	add("no `aud`", body(c.without("aud")))
	add("`aud` that only contains the name", body(c.with("aud", []string{"api1.example.com"})))
	add("`aud` with a number among the strings", body(c.with("aud", []any{audience, 1})))
	add("expired an hour ago", body(c.with("exp", now-3600)))
	add("no `exp`", body(c.without("exp")))
	add("`exp` null", body(c.with("exp", nil)))
	add("`exp` a string", body(c.with("exp", fmt.Sprint(now+3600))))
	add("`EXP` in place of `exp`", body(c.without("exp").with("EXP", now+3600)))
	add("expired `exp`, then a good `EXP`", body(c.with("exp", now-3600).with("EXP", now+3600)))
	add("`nbf` in an hour", body(c.with("nbf", now+3600)))
	add("`iat` in an hour", body(c.with("iat", now+3600)))
	add("`sub` a number", body(c.with("sub", 7)))
	add("`exp` twice", body(c.with("exp", now-3600).twice("exp", now+3600)))
	add("`alg` twice", head(h.with("alg", "none").twice("alg", "RS256")))
	add("`crit` with an unknown extension", head(h.with("crit", []string{"x"}).with("x", 1)))
	add("`b64` false, without `crit`", head(h.with("b64", false)))
	add("`typ` of a logout token", head(h.with("typ", "logout+jwt")))
	add("`typ` of a DPoP proof", head(h.with("typ", "dpop+jwt")))
	add("bound to a key (`cnf.jkt`), sent as bearer", body(c.with("cnf", map[string]string{"jkt": nonce(16)})))
	add("PS256 with a key published for RS256", build(k.rsa, "PS256", h.with("alg", "PS256").String(), c.String()))
	add("padded base64", cut[0]+"."+cut[1]+"."+sig+"==")
	add("stray bits at the end of the base64", strayBits(base))
	add("a line break in the signature", cut[0]+"."+cut[1]+"."+sig[:20]+"\n"+sig[20:])
	add("a fourth segment", base+".e30")
	add("JSON serialization", fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, cut[1], cut[0], sig))
	add("bytes after the payload's object", raw(h.String(), c.String()+"{}"))
	add("a payload that is not UTF-8", raw(h.String(), strings.Replace(c.String(), "shop-frontend", "shop-\xff", 1)))
	add("a token of 1 MB", body(c.with("pad", strings.Repeat("a", 750_000))))
	if failed != nil {
		k.idp.Close()
	}
	return k, failed
}

// oddKeys are the probes about keys.
func oddKeys() ([]*probeKit, error) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		return nil, err
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, err
	}
	enc, err := newSigner("odd", "RS256")
	if err != nil {
		return nil, err
	}
	encryption := enc.public()
	encryption["use"] = "enc"
	weak := &signer{kid: "odd", alg: "RS256", key: small}
	curve := &signer{kid: "odd", alg: "ES256", key: p384}
	bare := curve.public()
	delete(bare, "alg")
	var kits []*probeKit
	for _, each := range []struct {
		name  string
		odd   *signer
		extra publicKey
	}{
		{"an RSA key of 1,024 bits", weak, weak.public()},
		{"a key published for encryption", enc, encryption},
		{"ES256 with a key on P-384", curve, bare},
	} {
		k, err := oddKeyKit(each.name, each.odd, each.extra)
		if err != nil {
			return kits, err
		}
		kits = append(kits, k)
	}
	return kits, nil
}

// hmac signs with the text of a public key, which is what a verifier holds.
func (k *probeKit) hmac(header, payload string, fail func(error)) string {
	der, err := x509.MarshalPKIXPublicKey(k.rsa.key.Public())
	fail(err)
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	mac.Write([]byte(input))
	return input + "." + b64.EncodeToString(mac.Sum(nil))
}

// strayBits sets a bit of the last character that no byte needs.
func strayBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last|1])
}

// A verdict is what a contender did with a probe.
type verdict int

const (
	accepted verdict = iota
	refused
	refusedAll // and with it every good token of the same key set
	panicked
)

func (v verdict) String() string {
	return [...]string{"**accepted**", "✓", "✓ and the whole key set", "✓"}[v]
}

// judge has a minute's worth of patience cut to seconds: some wait for a key
// that they do not have.
func judge(ctx context.Context, g *guard, token string) (v verdict) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	defer func() {
		if recover() != nil {
			v = panicked
		}
	}()
	if _, err := g.verify(ctx, token); err != nil {
		return refused
	}
	return accepted
}

// probe runs every probe against every contender.
func (b *bench) probe(ctx context.Context) error {
	b.say("probes")
	kits, err := oddKeys()
	defer func() {
		for _, k := range kits {
			k.idp.Close()
		}
	}()
	if err != nil {
		return err
	}
	tokens, err := tokenKit()
	if err != nil {
		return err
	}
	kits = append([]*probeKit{tokens}, kits...)
	for _, k := range kits {
		for _, p := range k.refused {
			b.probed = append(b.probed, p.name)
		}
		for _, r := range b.active() {
			if err := k.run(ctx, r); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	return nil
}

func (k *probeKit) run(ctx context.Context, r *row) error {
	g, err := r.openWithin(ctx, k.idp, 2*time.Second)
	odd := len(k.accepted) == 1
	if err == nil {
		defer g.close()
		for _, p := range k.accepted {
			if _, err = g.verify(ctx, p.token); err != nil {
				err = fmt.Errorf("%s: %w", p.name, err)
				break
			}
		}
	}
	if err != nil && !odd {
		return err
	}
	for _, p := range k.refused {
		if err != nil {
			r.probes[p.name] = refusedAll
			continue
		}
		r.probes[p.name] = judge(ctx, g, p.token)
	}
	return nil
}
