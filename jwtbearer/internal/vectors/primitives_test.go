package vectors

import (
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
)

// primitiveFiles are Wycheproof's vectors for the signatures themselves, by the
// JWS algorithm that they are: an ECDSA signature of a JWS is IEEE P1363's, and
// the salt of its RSASSA-PSS as long as the hash.
var primitiveFiles = []struct{ alg, name string }{
	{"RS256", "rsa_signature_2048_sha256"},
	{"RS256", "rsa_signature_3072_sha256"},
	{"RS256", "rsa_signature_4096_sha256"},
	{"RS256", "rsa_signature_8192_sha256"},
	{"RS384", "rsa_signature_2048_sha384"},
	{"RS384", "rsa_signature_3072_sha384"},
	{"RS384", "rsa_signature_4096_sha384"},
	{"RS384", "rsa_signature_8192_sha384"},
	{"RS512", "rsa_signature_2048_sha512"},
	{"RS512", "rsa_signature_3072_sha512"},
	{"RS512", "rsa_signature_4096_sha512"},
	{"RS512", "rsa_signature_8192_sha512"},
	{"PS256", "rsa_pss_2048_sha256_mgf1_32"},
	{"PS256", "rsa_pss_3072_sha256_mgf1_32"},
	{"PS256", "rsa_pss_4096_sha256_mgf1_32"},
	{"PS384", "rsa_pss_2048_sha384_mgf1_48"},
	{"PS384", "rsa_pss_4096_sha384_mgf1_48"},
	{"PS512", "rsa_pss_4096_sha512_mgf1_64"},
	{"ES256", "ecdsa_secp256r1_sha256_p1363"},
	{"ES384", "ecdsa_secp384r1_sha384_p1363"},
	{"ES512", "ecdsa_secp521r1_sha512_p1363"},
	{"EdDSA", "ed25519"},
	{"Ed25519", "ed25519"},
}

// otherSalts are files whose salt is not as long as the hash, which makes every
// signature in them none of a JWS (RFC 7518, Section 3.5), but for one that is
// meant to be wrong there.
var otherSalts = []struct {
	alg, name string
	hash      int // its length
}{
	{"PS256", "rsa_pss_2048_sha256_mgf1_0", 32},
	{"PS512", "rsa_pss_4096_sha512_mgf1_32", 64},
}

type primitiveFile struct {
	NumberOfTests int
	TestGroups    []struct {
		PublicKeyPem string
		Tests        []struct {
			TcID             int
			Comment          string
			Msg, Sig, Result string
		}
	}
}

// check runs one file and hands each outcome to judge.
func (f *primitiveFile) check(t *testing.T, alg string, judge func(id int, comment, result string, err error)) {
	t.Helper()
	total := 0
	for _, group := range f.TestGroups {
		set, unusable := jwks.NewStatic(issuer, []byte(group.PublicKeyPem), &jwks.StaticOptions{Logger: quiet})
		for _, vector := range group.Tests {
			total++
			err := unusable
			if err == nil {
				err = checkOne(t, set, alg, vector.Msg, vector.Sig)
			}
			judge(vector.TcID, vector.Comment, vector.Result, err)
		}
		if set != nil {
			set.Close()
		}
	}
	if total == 0 || total != f.NumberOfTests {
		t.Errorf("%d vectors read of %d", total, f.NumberOfTests)
	}
}

func checkOne(t *testing.T, set *jwks.Set, alg, message, signature string) error {
	t.Helper()
	input, err := hex.DecodeString(message)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := hex.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := set.Find(t.Context(), "", alg)
	if err != nil {
		return err
	}
	if len(keys) != 1 {
		return fmt.Errorf("%d keys", len(keys))
	}
	if !jose.Verify(alg, keys[0].Public(), input, sig) {
		return errSignature
	}
	return nil
}

func TestWycheproofSignatures(t *testing.T) {
	for _, each := range primitiveFiles {
		t.Run(each.alg+"/"+each.name, func(t *testing.T) {
			var file primitiveFile
			load(t, each.name, &file)
			seen := newSeen(each.name)
			accepted := 0
			file.check(t, each.alg, func(id int, comment, result string, err error) {
				if err == nil {
					accepted++
				}
				seen.judge(t, fmt.Sprintf("%s/%d", each.name, id), comment, result, err)
			})
			seen.finish(t)
			if accepted == 0 {
				t.Error("not one signature was accepted")
			}
			t.Logf("%d vectors, %d accepted, %d answered differently", file.NumberOfTests, accepted, len(seen.differ))
		})
	}
}

func TestSaltsOfAnotherLengthAreRefused(t *testing.T) {
	for _, each := range otherSalts {
		t.Run(each.name, func(t *testing.T) {
			var file primitiveFile
			load(t, each.name, &file)
			file.check(t, each.alg, func(id int, comment, result string, err error) {
				if comment == fmt.Sprintf("s_len changed to %d", each.hash) {
					if err != nil { // the one with the right salt
						t.Errorf("%d (%s): %v", id, comment, err)
					}
					return
				}
				if !errors.Is(err, errSignature) {
					t.Errorf("%d (%s), %s as PSS: %v", id, comment, result, err)
				}
			})
		})
	}
}
