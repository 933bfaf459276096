package jwks

import (
	"crypto/ed25519"
	"math/big"
	"slices"
	"sync"
)

// The curve edwards25519 (RFC 8032, Section 5.1): -x² + y² = 1 + dx²y², modulo p.
var edwards25519 = sync.OnceValue(func() (curve struct{ p, d *big.Int }) {
	one := big.NewInt(1)
	curve.p = new(big.Int).Sub(new(big.Int).Lsh(one, 255), big.NewInt(19))
	curve.d = new(big.Int).ModInverse(big.NewInt(121666), curve.p)
	curve.d.Mul(curve.d, big.NewInt(-121665)).Mod(curve.d, curve.p)
	return curve
})

// edwardsFault says what is wrong with an Ed25519 public key as a point, "" if
// nothing is. crypto/ed25519 finds out about points off the curve only when it
// checks a signature, and takes points of small order: with the identity as the
// key, anybody can make a signature that holds for every message. A key full of
// zeros is such a point too.
//
// The key is public, so that none of this has to take the same time always.
func edwardsFault(key ed25519.PublicKey) string {
	curve, one := edwards25519(), big.NewInt(1)
	mod := func(n *big.Int) *big.Int { return n.Mod(n, curve.p) }

	encoded := slices.Clone(key)
	encoded[len(encoded)-1] &= 0x7f // the sign of x
	slices.Reverse(encoded)
	y := new(big.Int).SetBytes(encoded)
	if y.Cmp(curve.p) >= 0 {
		return "an Ed25519 key that is not encoded canonically" // RFC 8032, Section 5.1.3
	}
	// x² = (y² - 1) / (dy² + 1). The divisor is never 0, since -1/d is no square.
	yy := mod(new(big.Int).Mul(y, y))
	divisor := mod(new(big.Int).Add(new(big.Int).Mul(curve.d, yy), one))
	xx := mod(new(big.Int).Mul(new(big.Int).Sub(yy, one), new(big.Int).ModInverse(divisor, curve.p)))
	if big.Jacobi(xx, curve.p) < 0 {
		return "a point that is not on its curve"
	}
	// Doubling needs the squares only: y' = (y² + x²) / (2 - y² + x²). Eight times a
	// point of small order is the identity, which alone has y = 1.
	for range 3 {
		divisor = mod(new(big.Int).Add(new(big.Int).Sub(big.NewInt(2), yy), xx))
		y = mod(new(big.Int).Mul(new(big.Int).Add(yy, xx), new(big.Int).ModInverse(divisor, curve.p)))
		yy = mod(new(big.Int).Mul(y, y))
		divisor = mod(new(big.Int).Add(new(big.Int).Mul(curve.d, yy), one))
		xx = mod(new(big.Int).Mul(new(big.Int).Sub(yy, one), new(big.Int).ModInverse(divisor, curve.p)))
	}
	if y.Cmp(one) == 0 {
		return "a point of small order, with which anybody could sign"
	}
	return ""
}
