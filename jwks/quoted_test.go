package jwks_test

import (
	"strings"
	"testing"
)

// TestWhatIsQuotedIsBounded: who writes a key set decides how long its texts are,
// and not how long a log line is.
func TestWhatIsQuotedIsBounded(t *testing.T) {
	long := strings.Repeat("x", 10_000) + "\n"
	s := static(t, document(ecJWK("a"), ecJWK("b").with("use", long), ecJWK("c").with("alg", long), ecJWK("d").with("kty", long)))
	skipped := s.Status().Skipped
	if len(skipped) != 3 {
		t.Fatalf("%d keys are skipped, want 3", len(skipped))
	}
	for _, key := range skipped {
		if len(key.Reason) > 200 || strings.Contains(key.Reason, "\n") {
			t.Errorf("key %s: a reason of %d bytes: %.200q", key.KeyID, len(key.Reason), key.Reason)
		}
	}
}
