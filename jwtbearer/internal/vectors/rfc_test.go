package vectors

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
)

// examples are those of RFC 7515, 7517, 7520 and 8037 that concern signatures
// and the keys for them, as they stand there. Where the library's answer is
// another one than that the example is valid, it says which and why.
type examples struct {
	Signatures []struct {
		Name     string
		Key      json.RawMessage
		JWS      string
		Expected string
		Reason   string
	}
	KeySets []struct {
		Name   string
		Keys   []json.RawMessage
		Usable []bool
		Reason string
	}
}

func readExamples(t *testing.T) (e examples) {
	t.Helper()
	data, err := os.ReadFile("testdata/rfc.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestRFCExamples(t *testing.T) {
	outcomes := map[string]func(error) bool{
		"valid":         func(err error) bool { return err == nil },
		"critical":      func(err error) bool { return errors.Is(err, jose.ErrCritical) },
		"algorithm":     func(err error) bool { return errors.Is(err, jwks.ErrKeyNotFound) }, // no key can have it
		"serialization": func(err error) bool { return errors.Is(err, jose.ErrSerialization) },
		"detached":      func(err error) bool { return errors.Is(err, jose.ErrDetached) },
		"unusable key": func(err error) bool {
			return err != nil && strings.Contains(err.Error(), "none of the 1 keys of the key set can be used")
		},
	}
	valid := 0
	for _, example := range readExamples(t).Signatures {
		t.Run(example.Name, func(t *testing.T) {
			as, known := outcomes[example.Expected]
			if !known || (example.Expected != "valid") != (example.Reason != "") {
				t.Fatalf("the entry is wrong: expected %q, reason %q", example.Expected, example.Reason)
			}
			err := verify(t, example.Key, example.JWS)
			if !as(err) {
				t.Fatalf("expected: %s; got: %v", example.Expected, err)
			}
			refusal := refusedAsToken(t, example.Key, example.JWS)
			if example.Expected == "algorithm" && !errors.Is(refusal, jwtbearer.ErrAlgorithm) {
				t.Errorf("as a token, it is refused for another reason: %v", refusal)
			}
			if example.Expected != "valid" {
				return
			}
			valid++
			// Its twin: the same example with one bit of its signature changed.
			dot := strings.LastIndexByte(example.JWS, '.')
			changed := example.JWS[:dot+1] + flip(example.JWS[dot+1]) + example.JWS[dot+2:]
			if err := verify(t, example.Key, changed); !errors.Is(err, errSignature) {
				t.Errorf("with a changed signature: %v", err)
			}
		})
	}
	if valid < 7 {
		t.Errorf("%d examples are accepted, 7 are there", valid)
	}
}

// flip returns another character of the alphabet than c.
func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func TestRFCKeySets(t *testing.T) {
	for _, example := range readExamples(t).KeySets {
		t.Run(example.Name, func(t *testing.T) {
			// A key that is good is beside them, so that the set can be opened.
			good := json.RawMessage(`{"kty":"EC","crv":"P-256","kid":"beside","alg":"ES256",` +
				`"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`)
			data, err := json.Marshal(map[string]any{"keys": append(example.Keys, good)})
			if err != nil {
				t.Fatal(err)
			}
			set, err := jwks.NewStatic(issuer, data, &jwks.StaticOptions{Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			skipped := map[int]string{}
			for _, key := range set.Status().Skipped {
				skipped[key.Index] = key.Reason
			}
			for i, usable := range example.Usable {
				reason, was := skipped[i]
				if was == usable {
					t.Errorf("key %d: expected to be usable: %v; skipped: %v %s", i, usable, was, reason)
				}
				if !usable && example.Reason == "" {
					t.Errorf("key %d: the entry lacks its reason", i)
				}
			}
			if len(example.Usable) != len(example.Keys) {
				t.Errorf("%d keys, %d of them judged", len(example.Keys), len(example.Usable))
			}
		})
	}
}

// The example token of RFC 7519 is signed in RFC 7515, A.2 and A.3. It has an
// issuer and an expiry, and no audience, which is all that is wrong with it
// before it expired in 2011.
func TestRFCTokenLacksAnAudience(t *testing.T) {
	for _, example := range readExamples(t).Signatures {
		if !strings.Contains(example.Name, "A.2") && !strings.Contains(example.Name, "A.3") {
			continue
		}
		t.Run(example.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // its time begins in 2000
				keys, err := jwks.NewStatic("joe", asSet(example.Key), &jwks.StaticOptions{Logger: quiet})
				if err != nil {
					t.Fatal(err)
				}
				defer keys.Close()
				verifier, err := jwtbearer.New("joe", &jwtbearer.Options{Keys: keys, Logger: quiet})
				if err != nil {
					t.Fatal(err)
				}
				defer verifier.Close()
				policy, err := verifier.Policy("api1")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := policy.Verify(t.Context(), example.JWS); !errors.Is(err, jwtbearer.ErrAudience) {
					t.Errorf("before it expired: %v", err)
				}
			})
		})
	}
}
