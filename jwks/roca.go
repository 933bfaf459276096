package jwks

import "math/big"

// rocaPrimes are the primes by which the fingerprint is taken: the first odd
// ones, enough that one key in about a hundred million has it by chance.
var rocaPrimes = [...]uint16{
	3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
	101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
}

// madeByROCA reports whether an RSA modulus bears the mark of the chips and
// their library whose keys can be factored (CVE-2017-15361): both of its primes
// are powers of 65537 modulo a product of small primes, and so is their product
// modulo each of these.
func madeByROCA(modulus *big.Int) bool {
	var p, rest big.Int
	for _, prime := range rocaPrimes {
		p.SetUint64(uint64(prime))
		if !powerOf65537(uint16(rest.Mod(modulus, &p).Uint64()), prime) {
			return false
		}
	}
	return true
}

// powerOf65537 reports whether n is a power of 65537 modulo prime.
func powerOf65537(n, prime uint16) bool {
	step := uint32(65537 % uint32(prime))
	power := uint32(1)
	for range prime {
		if power == uint32(n) {
			return true
		}
		power = power * step % uint32(prime)
	}
	return false
}
