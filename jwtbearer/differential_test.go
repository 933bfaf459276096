package jwtbearer_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer"
)

// A laboratory signs any header and payload, and has both implementations judge
// what comes out: this one, and jwx, which shares no code with it but the
// primitives of the standard library.
type laboratory struct {
	private map[string]crypto.Signer // by kid
	set     jwk.Set

	verifier *jwtbearer.Verifier
	policy   *jwtbearer.Policy
}

const laboratoryIssuer = "https://issuer.test"

var laboratoryKeys = map[string]string{
	"RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
	"ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed", "Ed25519": "ed",
}

var newLaboratory = sync.OnceValue(func() *laboratory {
	lab := &laboratory{private: map[string]crypto.Signer{"rsa": ownRSA()}, set: jwk.NewSet()}
	for kid, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
		lab.private[kid], _ = ecdsa.GenerateKey(curve, cryptorand.Reader)
	}
	_, lab.private["ed"], _ = ed25519.GenerateKey(cryptorand.Reader)
	for _, kid := range slices.Sorted(maps.Keys(lab.private)) {
		key, err := jwk.FromRaw(lab.private[kid].Public())
		if err != nil {
			panic(err)
		}
		key.Set(jwk.KeyIDKey, kid)
		lab.set.AddKey(key)
	}
	text, err := json.Marshal(lab.set)
	if err != nil {
		panic(err)
	}
	keys, err := jwks.NewStatic(laboratoryIssuer, text, nil)
	if err != nil {
		panic(err)
	}
	lab.verifier, err = jwtbearer.New(laboratoryIssuer, &jwtbearer.Options{Keys: keys, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	if lab.policy, err = lab.verifier.Policy("api1"); err != nil {
		panic(err)
	}
	return lab
})

// sign returns header and payload with a signature by alg.
func (lab *laboratory) sign(alg, header, payload string) string {
	input := b64(header) + "." + b64(payload)
	return input + "." + base64.RawURLEncoding.EncodeToString(lab.signature(alg, []byte(input)))
}

func (lab *laboratory) signature(alg string, input []byte) []byte {
	key := lab.private[laboratoryKeys[alg]]
	if alg[:2] == "Ed" {
		signature, _ := key.Sign(nil, input, crypto.Hash(0))
		return signature
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[2:]]
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	switch alg[:2] {
	case "RS":
		signature, _ := key.Sign(cryptorand.Reader, digest, hash)
		return signature
	case "PS":
		signature, _ := key.Sign(cryptorand.Reader, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
		return signature
	}
	private := key.(*ecdsa.PrivateKey)
	r, s, err := ecdsa.Sign(cryptorand.Reader, private, digest)
	if err != nil {
		panic(err)
	}
	size := (private.Curve.Params().BitSize + 7) / 8
	return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
}

// ours is the verdict of this library.
func (lab *laboratory) ours(raw string) (*jwtbearer.Token, error) {
	return lab.policy.Verify(context.Background(), raw)
}

// A theirs is what jwx read in a token.
type theirs struct {
	token  jwt.Token
	claims map[string]any
}

// theirs is the verdict of jwx, asked for the same: signature by a key of the
// set, issuer, audience, and times with the same skew.
func (lab *laboratory) theirs(raw string) (*theirs, error) {
	// Without this, jwx would try other keys than the one that kid names.
	named := newSpecimen(raw).header1("kid")
	payload, err := jws.Verify([]byte(raw), jws.WithKeySet(lab.set, jws.WithRequireKid(named), jws.WithInferAlgorithmFromKey(true)))
	if err != nil {
		return nil, fmt.Errorf("jws: %w", err)
	}
	token, err := jwt.ParseInsecure(payload)
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	err = jwt.Validate(token, jwt.WithIssuer(laboratoryIssuer), jwt.WithAudience("api1"), jwt.WithAcceptableSkew(time.Minute), jwt.WithRequiredClaim("exp"))
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, fmt.Errorf("json: %w", err)
	}
	return &theirs{token, claims}, nil
}

// agree compares what the two read in an accepted token.
func agree(ours *jwtbearer.Token, theirs *theirs) error {
	var claims map[string]any
	if err := ours.Decode(&claims); err != nil {
		return err
	}
	if !reflect.DeepEqual(claims, theirs.claims) {
		return fmt.Errorf("claims: ours %v, theirs %v", claims, theirs.claims)
	}
	t := theirs.token
	for _, text := range []struct{ name, ours, theirs string }{
		{"iss", ours.Issuer(), t.Issuer()}, {"sub", ours.Subject(), t.Subject()}, {"jti", ours.ID(), t.JwtID()},
		{"aud", fmt.Sprintf("%q", ours.Audience()), fmt.Sprintf("%q", t.Audience())},
	} {
		if text.ours != text.theirs {
			return fmt.Errorf("%s: ours %q, theirs %q", text.name, text.ours, text.theirs)
		}
	}
	for _, at := range []struct {
		name         string
		ours, theirs time.Time
	}{{"exp", ours.Expiry(), t.Expiration()}, {"nbf", ours.NotBefore(), t.NotBefore()}, {"iat", ours.IssuedAt(), t.IssuedAt()}} {
		// jwx reads whole seconds, and the zero Time where there is no claim.
		if at.ours.IsZero() != at.theirs.IsZero() || at.ours.Sub(at.theirs).Abs() > time.Second {
			return fmt.Errorf("%s: ours %v, theirs %v", at.name, at.ours, at.theirs)
		}
	}
	return nil
}

// canonical is the one text of a token: what its decoded segments encode to.
func canonical(raw string) (string, error) {
	parts := strings.Split(raw, ".")
	for i, part := range parts {
		decoded, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return "", err
		}
		parts[i] = base64.RawURLEncoding.EncodeToString(decoded)
	}
	return strings.Join(parts, "."), nil
}

