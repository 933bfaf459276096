package jwkskeyfunc_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwks/jwkskeyfunc"
)

const issuer = "https://id.example.com"

func jwk(t testing.TB, kid string, key crypto.PublicKey, alg string) map[string]any {
	t.Helper()
	enc := base64.RawURLEncoding.EncodeToString
	k := map[string]any{}
	if kid != "" {
		k["kid"] = kid
	}
	if alg != "" {
		k["alg"] = alg
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		k["kty"], k["n"], k["e"] = "RSA", enc(key.N.Bytes()), enc(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := len(point) / 2
		k["kty"], k["crv"], k["x"], k["y"] = "EC", key.Curve.Params().Name, enc(point[1:1+half]), enc(point[1+half:])
	case ed25519.PublicKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", enc(key)
	}
	return k
}

func document(t testing.TB, keys ...map[string]any) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func static(t testing.TB, keys ...map[string]any) *jwks.Set {
	t.Helper()
	set, err := jwks.NewStatic(issuer, document(t, keys...), &jwks.StaticOptions{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = set.Close() })
	return set
}

func ec(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func token(t testing.TB, method jwt.SigningMethod, kid any, iss string, signer any) string {
	t.Helper()
	tok := jwt.NewWithClaims(method, jwt.MapClaims{"iss": iss, "exp": time.Now().Add(time.Minute).Unix()})
	if kid != nil {
		tok.Header["kid"] = kid
	}
	raw, err := tok.SignedString(signer)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestKeys(t *testing.T) {
	p256, other := ec(t, elliptic.P256()), ec(t, elliptic.P256())
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := static(t,
		jwk(t, "ec", p256.Public(), ""),
		jwk(t, "other", other.Public(), "ES256"),
		jwk(t, "ed", ed.Public(), "Ed25519"),
		jwk(t, "rs", rsaKey().Public(), "RS256"),
	)
	der, _ := p256.PublicKey.Bytes()
	tests := []struct {
		name   string
		method jwt.SigningMethod
		kid    any
		iss    string
		signer any
		want   error // nil: accepted
	}{
		{"by kid", jwt.SigningMethodES256, "ec", issuer, p256, nil},
		{"Ed25519 by either name", jwt.SigningMethodEdDSA, "ed", issuer, ed, nil},
		{"RSA", jwt.SigningMethodRS256, "rs", issuer, rsaKey(), nil},
		{"without kid", jwt.SigningMethodES256, nil, issuer, other, nil},
		{"another key's kid", jwt.SigningMethodES256, "other", issuer, p256, jwt.ErrTokenSignatureInvalid},
		{"unknown kid", jwt.SigningMethodES256, "none", issuer, p256, jwks.ErrKeyNotFound},
		{"unknown kid, as jwkset says it", jwt.SigningMethodES256, "none", issuer, p256, jwkset.ErrKeyNotFound},
		{"empty kid", jwt.SigningMethodES256, "", issuer, p256, jwks.ErrKeyNotFound},
		{"kid that is no string", jwt.SigningMethodES256, 1, issuer, p256, jwt.ErrTokenUnverifiable},
		{"alg that is not the key's", jwt.SigningMethodPS256, "rs", issuer, rsaKey(), jwks.ErrKeyNotFound},
		{"HMAC with the public key", jwt.SigningMethodHS256, "ec", issuer, der, jwks.ErrKeyNotFound},
		{"no signature", jwt.SigningMethodNone, "ec", issuer, jwt.UnsafeAllowNoneSignatureType, jwks.ErrKeyNotFound},
		{"another issuer", jwt.SigningMethodES256, "ec", issuer + "/", p256, jwt.ErrTokenInvalidIssuer},
		{"no issuer", jwt.SigningMethodES256, "ec", "", p256, jwt.ErrTokenInvalidIssuer},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			raw := token(t, test.method, test.kid, test.iss, test.signer)
			for name, f := range map[string]jwt.Keyfunc{
				"Keyfunc":    jwkskeyfunc.New(set).Keyfunc,
				"KeyfuncCtx": jwkskeyfunc.New(set).KeyfuncCtx(t.Context()),
			} {
				_, err := jwt.Parse(raw, f)
				if test.want == nil && err != nil || test.want != nil && !errors.Is(err, test.want) {
					t.Errorf("%s: got %v, want %v", name, err, test.want)
				}
			}
		})
	}
}

func TestCurveIsTiedToAlg(t *testing.T) {
	p384 := ec(t, elliptic.P384())
	keys := jwkskeyfunc.New(static(t, jwk(t, "k", p384.Public(), "")))
	for alg, want := range map[string]error{"ES384": nil, "ES256": jwks.ErrKeyNotFound} {
		_, err := keys.Keyfunc(&jwt.Token{Header: map[string]any{"alg": alg, "kid": "k"}, Claims: jwt.MapClaims{"iss": issuer}})
		if !errors.Is(err, want) {
			t.Errorf("%s with a key on P-384: got %v, want %v", alg, err, want)
		}
	}
}

// An authority in process: its key set changes under the set's feet.
type authority struct {
	mu   sync.Mutex
	keys []byte
	down bool
}

func (a *authority) RoundTrip(req *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(a.keys))), Request: req}, nil
}

func TestUnknownKidRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, after := ec(t, elliptic.P256()), ec(t, elliptic.P256())
		a := &authority{keys: document(t, jwk(t, "before", before.Public(), ""))}
		set, err := jwks.New(issuer, &jwks.Options{
			JWKSURL: issuer + "/keys", HTTPClient: &http.Client{Transport: a}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		keys := jwkskeyfunc.New(set)
		if _, err := jwt.Parse(token(t, jwt.SigningMethodES256, "before", issuer, before), keys.Keyfunc); err != nil {
			t.Errorf("cold: %v", err)
		}
		a.mu.Lock()
		a.keys = document(t, jwk(t, "after", after.Public(), ""))
		a.mu.Unlock()
		if _, err := jwt.Parse(token(t, jwt.SigningMethodES256, "after", issuer, after), keys.Keyfunc); err != nil {
			t.Errorf("after a rotation: %v", err)
		}
		a.mu.Lock()
		a.down = true
		a.mu.Unlock()
		if _, err := jwt.Parse(token(t, jwt.SigningMethodES256, "later", issuer, after), keys.Keyfunc); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("unknown kid while the authority is down: got %v, want ErrUnavailable", err)
		}
	})
}

// A token of another issuer is refused however early it comes, and once the
// issuer is known, it causes no refresh.
func TestForeignTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signer := ec(t, elliptic.P256())
		keys := document(t, jwk(t, "k", signer.Public(), ""))
		requests := 0
		set, err := jwks.New(issuer, &jwks.Options{
			HTTPClient: &http.Client{Transport: transport(func(req *http.Request) string {
				requests++
				if strings.Contains(req.URL.Path, ".well-known") {
					return `{"issuer":"` + issuer + `","jwks_uri":"` + issuer + `/keys"}`
				}
				return string(keys)
			})},
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		f := jwkskeyfunc.New(set).Keyfunc
		if _, err := jwt.Parse(token(t, jwt.SigningMethodES256, "k", "https://evil.example", signer), f); !errors.Is(err, jwt.ErrTokenInvalidIssuer) {
			t.Errorf("before the issuer is known: got %v, want ErrTokenInvalidIssuer", err)
		}
		before := requests
		if _, err := jwt.Parse(token(t, jwt.SigningMethodES256, "unknown", "https://evil.example", signer), f); !errors.Is(err, jwt.ErrTokenInvalidIssuer) {
			t.Errorf("afterwards: got %v, want ErrTokenInvalidIssuer", err)
		}
		if requests != before {
			t.Errorf("it caused %d requests", requests-before)
		}
	})
}

type transport func(*http.Request) string

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f(req))), Request: req}, nil
}

func TestContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signer := ec(t, elliptic.P256())
		set, err := jwks.New(issuer, &jwks.Options{
			JWKSURL: issuer + "/keys", HTTPClient: &http.Client{Transport: hanging{}}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err = jwt.Parse(token(t, jwt.SigningMethodES256, "k", issuer, signer), jwkskeyfunc.New(set).KeyfuncCtx(ctx))
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("got %v, want DeadlineExceeded and ErrUnavailable", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("it waited %v, want one second", took)
		}
	})
}

type hanging struct{}

func (hanging) RoundTrip(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func TestStorage(t *testing.T) {
	p256 := ec(t, elliptic.P256())
	storage := jwkskeyfunc.New(static(t, jwk(t, "a", p256.Public(), "ES256"), jwk(t, "", ec(t, elliptic.P384()).Public(), ""))).Storage()
	ctx := t.Context()
	key, err := storage.KeyRead(ctx, "a")
	if err != nil || !p256.PublicKey.Equal(key.Key()) || key.Marshal().ALG != "ES256" {
		t.Errorf("KeyRead: got %v, %v", key.Marshal(), err)
	}
	if _, err := storage.KeyRead(ctx, "b"); !errors.Is(err, jwkset.ErrKeyNotFound) {
		t.Errorf("KeyRead of an unknown kid: got %v, want jwkset.ErrKeyNotFound", err)
	}
	if _, err := storage.KeyRead(ctx, ""); !errors.Is(err, jwkset.ErrKeyNotFound) {
		t.Errorf("KeyRead without a kid: got %v, want jwkset.ErrKeyNotFound", err)
	}
	if all, err := storage.KeyReadAll(ctx); err != nil || len(all) != 2 {
		t.Errorf("KeyReadAll: got %d keys, %v, want 2", len(all), err)
	}
	type writer func(context.Context) (json.RawMessage, error)
	for name, write := range map[string]writer{"JSON": storage.JSON, "JSONPublic": storage.JSONPublic, "JSONPrivate": storage.JSONPrivate,
		"JSONWithOptions": func(ctx context.Context) (json.RawMessage, error) {
			return storage.JSONWithOptions(ctx, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		},
	} {
		data, err := write(ctx)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := jwks.NewStatic(issuer, data, nil)
		if err != nil {
			t.Errorf("%s: not a key set: %v", name, err)
			continue
		}
		if got := len(again.Keys()); got != 2 {
			t.Errorf("%s: got %d keys, want 2", name, got)
		}
	}
	if err := storage.KeyWrite(ctx, key); err == nil {
		t.Error("KeyWrite: got no error from a read-only storage")
	}
	if err := storage.KeyReplaceAll(ctx, nil); err == nil {
		t.Error("KeyReplaceAll: got no error from a read-only storage")
	}
	if _, err := storage.KeyDelete(ctx, "a"); err == nil {
		t.Error("KeyDelete: got no error from a read-only storage")
	}
}

func TestNilSetPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New(nil) did not panic")
		}
	}()
	jwkskeyfunc.New(nil)
}
