package jwks_test

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/bearerguard/bearerguard/jwks"
)

// TestROCA makes a modulus with the mark that the weak keys of CVE-2017-15361
// have, a power of 65537 modulo the product of the small primes, and one that
// differs from it by two.
func TestROCA(t *testing.T) {
	product := big.NewInt(1)
	for n := int64(3); n <= 167; n += 2 {
		if big.NewInt(n).ProbablyPrime(0) { // exact below 2^64
			product.Mul(product, big.NewInt(n))
		}
	}
	weak := new(big.Int).Exp(big.NewInt(65537), big.NewInt(123456789), product)
	weak.Add(weak, new(big.Int).Mul(product, new(big.Int).Lsh(big.NewInt(1), uint(2048-product.BitLen()))))
	if weak.Bit(0) == 0 {
		weak.Add(weak, product)
	}
	near := new(big.Int).Add(weak, big.NewInt(2))
	for _, tt := range []struct {
		name    string
		modulus *big.Int
		used    bool
	}{{"weak", weak, false}, {"near", near, true}} {
		document := fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"%s","e":"AQAB","n":"%s"},
			{"kty":"OKP","crv":"Ed25519","kid":"other","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`,
			tt.name, base64.RawURLEncoding.EncodeToString(tt.modulus.Bytes()))
		set, err := jwks.NewStatic("https://id.example.com", []byte(document), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		keys, _ := set.Find(t.Context(), tt.name, "RS256")
		if (len(keys) == 1) != tt.used {
			t.Errorf("%s: got %d keys", tt.name, len(keys))
		}
		skipped := set.Status().Skipped
		if !tt.used && (len(skipped) != 1 || !strings.Contains(skipped[0].Reason, "CVE-2017-15361")) {
			t.Errorf("%s: skipped %+v", tt.name, skipped)
		}
	}
}
