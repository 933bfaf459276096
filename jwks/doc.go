// Package jwks answers one question: whose keys? It reads the keys of an
// OAuth 2.0 or OpenID Connect authority from its discovery document and key
// set, keeps them fresh in the background, and hands them out without a lock.
//
//	set, err := jwks.New("https://id.example.com", nil)
//	if err != nil { … } // only ever a configuration mistake
//	defer set.Close()
//
//	keys, err := set.Find(ctx, kid, alg)
//
// Most programs do not use it directly: package jwtbearer does, and package
// jwkskeyfunc gives the same keys to code that is written for golang-jwt.
//
// # What callers can count on
//
// Whoever sends tokens cannot make the set worse. A key that is known is found
// in constant time, without lock, wait or allocation, whatever else happens. A
// key id that is not known asks for one refresh, shared by all who ask, out of
// a budget: three at once, then one every five seconds, fewer still after ten
// have brought nothing new. Who asks beyond the budget is answered at once, or
// by the refresh that is under way, and the budget's next refresh is made for it.
// A key id that was looked for in vain is not asked for again for 5 to 30 seconds.
//
// An outage of the authority costs nothing while keys are held: the last good
// keys stay in use for [Options.MaxStaleness]. After that, and before the first
// keys have come, every answer matches [ErrUnavailable], which is not the
// token's fault and should become a 503, not a 401.
//
// A key that the authority takes away is refused after the next refresh. That
// is at most [Options.MaxRefreshInterval] away (one hour), plus a jitter of up
// to a tenth, plus the time of the fetch; [Set.Refresh] does it now. While only
// the metadata cannot be read, the keys are read where they were. An authority
// that changes a key under the same key id is found out by that refresh too, and
// not by the tokens of the new one: who changes a key must change its id.
//
// One key that cannot be used (another type, another purpose, malformed, weak,
// private) is skipped and shown in [Set.Status]; the others work.
//
// # What it reads
//
// Metadata by OpenID Connect Discovery 1.0, Section 4, else RFC 8414,
// Section 3; key sets by RFC 7517; keys by RFC 7518, Section 6 and RFC 8037:
// RSA of 2048 to 8192 bits, EC on P-256, P-384 and P-521, and Ed25519. No
// address ever comes from a token. Certificates in a JWK (x5c, x5t, x5u) are
// ignored: the key set is trusted because of where it was read, over TLS.
package jwks