// A disagreement is a class of tokens that the two judge differently, and why.
// Whether a token is of the class is found out without either of them.
type disagreement struct {
	why     string
	reason  string // ours, "" if it is we who accept
	applies func(*specimen) bool
}

// A specimen is a token taken apart by the plainest means.
type specimen struct {
	raw             string
	header, payload string // decoded, whatever that takes
	h, p            map[string]any
}

func newSpecimen(raw string) *specimen {
	s := &specimen{raw: raw}
	parts := strings.Split(raw, ".")
	lenient := func(i int) string {
		if i >= len(parts) {
			return ""
		}
		text := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(parts[i])
		decoded, _ := base64.RawURLEncoding.DecodeString(text)
		return string(decoded)
	}
	s.header, s.payload = lenient(0), lenient(1)
	json.Unmarshal([]byte(s.header), &s.h)
	json.Unmarshal([]byte(s.payload), &s.p)
	return s
}

func (s *specimen) header1(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := s.h[name]; return ok })
}

// wrong reports whether one of the claims is there and not of a kind.
func (s *specimen) wrong(ok func(any) bool, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { v, there := s.p[name]; return there && !ok(v) })
}

func isString(v any) bool { _, ok := v.(string); return ok }
func isNumber(v any) bool { _, ok := v.(float64); return ok }
func isWords(v any) bool {
	list, ok := v.([]any)
	return isString(v) || ok && !slices.ContainsFunc(list, func(e any) bool { return !isString(e) })
}

// duplicates reports whether a member stands twice, at any depth.
func duplicates(text string) bool {
	dec := json.NewDecoder(strings.NewReader(text))
	var walk func() (bool, error)
	walk = func() (twice bool, err error) {
		token, err := dec.Token()
		if err != nil {
			return false, err
		}
		delim, ok := token.(json.Delim)
		if !ok {
			return false, nil
		}
		names := map[string]bool{}
		for dec.More() {
			if delim == '{' {
				name, err := dec.Token()
				if err != nil {
					return twice, err
				}
				twice = twice || names[name.(string)]
				names[name.(string)] = true
			}
			inner, err := walk()
			twice = twice || inner
			if err != nil {
				return twice, err
			}
		}
		_, err = dec.Token()
		return twice, err
	}
	twice, _ := walk()
	return twice
}

func depth(text string) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

var loneSurrogate = regexp.MustCompile(`(?i)\\u(d[89ab]|d[c-f])`)

