package jwtbearertest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func publishedKeys(t *testing.T, issuer *jwtbearertest.Issuer) []map[string]any {
	t.Helper()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(issuer.KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	return set.Keys
}

func TestFI02Rotation(t *testing.T) {
	tests := []struct {
		name             string
		rotate           func(*jwtbearertest.Issuer)
		oldGood, newGood bool
		sameID, signsNew bool
		keys             int
	}{
		{"nothing", func(*jwtbearertest.Issuer) {}, true, true, true, false, 1},
		{"add", (*jwtbearertest.Issuer).AddNextKeys, true, true, true, false, 2},
		{"add then switch", (*jwtbearertest.Issuer).Rotate, true, true, false, true, 2},
		{"switch without add", (*jwtbearertest.Issuer).SwitchToNextKeys, true, true, true, false, 1},
		{"add, switch, remove", func(i *jwtbearertest.Issuer) { i.Rotate(); i.RemoveOldKeys() }, false, true, false, true, 1},
		{"add, remove", func(i *jwtbearertest.Issuer) { i.AddNextKeys(); i.RemoveOldKeys() }, true, true, true, false, 2},
		{"hard", (*jwtbearertest.Issuer).RotateHard, false, true, false, true, 1},
		{"same kid, other key", (*jwtbearertest.Issuer).RotateKeepingIDs, false, true, true, true, 1},
		{"no kid", (*jwtbearertest.Issuer).RemoveKeyIDs, true, true, false, false, 1},
		{"duplicate kid", (*jwtbearertest.Issuer).DuplicateKeyIDs, true, true, true, false, 2},
		{"no keys", (*jwtbearertest.Issuer).RemoveAllKeys, false, false, true, false, 0},
	}
	for _, alg := range []string{"RS256", "ES256"} {
		for _, test := range tests {
			t.Run(alg+" "+test.name, func(t *testing.T) {
				issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{Algorithms: []string{alg}})
				keyID, old := issuer.KeyID(alg), issuer.Token("api1")
				test.rotate(issuer)
				fresh := issuer.Token("api1")
				if got := verifies(t, issuer, old) || test.name == "no kid"; got != test.oldGood {
					t.Errorf("token of before: good is %v, want %v", got, test.oldGood)
				}
				if got := verifies(t, issuer, fresh); got != test.newGood {
					t.Errorf("token of after: good is %v, want %v", got, test.newGood)
				}
				if got := issuer.KeyID(alg) == keyID; got != test.sameID {
					t.Errorf("same kid is %v, want %v", got, test.sameID)
				}
				if got := len(publishedKeys(t, issuer)); got != test.keys {
					t.Errorf("got %d keys, want %d", got, test.keys)
				}
				if kid, named := header(t, fresh)["kid"]; named != (issuer.KeyID(alg) != "") || named && kid != issuer.KeyID(alg) {
					t.Errorf("got kid %v in the token, %q as the issuer's", kid, issuer.KeyID(alg))
				}
			})
		}
	}
}

func TestFI02RotationsAddUp(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{Algorithms: []string{"ES256"}})
	first := issuer.Token("api1")
	issuer.Rotate()
	second := issuer.Token("api1")
	issuer.Rotate()
	if !verifies(t, issuer, first) || !verifies(t, issuer, second) || !verifies(t, issuer, issuer.Token("api1")) {
		t.Error("a token of an earlier generation is not good")
	}
	issuer.RemoveOldKeys()
	if verifies(t, issuer, first) || verifies(t, issuer, second) || !verifies(t, issuer, issuer.Token("api1")) {
		t.Error("after RemoveOldKeys: want the newest generation only")
	}
}

func TestFI02ExtraKeys(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t)
	before := len(publishedKeys(t, issuer))
	extra := []jwtbearertest.ExtraKey{
		jwtbearertest.EncryptionKey, jwtbearertest.UnknownTypeKey, jwtbearertest.UnknownCurveKey, jwtbearertest.WeakKey,
		jwtbearertest.SymmetricKey, jwtbearertest.MalformedKey, jwtbearertest.OffCurveKey, jwtbearertest.PrivateKeyLeak,
		`{"kty":"EC"}`, `null`,
	}
	issuer.AddKeys(extra...)
	keys := publishedKeys(t, issuer)
	if len(keys) != before+len(extra) {
		t.Fatalf("got %d keys, want %d", len(keys), before+len(extra))
	}
	if keys[0]["use"] != "enc" || keys[8]["kty"] != "EC" || keys[9] != nil {
		t.Errorf("got %v", keys[:10])
	}
	issuer.RotateHard()
	if got := len(publishedKeys(t, issuer)); got != before+len(extra) {
		t.Errorf("after a rotation: got %d keys, want %d: extra keys stay", got, before+len(extra))
	}
}

func TestFI02BareKeys(t *testing.T) {
	for _, noIDs := range []bool{false, true} {
		issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{BareKeys: true, NoKeyIDs: noIDs})
		keys := publishedKeys(t, issuer)
		if len(keys) != 5 {
			t.Errorf("got %d keys, want 5: RSA, three curves, Ed25519", len(keys))
		}
		for _, key := range keys {
			_, alg := key["alg"]
			_, use := key["use"]
			_, kid := key["kid"]
			if alg || use || kid == noIDs {
				t.Errorf("got %v", key)
			}
		}
		for _, alg := range []string{"RS256", "PS512", "ES384", "EdDSA"} {
			if token := issuer.Token("api1", jwtbearertest.Algorithm(alg)); !verifies(t, issuer, token) {
				t.Errorf("%s: the token is not good", alg)
			}
		}
		issuer.Rotate()
		issuer.RemoveOldKeys()
		if got := len(publishedKeys(t, issuer)); got != 5 {
			t.Errorf("after a rotation: got %d keys, want 5", got)
		}
	}
}

func TestIssuersShareNoKeys(t *testing.T) {
	seen := make(map[any]bool)
	for range 6 {
		issuer := jwtbearertest.NewIssuer(t)
		for _, key := range publishedKeys(t, issuer) {
			if key["alg"] != "RS256" && key["alg"] != "ES256" {
				continue
			}
			material := key["n"]
			if material == nil {
				material = key["x"]
			}
			if seen[material] {
				t.Fatal("two living issuers have the same key")
			}
			seen[material] = true
		}
	}
}

func TestSuccessorHasOtherKeys(t *testing.T) {
	first, err := jwtbearertest.Start(&jwtbearertest.Options{Algorithms: []string{"RS256"}})
	if err != nil {
		t.Fatal(err)
	}
	token := first.Token("api1")
	first.Close()
	second, err := jwtbearertest.Start(&jwtbearertest.Options{Algorithms: []string{"RS256"}})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if verifies(t, second, token) || strings.Contains(string(second.KeySet()), header(t, token)["kid"].(string)) {
		t.Error("the issuer that came after has the key of the closed one")
	}
}
