package jwtbearertest

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Token mints a signed JWT access token for audience, as the token endpoint
// would for the default user: RS256 (or the first of Options.Algorithms), type
// at+jwt, with iss, sub, aud, client_id, iat, exp and jti, and the access-token
// lifetime of the issuer, 60 seconds unless Options.Lifetimes says otherwise.
// Options change that one after the other, also into tokens that no issuer may
// ever mint.
//
// It panics on what can only be a mistake in the calling test, such as an
// algorithm that the issuer has no key for.
func (i *Issuer) Token(audience string, opts ...TokenOption) string {
	now := i.now()
	d := i.newDraft("at+jwt")
	d.claims.set("iss", i.url)
	d.claims.set("sub", i.defaultSubject())
	d.claims.set("aud", audience)
	d.claims.set("client_id", i.defaultClientID())
	d.claims.set("iat", now.Unix())
	d.claims.set("exp", now.Add(i.opts.Lifetimes.AccessToken).Unix())
	d.claims.set("jti", rand.Text())
	return d.mint(opts)
}

// TokenOption changes a token that [Issuer.Token] mints.
type TokenOption func(*draft)

// Subject sets the sub claim.
func Subject(subject string) TokenOption { return Claim("sub", subject) }

// Scopes sets the scope claim, separated by spaces (RFC 8693, Section 4.2).
func Scopes(scopes ...string) TokenOption { return Claim("scope", strings.Join(scopes, " ")) }

// ExpiresIn sets exp to that long after the issuer's present time, which may be
// negative. NumericDate has whole seconds here; the fraction is cut off.
func ExpiresIn(life time.Duration) TokenOption {
	return func(d *draft) { d.claims.set("exp", d.issuer.now().Add(life).Unix()) }
}

// ExpiresAt sets exp, in whole seconds.
func ExpiresAt(t time.Time) TokenOption { return Claim("exp", t) }

// IssuedAt sets iat, in whole seconds. It leaves exp alone.
func IssuedAt(t time.Time) TokenOption { return Claim("iat", t) }

// NotBefore sets nbf, in whole seconds.
func NotBefore(t time.Time) TokenOption { return Claim("nbf", t) }

// Claim sets a claim to what encoding/json makes of value; a time.Time becomes a
// NumericDate in whole seconds (RFC 7519, Section 2).
func Claim(name string, value any) TokenOption {
	return func(d *draft) { d.claims.set(name, value) }
}

// WithoutClaim removes a claim.
func WithoutClaim(name string) TokenOption {
	return func(d *draft) { d.claims.remove(name) }
}

// Header sets a header parameter. Setting "alg" changes what the header says,
// not how the token is signed; see [Algorithm].
func Header(name string, value any) TokenOption {
	return func(d *draft) { d.header.set(name, value) }
}

// WithoutHeader removes a header parameter.
func WithoutHeader(name string) TokenOption {
	return func(d *draft) { d.header.remove(name) }
}

// Algorithm signs with the issuer's key for alg, and names both in the header:
// RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA or Ed25519.
func Algorithm(alg string) TokenOption {
	return func(d *draft) {
		key := d.issuer.signingKey(alg)
		d.signWith(alg, key.id, key.private)
	}
}

// SigningKey signs with another key than the issuer's and leaves the header's
// "kid" as it is: a forgery, unless the key is published. A key of another type
// than the present algorithm's brings its own algorithm, RS256, ES256/384/512 by
// curve, EdDSA, or HS256 for a []byte.
func SigningKey(key any) TokenOption {
	return func(d *draft) {
		if signer, ok := key.(crypto.Signer); !ok || !fits(d.alg, signer) {
			d.alg = algorithmFor(key)
			d.header.set("alg", d.alg)
		}
		d.key = key
	}
}

// SignedBy signs with the key, and under the "kid", of another issuer.
func SignedBy(other *Issuer) TokenOption {
	return func(d *draft) {
		key := other.signingKey(d.alg)
		d.signWith(d.alg, key.id, key.private)
	}
}