// disagreements are all the classes there are. A token of which the two judge
// differently and that is of none of them fails the test.
var disagreements = []disagreement{
	// We are stricter in form. Two readers must not see two tokens.
	{"jwx takes the last of two members of one name", "malformed", func(s *specimen) bool { return duplicates(s.header) || duplicates(s.payload) }},
	{"jwx lets white space stand round the JSON object", "malformed", func(s *specimen) bool {
		return strings.TrimSpace(s.header) != s.header || strings.TrimSpace(s.payload) != s.payload
	}},
	{"jwx reads bytes that are no UTF-8, and halves of surrogate pairs, as U+FFFD", "malformed", func(s *specimen) bool {
		both := s.header + s.payload
		return !utf8.ValidString(both) || loneSurrogate.MatchString(both)
	}},
	{"jwx knows no bound on depth", "malformed", func(s *specimen) bool { return max(depth(s.header), depth(s.payload)) > 32 }},
	{"jwx takes padding, the standard alphabet, unused bits and line breaks in base64", "malformed", func(s *specimen) bool {
		return !isCanonical(s.raw)
	}},
	{"jwx infers the algorithm from the key where a token names none", "malformed", func(s *specimen) bool { return !s.header1("alg") }},
	{"jwx takes an empty kid or typ", "malformed", func(s *specimen) bool { return s.h["kid"] == "" || s.h["typ"] == "" }},
	{"jwx takes null for an absent header parameter", "malformed", func(s *specimen) bool {
		return slices.ContainsFunc([]string{"alg", "kid", "typ"}, func(name string) bool { v, there := s.h[name]; return there && v == nil })
	}},
	{"jwx reads the JSON serialization too", "serialization", func(s *specimen) bool { return strings.HasPrefix(s.raw, "{") }},

	// We are stricter in what a header may ask for.
	{"jwx leaves crit to its caller", "critical", func(s *specimen) bool { return s.header1("crit") }},
	{"jwx does not look at typ", "type", func(s *specimen) bool {
		typ, _ := s.h["typ"].(string)
		return !slices.Contains([]string{"", "jwt", "at+jwt"}, strings.TrimPrefix(strings.ToLower(typ), "application/")) || typ == "application/"
	}},

	// We judge more claims.
	{"jwx does not know that at_hash, c_hash and events are of other kinds of JWT", "type", func(s *specimen) bool {
		return s.wrong(func(any) bool { return false }, "at_hash", "c_hash", "events")
	}},
	{"jwx does not know bound tokens", "bound", func(s *specimen) bool { _, ok := s.p["cnf"]; return ok }},
	{"jwx reads strings as NumericDate", "claim", func(s *specimen) bool { return s.wrong(isNumber, "exp", "nbf", "iat") }},
	{"jwx takes null for an absent claim", "claim", func(s *specimen) bool {
		return s.wrong(func(v any) bool { return v != nil }, "iss", "sub", "aud", "exp", "nbf", "iat", "jti")
	}},
	{"jwx takes any NumericDate, and wraps or loses the large ones", "claim", func(s *specimen) bool {
		return s.wrong(func(v any) bool { n, ok := v.(float64); return !ok || n >= -62135596800 && n < 253402300800 }, "exp", "nbf", "iat")
	}},
	{"jwx takes an exp of 1970 for none, and such a token for one that never expires", "expired", func(s *specimen) bool {
		exp, ok := s.p["exp"].(float64)
		return ok && exp > -1 && exp < 1
	}},
	{"jwx knows nothing of these claims", "claim", func(s *specimen) bool {
		return s.wrong(isString, "client_id", "azp", "appid", "sid") || s.wrong(isWords, "scope", "scp")
	}},

	// jwx is stricter, in what we never read.
	{"jwx v2 does not know the name Ed25519 of EdDSA (RFC 9864)", "", func(s *specimen) bool { return s.h["alg"] == "Ed25519" }},
	{"jwx parses jwk, jku, x5u, x5c, x5t, x5t#S256 and cty, which we never read: a token does not choose its key", "", func(s *specimen) bool {
		return s.header1("jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "cty")
	}},
	{"jwx takes no NumericDate before 1970", "", func(s *specimen) bool {
		return s.wrong(func(v any) bool { n, ok := v.(float64); return ok && n >= 0 }, "exp", "nbf", "iat")
	}},
}

func isCanonical(raw string) bool {
	again, err := canonical(raw)
	return err == nil && again == raw
}

// explain returns the disagreement that a token is of, -1 for none.
func explain(raw string, reason string) int {
	s := newSpecimen(raw)
	return slices.IndexFunc(disagreements, func(d disagreement) bool { return d.reason == reason && d.applies(s) })
}

// judge has both implementations judge a token and fails if they differ in a way
// that nobody has explained. It returns the disagreement, -1 for none, and
// whether we accepted.
func (lab *laboratory) judge(t testing.TB, raw string) (explained int, accepted bool) {
	t.Helper()
	ours, err := lab.ours(raw)
	if (ours == nil) != (err != nil) {
		t.Fatalf("got token %v with error %v", ours, err)
	}
	theirs, theirErr := lab.theirs(raw)
	switch {
	case err == nil && theirErr == nil:
		if err := agree(ours, theirs); err != nil {
			t.Errorf("both accept, and read differently: %v\n%s", err, raw)
		}
		fallthrough
	case err == nil:
		if again, canonicalErr := canonical(raw); canonicalErr != nil || again != raw {
			t.Errorf("accepted, and not the one text of this token: %q", raw)
		}
		if theirErr == nil {
			return -1, true
		}
		if explained = explain(raw, ""); explained < 0 {
			s := newSpecimen(raw)
			t.Errorf("we accept, jwx refuses, and nobody knows why: %v\nheader  %q\npayload %q", theirErr, s.header, s.payload)
		}
		return explained, true
	case theirErr == nil:
		var e *jwtbearer.Error
		if !errors.As(err, &e) {
			t.Fatalf("got error %v, want an *Error", err)
		}
		if explained = explain(raw, e.Reason.String()); explained < 0 {
			s := newSpecimen(raw)
			t.Errorf("we refuse, jwx accepts, and nobody knows why: %v\nheader  %q\npayload %q", err, s.header, s.payload)
		}
		return explained, false
	}
	return -1, false
}

// A draft is a token before it is signed, and what is done to it.
type draftToken struct {
	alg            string
	header, claims []draftMember
	headerText     func(string) string
	payloadText    func(string) string
	signature      func([]byte) []byte
	whole          func(string) string
}

type draftMember struct{ name, value string }

func set(list []draftMember, name, value string) []draftMember {
	for i := range list {
		if list[i].name == name {
			list[i].value = value
			return list
		}
	}
	return append(list, draftMember{name, value})
}

func without(list []draftMember, name string) []draftMember {
	return slices.DeleteFunc(list, func(m draftMember) bool { return m.name == name })
}

func objectText(list []draftMember) string {
	var b strings.Builder
	for i, m := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%s":%s`, m.name, m.value)
	}
	return "{" + b.String() + "}"
}

