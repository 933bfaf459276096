// Package jwkskeyfunc gives the keys of a [jwks.Set] to code that is written for
// golang-jwt (github.com/golang-jwt/jwt/v5), by way of keyfunc
// (github.com/MicahParks/keyfunc/v3): one cache of keys for the whole program.
//
// It is about keys and nothing else. What golang-jwt leaves to its caller stays
// with the caller: pass jwt.WithAudience, jwt.WithExpirationRequired and
// jwt.WithValidMethods to the parser. Package jwtbearer does all of it.
//
// Only programs that import this package link golang-jwt.
package jwkskeyfunc

import (
	"context"
	"errors"
	"fmt"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/bearerguard/bearerguard/jwks"
)

// New returns a keyfunc over the keys of set, which the caller keeps and closes.
// It panics if set is nil. The result is safe for concurrent use.
//
// Its Keyfunc and KeyfuncCtx methods return a function for jwt.Parse, and the key
// that this returns holds to what [jwks.Set.Find] promises: it has the kid that
// the token names and fits the token's alg, type and curve; an unknown kid makes
// the set refresh, within its budget; waits are short and end with the context
// that KeyfuncCtx was given. With Keyfunc there is no context to end them. A
// token without a kid is tried with at most four keys that fit; a key that is new
// to the set is then found by the next refresh only, since golang-jwt does not ask
// again for a signature that does not hold.
//
// Beyond keyfunc, they hold the token's iss against [jwks.Set.TokenIssuer], so
// that a key never speaks for an issuer that is not its own; claims of a type of
// your own must return it from GetIssuer. The error then matches
// jwt.ErrTokenInvalidIssuer.
//
// Errors match what Find returns: [jwks.ErrUnavailable] is no fault of the token
// and should become a 503.
//
// The Storage is read-only. Read through it directly, without a token, it shows
// the keys that are held, and asks for no refresh.
func New(set *jwks.Set) keyfunc.Keyfunc {
	if set == nil {
		panic("jwkskeyfunc: New: the set is nil")
	}
	over, err := keyfunc.New(keyfunc.Options{Storage: storage{set}})
	if err != nil {
		panic(fmt.Sprintf("jwkskeyfunc: New: %v", err)) // only for a missing Storage
	}
	return bound{over, set}
}

type inner = keyfunc.Keyfunc // a name of its own, since Keyfunc is a method too

// bound tells the storage which alg a token has, and ties keys to their issuer.
type bound struct {
	inner
	set *jwks.Set
}

// Keyfunc implements keyfunc.Keyfunc.
func (b bound) Keyfunc(token *jwt.Token) (any, error) {
	return b.KeyfuncCtx(context.Background())(token)
}

// KeyfuncCtx implements keyfunc.Keyfunc.
func (b bound) KeyfuncCtx(ctx context.Context) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		alg, ok := token.Header["alg"].(string)
		if !ok || alg == "" {
			return nil, errors.New("jwkskeyfunc: the token has no alg")
		}
		// Before the keys where that is possible: a token of another issuer costs no
		// refresh.
		if b.set.TokenIssuer() != "" {
			if err := b.issued(token); err != nil {
				return nil, err
			}
		}
		key, err := b.inner.KeyfuncCtx(context.WithValue(ctx, algorithm{}, alg))(token)
		if err != nil {
			return nil, err
		}
		if err := b.issued(token); err != nil {
			return nil, err
		}
		return key, nil
	}
}

func (b bound) issued(token *jwt.Token) error {
	if token.Claims == nil {
		return fmt.Errorf("jwkskeyfunc: the token has no claims: %w", jwt.ErrTokenInvalidIssuer)
	}
	if iss, err := token.Claims.GetIssuer(); err != nil || iss == "" || iss != b.set.TokenIssuer() {
		return fmt.Errorf("jwkskeyfunc: the token is not from the issuer of the keys: %w", jwt.ErrTokenInvalidIssuer)
	}
	return nil
}
