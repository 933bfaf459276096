package vectors

import (
	"strings"
	"testing"
)

// The reasons.
const (
	symmetric = "a symmetric key: HMAC has no path, for whoever can check such a token can make one"
	empty     = "an empty payload is a detached one (RFC 7515, Appendix F) and never a claims set"
	otherAlg  = "the vector's key is published for PS256 and the signature is PS384's; a key serves the algorithm it is published for alone (RFC 7517, Section 4.4). With the key as RFC 7520 has it, the example is accepted: TestRFCExamples"
	es521     = `the vector's key is published for "ES521", which is no algorithm. With the key as RFC 7520 has it, the example is accepted: TestRFCExamples`
	exponent  = "a public exponent of 3; 65537 is the least that FIPS 186-5 approves"
)

// differences are the vectors that are answered differently from what their
// authors expect, by file and number, with the reason.
var differences = map[string]string{
	"json_web_signature/1":          symmetric,
	"json_web_signature/348":        symmetric,
	"json_web_signature/352":        symmetric,
	"json_web_signature/357":        symmetric,
	"json_web_signature/358":        symmetric,
	"json_web_signature/359":        symmetric,
	"json_web_signature/372":        symmetric,
	"json_web_signature/373":        symmetric,
	"json_web_signature/376":        symmetric,
	"json_web_signature/377":        symmetric,
	"json_web_signature/259":        empty,
	"json_web_signature/264":        empty,
	"json_web_signature/268":        empty,
	"json_web_signature/272":        empty,
	"json_web_signature/320":        empty,
	"json_web_signature/325":        empty,
	"json_web_signature/346":        otherAlg,
	"json_web_signature/350":        otherAlg,
	"json_web_signature/347":        es521,
	"json_web_signature/351":        es521,
	"json_web_key/2":                symmetric,
	"json_web_key/13":               symmetric,
	"json_web_key/14":               symmetric,
	"json_web_key/15":               symmetric,
	"json_web_crypto/1":             symmetric,
	"json_web_crypto/48":            symmetric,
	"rsa_signature_2048_sha256/258": exponent,
	"rsa_signature_2048_sha256/259": exponent,
	"rsa_signature_3072_sha256/259": exponent,
	"rsa_signature_2048_sha512/259": exponent,
	"rsa_signature_3072_sha512/260": exponent,
}

// A seen follows which differences of one file came up.
type seen struct {
	file   string
	differ map[string]bool
}

func newSeen(file string) *seen { return &seen{file: file, differ: map[string]bool{}} }

// judge compares the outcome with the expectation. What is "acceptable" may go
// either way.
func (s *seen) judge(t *testing.T, id, comment, expected string, err error) {
	t.Helper()
	switch {
	case expected == "acceptable", (err == nil) == (expected == "valid"):
		return
	case differences[id] == "":
		t.Errorf("%s (%s): expected to be %s; got: %v", id, comment, expected, err)
	}
	s.differ[id] = true
}

// finish looks for differences that did not come up.
func (s *seen) finish(t *testing.T) {
	t.Helper()
	for id := range differences {
		if strings.HasPrefix(id, s.file+"/") && !s.differ[id] {
			t.Errorf("%s is listed as different and is not", id)
		}
	}
}