func (d *draftToken) mint(lab *laboratory) string {
	header, payload := objectText(d.header), objectText(d.claims)
	if d.headerText != nil {
		header = d.headerText(header)
	}
	if d.payloadText != nil {
		payload = d.payloadText(payload)
	}
	raw := lab.sign(d.alg, header, payload)
	if d.signature != nil {
		i := strings.LastIndexByte(raw, '.')
		b, _ := base64.RawURLEncoding.DecodeString(raw[i+1:])
		raw = raw[:i+1] + base64.RawURLEncoding.EncodeToString(d.signature(b))
	}
	if d.whole != nil {
		raw = d.whole(raw)
	}
	return raw
}

// generator makes tokens, always the same ones.
type generator struct{ *rand.Rand }

func pick[T any](g generator, list []T) T { return list[g.IntN(len(list))] }

// values are JSON values of all types.
var jsonValues = []string{
	`null`, `true`, `false`, `0`, `1`, `-1`, `7`, `1.5`, `1e3`, `""`, `"x"`, `"api1"`, `["api1"]`, `[]`, `[1,"api1"]`, `[["api1"]]`, `["api1",null]`, `{}`, `{"a":1}`, `{"a":{"b":[1,2]}}`,
	`"https://issuer.test"`, `"https://evil.test"`, `"4102444800"`, `4102444800`, `4102444800.5`, `4.1024448e9`, `946684800`, `99999999999999`, `1e300`, `-1e300`, `9223372036854775808`, `18446744073709551616`, `253402300799`, `253402300800`, `"\u0061pi1"`, `"é"`, `"😀"`, `"\ud83d\ude00"`,
}

var (
	claimNames  = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "azp", "appid", "scope", "scp", "sid", "cnf", "at_hash", "c_hash", "events", "nonce", "x", "EXP", "Aud", "ISS"}
	headerNames = []string{"alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "cty", "zip", "x", "ALG", "Kid"}
)

