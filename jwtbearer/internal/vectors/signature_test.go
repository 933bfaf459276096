package vectors

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
)

const issuer = "https://issuer.test"

var (
	quiet        = slog.New(slog.DiscardHandler)
	errSignature = errors.New("no key of the set made the signature")
)

// asSet makes a JWK Set of a single JWK.
func asSet(key json.RawMessage) json.RawMessage {
	if bytes.Contains(key, []byte(`"keys"`)) {
		return key
	}
	return append(append(json.RawMessage(`{"keys":[`), key...), `]}`...)
}

// verify takes a compact JWS the way that a token takes, up to its signature,
// and no further: the payloads of most vectors are no claims.
func verify(t *testing.T, set json.RawMessage, raw string) error {
	t.Helper()
	keys, err := jwks.NewStatic(issuer, asSet(set), &jwks.StaticOptions{Logger: quiet})
	if err != nil {
		return err
	}
	defer keys.Close()
	compact, err := jose.Split(raw)
	if err != nil {
		return err
	}
	text, err := jose.AppendSegment(nil, compact.Header)
	if err != nil {
		return err
	}
	header, err := jose.ParseHeader(string(text))
	if err != nil {
		return err
	}
	if _, err := jose.AppendSegment(nil, compact.Payload); err != nil {
		return err
	}
	signature, err := jose.AppendSegment(nil, compact.Signature)
	if err != nil {
		return err
	}
	candidates, err := keys.Find(t.Context(), header.KeyID, header.Algorithm)
	if err != nil {
		return err
	}
	for _, key := range candidates {
		if jose.Verify(header.Algorithm, key.Public(), []byte(compact.SigningInput), signature) {
			return nil
		}
	}
	return errSignature
}

// refusedAsToken checks that the exported API refuses raw, as it must refuse
// every vector: not one is an access token for this audience. It returns the
// error, or nil if the key set cannot even be opened.
func refusedAsToken(t *testing.T, set json.RawMessage, raw string) error {
	t.Helper()
	keys, err := jwks.NewStatic(issuer, asSet(set), &jwks.StaticOptions{Logger: quiet})
	if err != nil {
		return nil
	}
	defer keys.Close()
	verifier, err := jwtbearer.New(issuer, &jwtbearer.Options{Keys: keys, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	policy, err := verifier.Policy("api1")
	if err != nil {
		t.Fatal(err)
	}
	token, err := policy.Verify(t.Context(), raw)
	if err == nil || token != nil {
		t.Fatalf("accepted as an access token: %q", raw)
	}
	if !errors.Is(err, jwtbearer.ErrInvalidToken) && raw != "" {
		t.Fatalf("the refusal is not ErrInvalidToken: %v", err)
	}
	return err
}
