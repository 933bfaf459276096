package jwtbearertest

import (
	"crypto"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// keySet is what an issuer signs with and what it publishes; these are two
// things, and the difference is what key rotation is about. It is guarded by
// Issuer.mu.
type keySet struct {
	algorithms []string
	bare       bool // publish neither "alg" nor "use"

	drawn     map[kind][]crypto.Signer
	signing   map[string]*signingKey // by algorithm: what signs now
	next      map[string]*signingKey // published, not signing yet; nil if none
	published []publishedKey
	all       []*signingKey // everything that ever signed
}

// publishedKey is one member of the "keys" array.
type publishedKey struct {
	key *signingKey // nil for one that this issuer never signs with
	jwk json.RawMessage
}

func newKeySet(algs []string, bare, anonymous bool) *keySet {
	s := &keySet{algorithms: algs, bare: bare, drawn: make(map[kind][]crypto.Signer)}
	s.signing = s.generation()
	if anonymous {
		for _, key := range s.signing {
			key.id = ""
		}
	}
	s.publish(s.signing)
	return s
}

// generation makes one key for each algorithm. The RSA algorithms share one RSA
// key, published under a name for each algorithm: making RSA keys is slow.
func (s *keySet) generation() map[string]*signingKey {
	private := make(map[kind]crypto.Signer)
	keys := make(map[string]*signingKey)
	for _, alg := range s.algorithms {
		k := kindOf(alg)
		if private[k] == nil {
			private[k] = pool.draw(k)
			s.drawn[k] = append(s.drawn[k], private[k])
		}
		keys[alg] = newSigningKey(alg, private[k], s.bare)
	}
	return keys
}

func (s *keySet) publish(keys map[string]*signingKey) {
	shown := make(map[string]bool)
	for _, alg := range s.algorithms {
		key := keys[alg]
		s.all = append(s.all, key)
		if s.bare && shown[publicKeyDER(key.private)] {
			continue
		}
		shown[publicKeyDER(key.private)] = true
		s.published = append(s.published, publishedKey{key, s.document(key)})
	}
}

// document is the key as the issuer publishes it.
func (s *keySet) document(key *signingKey) json.RawMessage {
	k := mustJWK(key.private.Public())
	if key.id != "" {
		must(k.Set(jwk.KeyIDKey, key.id))
	}
	if !s.bare {
		must(k.Set(jwk.KeyUsageKey, "sig"))
	}
	data, err := json.Marshal(k)
	must(err)
	if s.bare {
		return data
	}
	// jwx refuses to set a name that it does not know, such as Ed25519.
	alg, err := json.Marshal(key.alg)
	must(err)
	return append(append(append(data[:len(data)-1:len(data)-1], `,"alg":`...), alg...), '}')
}

// withdraw takes every key for which gone answers true out of what is published.
func (s *keySet) withdraw(gone func(publishedKey) bool) {
	kept := s.published[:0:0]
	for _, p := range s.published {
		if !gone(p) {
			kept = append(kept, p)
		}
	}
	s.published = kept
}

func (s *keySet) signs(p publishedKey) bool {
	if p.key == nil {
		return false
	}
	for _, key := range s.signing {
		// Under bare publication one entry stands for several algorithms.
		if key == p.key || key.id == p.key.id && sameKey(key.private, p.key.private) {
			return true
		}
	}
	return false
}

func (s *keySet) addNext() {
	if s.next != nil {
		return
	}
	s.next = s.generation()
	s.keepAnonymous(s.next)
	s.publish(s.next)
}

// keepAnonymous takes the names off new keys if the present ones have none.
func (s *keySet) keepAnonymous(keys map[string]*signingKey) {
	for alg, key := range s.signing {
		if key.id == "" {
			keys[alg].id = ""
		}
	}
}

func (s *keySet) switchToNext() {
	if s.next != nil {
		s.signing, s.next = s.next, nil
	}
}

func (s *keySet) json() []byte {
	keys := make([]json.RawMessage, 0, len(s.published))
	for _, p := range s.published {
		keys = append(keys, p.jwk)
	}
	data, err := json.Marshal(map[string]any{"keys": keys})
	must(err)
	return data
}

// find returns the keys that a token of this issuer with this header may have
// been signed with.
func (s *keySet) find(alg, id string) []*signingKey {
	var found []*signingKey
	for _, key := range s.all {
		if key.alg == alg && (id == "" || key.id == id) {
			found = append(found, key)
		}
	}
	return found
}

// Rotate publishes a new key for every algorithm and signs with the new keys
// from now on. The old keys stay published, so that tokens signed before stay
// good: the ordinary rotation, done in one step.
func (i *Issuer) Rotate() {
	i.AddNextKeys()
	i.SwitchToNextKeys()
}

// AddNextKeys publishes the keys of the next generation and goes on signing with
// the present ones. A second call before [Issuer.SwitchToNextKeys] does nothing.
func (i *Issuer) AddNextKeys() { i.changeKeys((*keySet).addNext) }

// SwitchToNextKeys signs with the keys that [Issuer.AddNextKeys] published from
// now on; without such keys it does nothing. The old keys stay published.
func (i *Issuer) SwitchToNextKeys() { i.changeKeys((*keySet).switchToNext) }

// RemoveOldKeys publishes only the keys that sign now and those that will sign
// next: tokens signed with earlier ones are no longer verifiable. What
// [Issuer.AddKeys] added stays.
func (i *Issuer) RemoveOldKeys() {
	i.changeKeys(func(s *keySet) {
		next := make(map[*signingKey]bool)
		for _, key := range s.next {
			next[key] = true
		}
		s.withdraw(func(p publishedKey) bool { return p.key != nil && !s.signs(p) && !next[p.key] })
	})
}

// RotateHard replaces all keys at once: the old ones are gone from the key set
// when the first new token is signed. An issuer does this when a key has leaked.
func (i *Issuer) RotateHard() {
	i.Rotate()
	i.RemoveOldKeys()
}

// RotateKeepingIDs replaces all keys at once and publishes the new ones under
// the ids of the old ones, which no issuer should do and some have done.
func (i *Issuer) RotateKeepingIDs() {
	i.changeKeys(func(s *keySet) {
		old := s.signing
		s.withdraw(s.signs)
		s.signing, s.next = s.generation(), nil
		for alg, key := range s.signing {
			key.id = old[alg].id
		}
		s.publish(s.signing)
	})
}

// RemoveKeyIDs publishes the present keys without "kid" and mints tokens without
// it from now on.
func (i *Issuer) RemoveKeyIDs() {
	i.changeKeys(func(s *keySet) {
		s.withdraw(s.signs)
		anonymous := make(map[string]*signingKey)
		for alg, key := range s.signing {
			k := *key
			k.id = ""
			anonymous[alg] = &k
		}
		s.signing = anonymous
		s.publish(s.signing)
	})
}

// DuplicateKeyIDs publishes, before every key that signs, another key of the same
// type with the same "kid": a verifier that stops at the first match refuses good
// tokens.
func (i *Issuer) DuplicateKeyIDs() {
	i.changeKeys(func(s *keySet) {
		twins := s.generation()
		published := make([]publishedKey, 0, 2*len(s.published))
		for _, p := range s.published {
			if s.signs(p) {
				twin := *twins[p.key.alg]
				twin.id = p.key.id
				published = append(published, publishedKey{nil, s.document(&twin)})
			}
			published = append(published, p)
		}
		s.published = published
	})
}

// RemoveAllKeys publishes an empty key set and goes on signing.
func (i *Issuer) RemoveAllKeys() {
	i.changeKeys(func(s *keySet) { s.published = nil })
}

// AddKeys publishes further members of the key set before all others: one of
// the constants of [ExtraKey], or any JSON text. It panics if a key is not JSON.
func (i *Issuer) AddKeys(keys ...ExtraKey) {
	i.changeKeys(func(s *keySet) {
		var extra []publishedKey
		for _, key := range keys {
			extra = append(extra, publishedKey{nil, key.document()})
		}
		s.published = append(extra, s.published...)
	})
}

func (i *Issuer) changeKeys(change func(*keySet)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i.keys)
}

// KeySet returns the JWK Set that the issuer publishes (RFC 7517, Section 5).
func (i *Issuer) KeySet() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys.json()
}

// KeyID returns the "kid" of the key that signs by alg now, "" if it has none.
// It panics if the issuer has no key for alg.
func (i *Issuer) KeyID(alg string) string {
	return i.signingKey(alg).id
}

// signingKey returns a copy, which stays as it is when keys are rotated.
func (i *Issuer) signingKey(alg string) signingKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	key := i.keys.signing[alg]
	if key == nil {
		panic(fmt.Sprintf("jwtbearertest: the issuer has no key for algorithm %q: name it in Options.Algorithms", alg))
	}
	return *key
}

// release gives the private keys back to the pool.
func (s *keySet) release() {
	drawn := maps.Clone(s.drawn)
	clear(s.drawn)
	pool.giveBack(drawn)
}

func must(err error) {
	if err != nil {
		panic("jwtbearertest: " + err.Error())
	}
}