func (g generator) token() *draftToken {
	// RSA and the large curves are slow to sign with.
	d := &draftToken{alg: pick(g, append([]string{"EdDSA", "ES256", "EdDSA", "ES256", "EdDSA", "ES256", "EdDSA", "ES256"}, allAlgorithms...))}
	d.header = []draftMember{{"alg", `"` + d.alg + `"`}, {"kid", `"` + laboratoryKeys[d.alg] + `"`}}
	if typ := pick(g, []string{"", `"JWT"`, `"at+jwt"`, `"application/at+jwt"`, `"jwt"`, `"logout+jwt"`}); typ != "" {
		d.header = append(d.header, draftMember{"typ", typ})
	}
	d.claims = []draftMember{{"iss", `"` + laboratoryIssuer + `"`}, {"aud", pick(g, []string{`"api1"`, `["api1"]`, `["x","api1"]`})}, {"exp", fmt.Sprint(time.Now().Unix() + 3600 + g.Int64N(1e6))}}
	for _, m := range []draftMember{{"sub", `"alice"`}, {"iat", fmt.Sprint(time.Now().Unix() - g.Int64N(1e6))}, {"nbf", fmt.Sprint(time.Now().Unix() - g.Int64N(1e6))}, {"jti", `"1"`}, {"scope", `"read write"`}, {"client_id", `"web"`}} {
		if g.IntN(2) == 0 {
			d.claims = append(d.claims, m)
		}
	}
	g.Shuffle(len(d.claims), func(i, j int) { d.claims[i], d.claims[j] = d.claims[j], d.claims[i] })
	return d
}