// RawHeader replaces the JSON text of the header, which need not be JSON. The
// token is signed as it would have been.
func RawHeader(text string) TokenOption { return func(d *draft) { d.rawHeader = &text } }

// RawPayload replaces the JSON text of the claims, which need not be JSON.
func RawPayload(text string) TokenOption { return func(d *draft) { d.rawPayload = &text } }

// draft is a token before it is signed.
type draft struct {
	issuer         *Issuer
	header, claims members
	rawHeader      *string
	rawPayload     *string
	alg            string // how it is signed, whatever the header says
	key            any    // crypto.Signer, []byte
	edits          []func(*segments)
}

// segments are the parts of a compact serialization, encoded, and what came
// before the encoding.
type segments struct {
	header, payload, signature string
	rawSignature               []byte
	more                       []string
}

func (s *segments) String() string {
	return strings.Join(append([]string{s.header, s.payload, s.signature}, s.more...), ".")
}

func (i *Issuer) newDraft(typ string) *draft {
	alg := i.algorithms[0]
	key := i.signingKey(alg)
	d := &draft{issuer: i}
	d.header.set("alg", alg)
	d.header.set("typ", typ)
	d.signWith(alg, key.id, key.private)
	return d
}

func (d *draft) signWith(alg, id string, key any) {
	d.alg, d.key = alg, key
	d.header.set("alg", alg)
	if id == "" {
		d.header.remove("kid")
	} else {
		d.header.set("kid", id)
	}
}

func (d *draft) mint(opts []TokenOption) string {
	for _, opt := range opts {
		opt(d)
	}
	header, payload := d.header.json(), d.claims.json()
	if d.rawHeader != nil {
		header = *d.rawHeader
	}
	if d.rawPayload != nil {
		payload = *d.rawPayload
	}
	s := &segments{header: encode([]byte(header)), payload: encode([]byte(payload))}
	signature, err := sign(d.alg, d.key, []byte(s.header+"."+s.payload))
	if err != nil {
		panic("jwtbearertest: signing a token: " + err.Error())
	}
	s.rawSignature, s.signature = signature, encode(signature)
	for _, edit := range d.edits {
		edit(s)
	}
	return s.String()
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// members is a JSON object that keeps its order and may say a name twice.
type members []member

type member struct {
	name  string
	value json.RawMessage
}

func (m *members) set(name string, value any) {
	for n := range *m {
		if (*m)[n].name == name {
			(*m)[n].value = jsonValue(name, value)
			return
		}
	}
	m.add(name, value)
}

func (m *members) add(name string, value any) {
	*m = append(*m, member{name, jsonValue(name, value)})
}

func (m *members) remove(name string) {
	kept := (*m)[:0:0]
	for _, member := range *m {
		if member.name != name {
			kept = append(kept, member)
		}
	}
	*m = kept
}

func (m *members) has(name string) bool {
	for _, member := range *m {
		if member.name == name {
			return true
		}
	}
	return false
}

func jsonValue(name string, value any) json.RawMessage {
	if t, ok := value.(time.Time); ok {
		value = t.Unix()
	}
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("jwtbearertest: the value of %q is no JSON: %v", name, err))
	}
	return data
}

func (m members) json() string {
	var b strings.Builder
	b.WriteByte('{')
	for n, member := range m {
		if n > 0 {
			b.WriteByte(',')
		}
		b.Write(jsonValue("name", member.name))
		b.WriteByte(':')
		b.Write(member.value)
	}
	b.WriteByte('}')
	return b.String()
}

// fits tells whether key can sign by alg.
func fits(alg string, key crypto.Signer) bool { return fitsPublic(alg, key.Public()) }

func algorithmFor(key any) string {
	switch key := key.(type) {
	case []byte:
		return "HS256"
	case crypto.Signer:
		for _, alg := range []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"} {
			if fits(alg, key) {
				return alg
			}
		}
	}
	panic(fmt.Sprintf("jwtbearertest: SigningKey: no algorithm fits a key of type %T: use a crypto.Signer or a []byte", key))
}
