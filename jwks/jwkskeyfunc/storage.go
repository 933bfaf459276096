package jwkskeyfunc

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"

	"github.com/bearerguard/bearerguard/jwks"
)

// algorithm is the context key for the alg of the token in hand: jwkset asks for
// a key by kid alone.
type algorithm struct{}

var errReadOnly = errors.New("jwkskeyfunc: the keys come from the authority and cannot be written")

// storage is a jwkset.Storage that shows a set.
type storage struct{ set *jwks.Set }

var _ jwkset.Storage = storage{}

// KeyRead returns the key of a key id.
func (s storage) KeyRead(ctx context.Context, kid string) (jwkset.JWK, error) {
	alg, ok := ctx.Value(algorithm{}).(string)
	if !ok {
		return s.held(kid)
	}
	if kid == "" {
		// To Find that would mean a token without a kid, and several keys.
		return jwkset.JWK{}, notFound(jwks.ErrKeyNotFound)
	}
	keys, err := s.set.Find(ctx, kid, alg)
	if err != nil {
		return jwkset.JWK{}, notFound(err)
	}
	return describe(keys[0], alg)
}

// held returns a key without a token that says for which algorithm.
func (s storage) held(kid string) (jwkset.JWK, error) {
	for _, key := range s.set.Keys() {
		if key.ID() == kid && kid != "" {
			return describe(key, key.Algorithm())
		}
	}
	return jwkset.JWK{}, notFound(jwks.ErrKeyNotFound)
}

// KeyReadAll returns the keys that a token without a kid is tried with; without
// a token, all keys.
func (s storage) KeyReadAll(ctx context.Context) ([]jwkset.JWK, error) {
	alg, ok := ctx.Value(algorithm{}).(string)
	keys := s.set.Keys()
	if ok {
		var err error
		if keys, err = s.set.Find(ctx, "", alg); err != nil {
			return nil, notFound(err)
		}
	}
	all := make([]jwkset.JWK, 0, len(keys))
	for _, key := range keys {
		bound := alg
		if !ok {
			bound = key.Algorithm()
		}
		described, err := describe(key, bound)
		if err != nil {
			return nil, err
		}
		all = append(all, described)
	}
	return all, nil
}

// describe makes a JWK of a key that has been checked already.
func describe(key *jwks.Key, alg string) (jwkset.JWK, error) {
	if _, ok := key.Public().(ed25519.PublicKey); ok {
		alg = jwkset.AlgEdDSA.String() // the one name that jwkset knows
	}
	return jwkset.NewJWKFromKey(key.Public(), jwkset.JWKOptions{
		Metadata: jwkset.JWKMetadataOptions{KID: key.ID(), ALG: jwkset.ALG(alg), USE: jwkset.UseSig},
		Validate: jwkset.JWKValidateOptions{SkipAll: true},
	})
}

func notFound(err error) error {
	if errors.Is(err, jwks.ErrKeyNotFound) {
		return fmt.Errorf("%w: %w", jwkset.ErrKeyNotFound, err)
	}
	return err
}

// KeyDelete fails: the storage is read-only.
func (storage) KeyDelete(context.Context, string) (bool, error) { return false, errReadOnly }

// KeyReplaceAll fails: the storage is read-only.
func (storage) KeyReplaceAll(context.Context, []jwkset.JWK) error { return errReadOnly }

// KeyWrite fails: the storage is read-only.
func (storage) KeyWrite(context.Context, jwkset.JWK) error { return errReadOnly }

// memory is a copy for the methods that only write documents.
func (s storage) memory(ctx context.Context) (jwkset.Storage, error) {
	all, err := s.KeyReadAll(ctx)
	if err != nil {
		return nil, err
	}
	m := jwkset.NewMemoryStorage()
	return m, m.KeyReplaceAll(ctx, all)
}

// JSON returns the keys as a JWK Set.
func (s storage) JSON(ctx context.Context) (json.RawMessage, error) {
	m, err := s.memory(ctx)
	if err != nil {
		return nil, err
	}
	return m.JSON(ctx)
}

// JSONPublic returns the keys as a JWK Set.
func (s storage) JSONPublic(ctx context.Context) (json.RawMessage, error) {
	m, err := s.memory(ctx)
	if err != nil {
		return nil, err
	}
	return m.JSONPublic(ctx)
}

// JSONPrivate returns the keys as a JWK Set; there are no private ones.
func (s storage) JSONPrivate(ctx context.Context) (json.RawMessage, error) {
	m, err := s.memory(ctx)
	if err != nil {
		return nil, err
	}
	return m.JSONPrivate(ctx)
}

// JSONWithOptions returns the keys as a JWK Set.
func (s storage) JSONWithOptions(ctx context.Context, marshal jwkset.JWKMarshalOptions, validate jwkset.JWKValidateOptions) (json.RawMessage, error) {
	m, err := s.memory(ctx)
	if err != nil {
		return nil, err
	}
	return m.JSONWithOptions(ctx, marshal, validate)
}

// Marshal returns the keys as a value that marshals to a JWK Set.
func (s storage) Marshal(ctx context.Context) (jwkset.JWKSMarshal, error) {
	m, err := s.memory(ctx)
	if err != nil {
		return jwkset.JWKSMarshal{}, err
	}
	return m.Marshal(ctx)
}

// MarshalWithOptions returns the keys as a value that marshals to a JWK Set.
func (s storage) MarshalWithOptions(ctx context.Context, marshal jwkset.JWKMarshalOptions, validate jwkset.JWKValidateOptions) (jwkset.JWKSMarshal, error) {
	m, err := s.memory(ctx)
	if err != nil {
		return jwkset.JWKSMarshal{}, err
	}
	return m.MarshalWithOptions(ctx, marshal, validate)
}