// mutations are what may happen to a token, by part.
var mutations = map[string][]func(generator, *draftToken){
	"header": {
		func(g generator, d *draftToken) {
			d.header = set(d.header, pick(g, headerNames), pick(g, jsonValues))
		},
		func(g generator, d *draftToken) { d.header = without(d.header, pick(g, []string{"alg", "kid", "typ"})) },
		func(g generator, d *draftToken) {
			d.header = set(d.header, "alg", `"`+pick(g, append([]string{"none", "HS256", "ES256K", "rs256"}, allAlgorithms...))+`"`)
		},
		func(g generator, d *draftToken) {
			d.header = set(d.header, "kid", `"`+pick(g, []string{"rsa", "p256", "p384", "p521", "ed", "RSA", "nobody", ""})+`"`)
		},
		func(g generator, d *draftToken) {
			d.header = set(d.header, "typ", `"`+pick(g, []string{"JOSE", "dpop+jwt", "AT+JWT", "application/jwt", "application/", "text/at+jwt", ""})+`"`)
		},
		func(g generator, d *draftToken) {
			d.header = set(d.header, "crit", pick(g, []string{`[]`, `["exp"]`, `["b64"]`, `["x"]`, `null`}))
		},
		func(g generator, d *draftToken) {
			d.header = set(d.header, "b64", pick(g, []string{`true`, `false`, `null`, `0`}))
		},
		func(g generator, d *draftToken) {
			d.header = append(d.header, draftMember{pick(g, []string{"alg", "kid", "typ", "x"}), pick(g, jsonValues)})
		},
		func(g generator, d *draftToken) { d.headerText = g.textMutation() },
	},
	"payload": {
		func(g generator, d *draftToken) {
			d.claims = set(d.claims, pick(g, claimNames), pick(g, jsonValues))
		},
		func(g generator, d *draftToken) {
			d.claims = set(d.claims, pick(g, []string{"iss", "aud", "exp", "nbf", "iat", "sub", "jti"}), pick(g, jsonValues))
		},
		func(g generator, d *draftToken) {
			d.claims = without(d.claims, pick(g, []string{"iss", "aud", "exp", "sub", "iat"}))
		},
		func(g generator, d *draftToken) {
			name := pick(g, []string{"exp", "nbf", "iat"})
			// Not near a boundary: the two do not judge at the same instant.
			offset := pick(g, []int64{-1e6, -3600, -90, -30, 30, 90, 3600, 1e6})
			form := pick(g, []string{"%d", "%d.25", "%d.0", `"%d"`, "%de0"})
			d.claims = set(d.claims, name, fmt.Sprintf(form, time.Now().Unix()+offset))
		},
		func(g generator, d *draftToken) {
			d.claims = append(d.claims, draftMember{pick(g, claimNames), pick(g, jsonValues)})
		},
		func(g generator, d *draftToken) {
			d.claims = append(d.claims, draftMember{"x", strings.Repeat("[", 20+g.IntN(20)) + "X"})
			m := &d.claims[len(d.claims)-1]
			m.value = strings.ReplaceAll(m.value, "X", strings.Repeat("]", len(m.value)-1))
		},
		func(g generator, d *draftToken) { d.payloadText = g.textMutation() },
	},
	"signature": {
		func(g generator, d *draftToken) {
			bit := g.Uint32()
			d.signature = func(b []byte) []byte { b[int(bit/8)%len(b)] ^= 1 << (bit % 8); return b }
		},
		func(g generator, d *draftToken) { d.signature = func(b []byte) []byte { return b[:len(b)-1] } },
		func(g generator, d *draftToken) { d.signature = func(b []byte) []byte { return append(b, 0) } },
		func(g generator, d *draftToken) {
			d.signature = func(b []byte) []byte { return append([]byte{0}, b...) }
		},
		func(g generator, d *draftToken) {
			d.signature = func(b []byte) []byte { return make([]byte, len(b)) }
		},
		func(g generator, d *draftToken) {
			d.signature = func(b []byte) []byte {
				return slices.Concat(b[len(b)/2:], b[:len(b)/2])
			}
		},
		func(g generator, d *draftToken) {
			d.signature = func(b []byte) []byte {
				der, _ := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(b[:len(b)/2]), new(big.Int).SetBytes(b[len(b)/2:])})
				return der
			}
		},
		// (r, n-s) is a signature as well: both accept it.
		func(g generator, d *draftToken) {
			curve := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[d.alg]
			if curve == nil {
				return
			}
			d.signature = func(b []byte) []byte {
				half := len(b) / 2
				s := new(big.Int).Sub(curve.Params().N, new(big.Int).SetBytes(b[half:]))
				return slices.Concat(b[:half], s.FillBytes(make([]byte, half)))
			}
		},
		func(g generator, d *draftToken) { d.alg = pick(g, allAlgorithms) }, // the header stays
	},
	"text": {
		func(g generator, d *draftToken) { d.whole = func(s string) string { return s + "=" } },
		func(g generator, d *draftToken) {
			d.whole = segment(g.IntN(3), func(s string) string { return s + "=" })
		},
		func(g generator, d *draftToken) {
			n := g.IntN(3)
			d.whole = func(token string) string {
				if len(strings.Split(token, ".")[n])%4 == 0 {
					return token
				}
				return segment(n, bits)(token)
			}
		},
		func(g generator, d *draftToken) {
			d.whole = strings.NewReplacer("-", "+", "_", "/").Replace
		},
		func(g generator, d *draftToken) {
			space := pick(g, []string{" ", "\n", "\r\n", "\t"})
			d.whole = pick(g, []func(string) string{
				func(s string) string { return s + space }, func(s string) string { return space + s }, segment(g.IntN(3), func(s string) string { return s[:4] + space + s[4:] }),
			})
		},
		func(g generator, d *draftToken) {
			d.whole = func(s string) string { p := strings.Split(s, "."); return p[0] + "." + p[1] + "." }
		},
		func(g generator, d *draftToken) { d.whole = func(s string) string { return s + ".e30" } },
		func(g generator, d *draftToken) { d.whole = func(s string) string { return s + ".e30.e30" } },
		func(g generator, d *draftToken) { d.whole = segment(1, constant("")) },
		func(g generator, d *draftToken) {
			d.whole = func(s string) string {
				p := strings.Split(s, ".")
				return fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p[1], p[0], p[2])
			}
		},
		func(g generator, d *draftToken) {
			at, to := g.Uint32(), byte(g.Uint32())
			d.whole = func(s string) string { b := []byte(s); b[int(at)%len(b)] = to; return string(b) }
		},
	},
}

// rareMutations are those that chance alone would seldom find.
var rareMutations = []func(*draftToken){
	func(d *draftToken) { d.claims = set(d.claims, "exp", `0`) },
	func(d *draftToken) { d.claims = set(d.claims, "nbf", `null`) },
	func(d *draftToken) { d.claims = set(d.claims, "sub", `null`) },
	func(d *draftToken) { d.claims = set(d.claims, "exp", `99999999999999`) },
	func(d *draftToken) { d.claims = set(d.claims, "iat", `-1`) },
	func(d *draftToken) { d.claims = set(d.claims, "iat", `"1000000000"`) },
	func(d *draftToken) { d.claims = set(d.claims, "cnf", `{"jkt":"x"}`) },
	func(d *draftToken) { d.claims = set(d.claims, "at_hash", `"x"`); d.header = without(d.header, "typ") },
	func(d *draftToken) { d.header = set(d.header, "typ", `null`) },
	func(d *draftToken) { d.header = set(d.header, "typ", `""`) },
	func(d *draftToken) { d.header = set(d.header, "typ", `"application/"`) },
}

