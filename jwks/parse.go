package jwks

import (
	"crypto"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds on one key set. At 2,000 keys an authority gives each tenant one.
const (
	maxKeySetBytes = 1 << 20
	maxKeys        = 2000
)

// A document is what one reading of a source brought.
type document struct {
	issuer   string
	keys     []material
	skipped  []SkippedKey
	outdated error // why only the keys were read anew, and not where they are
}

// material is a usable public key of a document.
type material struct {
	identity
	public crypto.PublicKey
	serves []algorithm
}

// An identity tells whether a key is the one that was there before.
type identity struct {
	id, alg string
	value   [sha256.Size]byte
}

// collector gathers the keys of a document.
type collector struct {
	doc   document
	slots map[slot]bool
	known map[identity]bool
}

func newCollector() *collector {
	return &collector{slots: map[slot]bool{}, known: map[identity]bool{}}
}

// add takes a key, unless an earlier one has its place: the first usable key of
// a key id and algorithm wins, in the order of the document.
func (c *collector) add(id, alg string, key publicKey) *skip {
	serves := fitting(key.public)
	if alg != "" {
		one := algorithmOf(alg)
		if !slices.Contains(serves, one) {
			return &skip{reason: "the alg " + quoted(alg) + " does not fit the type or curve of the key"}
		}
		serves = []algorithm{one}
	}
	m := material{identity: identity{id, alg, key.value()}, public: key.public, serves: serves}
	if c.known[m.identity] {
		return &skip{reason: "the same key again", normal: true}
	}
	if id != "" {
		free := false
		for _, alg := range serves {
			free = free || !c.slots[slot{id, alg}]
			c.slots[slot{id, alg}] = true
		}
		if !free {
			return &skip{reason: "an earlier key has the same kid and algorithm"}
		}
	}
	c.known[m.identity] = true
	c.doc.keys = append(c.doc.keys, m)
	return nil
}

func (c *collector) skip(key SkippedKey) { c.doc.skipped = append(c.doc.skipped, key) }

// A skip is why a key is not used.
type skip struct {
	reason string
	normal bool // nothing an operator would act on
}

// parseKeySet reads a JWK Set (RFC 7517, Section 5). The error is about the set
// as a whole; what is wrong with one key costs that key only.
func parseKeySet(data []byte) (*document, error) {
	members, err := object(data)
	if err != nil {
		return nil, fmt.Errorf("the key set is unreadable: %w", err)
	}
	raw, ok := members["keys"]
	if !ok {
		return nil, errors.New(`the key set has no member "keys"`)
	}
	elements, err := list(raw)
	if err != nil {
		return nil, fmt.Errorf(`the key set is unreadable: "keys": %w`, err)
	}
	if len(elements) > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys, more than the %d that are read", len(elements), maxKeys)
	}
	c := newCollector()
	for i, element := range elements {
		described, why := parseKey(c, element)
		if why != nil {
			described.Index, described.Reason, described.Normal = i, why.reason, why.normal
			c.skip(described)
		}
	}
	return &c.doc, nil
}

// privateMembers hold private keys (RFC 7518, Section 6; RFC 8037, Section 2;
// "priv" of the AKP type). Their being in a key set means that the private key
// is public.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "priv"}

// parseKey reads one JWK into c, or says why it is not used.
func parseKey(c *collector, raw json.RawMessage) (described SkippedKey, why *skip) {
	// The parser below is another project's; whatever a document makes it do
	// costs this key and nothing else.
	defer func() {
		if recover() != nil {
			why = &skip{reason: "it cannot be parsed"}
		}
	}()

	jwk, err := object(raw)
	if err != nil {
		return described, &skip{reason: err.Error()}
	}
	malformed := func(name string) (SkippedKey, *skip) {
		return described, &skip{reason: fmt.Sprintf("%q is not a string", name)}
	}
	kid, ok := text(jwk, "kid")
	if !ok {
		return malformed("kid")
	}
	described.KeyID = kid
	kty, ok := text(jwk, "kty")
	if !ok {
		return malformed("kty")
	}
	described.Type = kty
	alg, ok := text(jwk, "alg")
	if !ok {
		return malformed("alg")
	}
	described.Algorithm = alg
	use, ok := text(jwk, "use")
	if !ok {
		return malformed("use")
	}

	if kty == "oct" {
		return described, &skip{reason: "a symmetric key; whoever reads the key set could sign with it"}
	}
	for _, name := range privateMembers {
		if _, there := jwk[name]; there {
			return described, &skip{reason: fmt.Sprintf("a private key (it has %q): it is public now and must be replaced", name)}
		}
	}
	switch kty {
	case "RSA", "EC", "OKP":
	case "":
		return described, &skip{reason: `"kty" is missing`}
	default:
		return described, &skip{reason: "unknown key type " + quoted(kty), normal: true}
	}
	if use != "" && use != "sig" {
		return described, &skip{reason: "its use is " + quoted(use), normal: true}
	}
	if why := verifies(jwk); why != nil {
		return described, why
	}
	if alg != "" && algorithmOf(alg) == unsupported {
		// RSA-OAEP, ECDH-ES, ES256K, ML-DSA-44, …; an HMAC name on a public key is
		// the mark of a confusion that an operator should hear about.
		return described, &skip{reason: "unsupported alg " + quoted(alg), normal: !strings.HasPrefix(alg, "HS")}
	}
	key, why := parsePublic(kty, jwk)
	if why != nil {
		return described, why
	}
	return described, c.add(kid, alg, key)
}

// verifies says whether key_ops lets the key check signatures (RFC 7517,
// Section 4.3).
func verifies(jwk map[string]json.RawMessage) *skip {
	raw, there := jwk["key_ops"]
	if !there {
		return nil
	}
	var operations []string
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &operations) != nil {
		return &skip{reason: `"key_ops" is not an array of strings`}
	}
	if !slices.Contains(operations, "verify") {
		return &skip{reason: `its key_ops do not have "verify"`, normal: true}
	}
	return nil
}

// usable returns an error if nothing in the document can be used.
func (d *document) usable() error {
	switch {
	case len(d.keys) > 0:
		return nil
	case len(d.skipped) == 0:
		return errors.New("the key set is empty")
	default:
		return fmt.Errorf("none of the %d keys of the key set can be used: the first is skipped because: %s", len(d.skipped), d.skipped[0].Reason)
	}
}

// digest is the value of a key, whatever document it came in.
func digest(kind string, parts ...[]byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write([]byte(kind))
	var size [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}
