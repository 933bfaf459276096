package jwtbearertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// algorithms are the signature algorithms that an issuer has keys for, in the
// order of its key set. EdDSA and Ed25519 are two names of one algorithm
// (RFC 8037, Section 3.1; RFC 9864, Section 2.2).
var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
	"ES256", "ES384", "ES512", "EdDSA", "Ed25519",
}

// kind is what a private key is, apart from the algorithm that it is used with.
type kind string

const (
	kindRSA     kind = "RSA"
	kindP256    kind = "P-256"
	kindP384    kind = "P-384"
	kindP521    kind = "P-521"
	kindEd25519 kind = "Ed25519"
)

func kindOf(alg string) kind {
	switch {
	case strings.HasPrefix(alg, "RS"), strings.HasPrefix(alg, "PS"):
		return kindRSA
	case alg == "ES256":
		return kindP256
	case alg == "ES384":
		return kindP384
	case alg == "ES512":
		return kindP521
	case alg == "EdDSA", alg == "Ed25519":
		return kindEd25519
	}
	return ""
}

func generate(k kind) crypto.Signer {
	var key crypto.Signer
	var err error
	switch k {
	case kindRSA:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case kindP256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case kindP384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case kindP521:
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case kindEd25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		panic(fmt.Sprintf("jwtbearertest: generating a %s key: %v", k, err))
	}
	return key
}

// keyPool lends private keys to issuers. Making an RSA key takes a tenth of a
// second, and a test suite may make hundreds of issuers, so the keys of closed
// issuers are lent again. No two living issuers ever hold the same key, and a
// key rests while minResting others have come back after it, so that an issuer
// that takes another's place has other keys.
type keyPool struct {
	mu      sync.Mutex
	resting map[kind][]crypto.Signer // in the order of their return
}

const minResting = 3

var pool keyPool

func (p *keyPool) draw(k kind) crypto.Signer {
	p.mu.Lock()
	if keys := p.resting[k]; len(keys) > minResting {
		key := keys[0]
		p.resting[k] = keys[1:]
		p.mu.Unlock()
		return key
	}
	p.mu.Unlock()
	return generate(k)
}

func (p *keyPool) giveBack(drawn map[kind][]crypto.Signer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.resting == nil {
		p.resting = make(map[kind][]crypto.Signer)
	}
	for k, keys := range drawn {
		p.resting[k] = append(p.resting[k], keys...)
	}
}

// signingKey is a private key with the one algorithm that it is used with.
type signingKey struct {
	alg     string
	id      string // "" if the issuer names no keys
	private crypto.Signer
}

func newSigningKey(alg string, private crypto.Signer, bare bool) *signingKey {
	name := alg
	if bare {
		name = string(kindOf(alg))
	}
	thumbprint, err := mustJWK(private.Public()).Thumbprint(crypto.SHA256)
	if err != nil {
		panic("jwtbearertest: " + err.Error())
	}
	return &signingKey{alg: alg, id: name + "-" + base64.RawURLEncoding.EncodeToString(thumbprint)[:8], private: private}
}

func mustJWK(raw any) jwk.Key {
	key, err := jwk.FromRaw(raw)
	if err != nil {
		panic("jwtbearertest: " + err.Error())
	}
	return key
}

// sign signs input by alg, which must fit key: a crypto.Signer, or a []byte for
// HMAC.
func sign(alg string, key any, input []byte) ([]byte, error) {
	switch {
	case alg == "Ed25519":
		// jwx knows the algorithm by its older name only.
		alg = "EdDSA"
	case !slices.Contains(algorithms, alg) && !strings.HasPrefix(alg, "HS"):
		return nil, fmt.Errorf("no signer for algorithm %q: use one of %s", alg, strings.Join(algorithms, ", "))
	}
	signer, err := jws.NewSigner(jwa.SignatureAlgorithm(alg))
	if err != nil {
		return nil, err
	}
	return signer.Sign(input, key)
}

// verify checks a signature of this issuer's own.
func verify(alg string, key crypto.PublicKey, input, signature []byte) error {
	if alg == "Ed25519" {
		alg = "EdDSA"
	}
	verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(alg))
	if err != nil {
		return err
	}
	return verifier.Verify(input, signature, key)
}

// halfHash is the left half of the hash that goes with alg, as at_hash wants it
// (OpenID Connect Core 1.0, Section 3.1.3.6).
func halfHash(alg, value string) string {
	h := crypto.SHA256
	switch {
	case strings.HasSuffix(alg, "384"):
		h = crypto.SHA384
	case strings.HasSuffix(alg, "512"), alg == "EdDSA", alg == "Ed25519":
		h = crypto.SHA512
	}
	sum := h.New()
	sum.Write([]byte(value))
	digest := sum.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(digest[:len(digest)/2])
}

// etag is a strong entity tag of body (RFC 9110, Section 8.8.3).
func etag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// publicKeyDER is the public half of key as comparable bytes.
func publicKeyDER(key crypto.Signer) string {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	must(err)
	return string(der)
}

// sameKey tells whether a and b are one private key.
func sameKey(a, b crypto.Signer) bool { return publicKeyDER(a) == publicKeyDER(b) }