// mutate changes the token in one way, or two, or none. Which part it begins
// with goes round with n.
func (g generator) mutate(d *draftToken, n int) {
	parts := slices.Sorted(maps.Keys(mutations))
	for range pick(g, []int{0, 1, 1, 1, 1, 2}) {
		pick(g, mutations[parts[(n+g.IntN(2))%len(parts)]])(g, d)
	}
}

// textMutation changes the text of a JSON object.
func (g generator) textMutation() func(string) string {
	return pick(g, []func(string) string{
		func(s string) string { return " " + s },
		func(s string) string { return s + "\n" },
		func(s string) string { return s + s },
		func(s string) string { return s + "]" },
		func(s string) string { return "\ufeff" + s },
		func(s string) string { return s[:len(s)-1] },
		func(s string) string { return "[" + s + "]" },
		func(s string) string { return strings.Replace(s, "}", `,}`, 1) },
		func(s string) string { return strings.Replace(s, "{", "{ \t\r\n", 1) },
		func(s string) string { return strings.Replace(s, "{", "{\"x\":\"\xff\",", 1) },
		func(s string) string { return strings.Replace(s, "{", `{"x":"\ud800",`, 1) },
		func(s string) string { return strings.Replace(s, "{", `{"x":1e999,`, 1) },
		func(s string) string { return strings.Replace(s, "{", `{"x":01,`, 1) },
		func(s string) string { return strings.Replace(s, "{", `{/**/`, 1) },
		func(s string) string { return strings.Replace(s, `"`, `'`, 2) },
		func(s string) string { return strings.Replace(s, `"iss"`, `"\u0069ss"`, 1) },
		func(s string) string { return strings.Replace(s, `"alg"`, `"\u0061lg"`, 1) },
		func(s string) string { return strings.Replace(s, `"exp"`, `"Exp"`, 1) },
	})
}

// TestDifferential has this library and jwx judge thousands of tokens, of which
// most are good but for one thing or two.
func TestDifferential(t *testing.T) {
	t.Parallel()
	lab := newLaboratory()
	g := generator{rand.New(rand.NewPCG(9068, 7519))}
	tokens := 4000
	if testing.Short() {
		tokens = 1000
	}
	var accepted, differing int
	counts := make([]int, len(disagreements))
	for i := range tokens {
		d := g.token()
		if i%3 == 1 { // the signature is checked before such claims are read
			d.claims = append(d.claims, draftMember{"padding", `"` + strings.Repeat("x", 2<<10) + `"`})
		}
		if i < len(rareMutations) {
			rareMutations[i](d)
		} else {
			g.mutate(d, i)
		}
		explained, ok := lab.judge(t, d.mint(lab))
		if ok {
			accepted++
		}
		if explained >= 0 {
			differing++
			counts[explained]++
		}
		if t.Failed() {
			t.Fatalf("token %d of %d", i, tokens)
		}
	}
	t.Logf("%d tokens: %d accepted, %d judged differently", tokens, accepted, differing)
	if accepted < tokens/10 || accepted > tokens*9/10 {
		t.Errorf("%d of %d tokens were accepted: that compares nothing", accepted, tokens)
	}
	for i, d := range disagreements {
		t.Logf("%5d %s", counts[i], d.why)
		if counts[i] == 0 && !testing.Short() { // jwx has changed, or we have
			t.Errorf("no token is of this class any more: %s", d.why)
		}
	}
}

// TestDifferentialMalformedBytes is about what is no token at all.
func TestDifferentialMalformedBytes(t *testing.T) {
	lab := newLaboratory()
	for _, raw := range []string{"", ".", "..", "...", "....", "a.b.c", "\x00", strings.Repeat("a", 1<<17), string(bytes.Repeat([]byte{0xff}, 100))} {
		if explained, ok := lab.judge(t, raw); ok || explained >= 0 {
			t.Errorf("%.20q: accepted %v, disagreement %d", raw, ok, explained)
		}
	}
}
