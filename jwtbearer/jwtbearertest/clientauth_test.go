package jwtbearertest_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// Public keys are no secrets: an HMAC over one proves nothing.
func TestPrivateKeyJWTIsAsymmetric(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.FromRaw(public)
	if err != nil {
		t.Fatal(err)
	}
	set := jwk.NewSet()
	set.AddKey(key)
	keys, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	options := &jwtbearertest.Options{Clients: []*jwtbearertest.Client{{ID: "machine", KeySet: keys}}}
	payload, err := json.Marshal(map[string]any{"iss": "machine", "sub": "machine", "aud": "https://issuer.test", "jti": "1", "exp": time.Now().Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for want, with := range map[string]jws.SignOption{
		"OK ":                         jws.WithKey(jwa.EdDSA, private),
		"Unauthorized invalid_client": jws.WithKey(jwa.HS256, []byte(public)),
	} {
		assertion, err := jws.Sign(payload, with)
		if err != nil {
			t.Fatal(err)
		}
		values := form("grant_type", "client_credentials", "client_assertion", string(assertion),
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		// Each has an issuer of its own, so that none is refused as a replay.
		issuer := jwtbearertest.NewIssuer(t, options)
		if got := post(t, issuer, "/token", values).failure(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestPrivateKeyJWT(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := jwk.FromRaw(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	set := jwk.NewSet()
	set.AddKey(public)
	keys, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	options := &jwtbearertest.Options{Clients: []*jwtbearertest.Client{
		{ID: "machine", KeySet: keys}, {ID: "other", Secret: "secret"},
	}}
	const url = "https://issuer.test"
	tests := []struct {
		name   string
		key    *ecdsa.PrivateKey
		change map[string]any // nil removes
		form   []string
		want   string
	}{
		{"good", private, nil, nil, "OK "},
		{"with client_id", private, nil, []string{"client_id", "machine"}, "OK "},
		{"issuer as audience", private, map[string]any{"aud": url}, nil, "OK "},
		{"several audiences", private, map[string]any{"aud": []string{"x", url + "/token"}}, nil, "OK "},
		{"another audience", private, map[string]any{"aud": "https://other.test/token"}, nil, "Unauthorized invalid_client"},
		{"no audience", private, map[string]any{"aud": nil}, nil, "Unauthorized invalid_client"},
		{"no exp", private, map[string]any{"exp": nil}, nil, "Unauthorized invalid_client"},
		{"expired", private, map[string]any{"exp": 0}, nil, "Unauthorized invalid_client"},
		{"exp of another type", private, map[string]any{"exp": "never"}, nil, "Unauthorized invalid_client"},
		{"not yet valid", private, map[string]any{"nbf": 32503680000}, nil, "Unauthorized invalid_client"},
		{"no jti", private, map[string]any{"jti": nil}, nil, "Unauthorized invalid_client"},
		{"another issuer", private, map[string]any{"iss": "other"}, nil, "Unauthorized invalid_client"},
		{"client without keys", private, map[string]any{"iss": "other", "sub": "other"}, nil, "Unauthorized invalid_client"},
		{"unknown client", private, map[string]any{"iss": "x", "sub": "x"}, nil, "Unauthorized invalid_client"},
		{"another client_id", private, nil, []string{"client_id", "other"}, "Unauthorized invalid_client"},
		{"another key", stranger, nil, nil, "Unauthorized invalid_client"},
		{"another type", private, nil, []string{"client_assertion_type", "x"}, "Bad Request invalid_request"},
		{"secret as well", private, nil, []string{"client_secret", "x"}, "Bad Request invalid_request"},
		{"no JWT", private, nil, []string{"client_assertion", "x"}, "Unauthorized invalid_client"},
	}
	for _, test := range tests {
		inBubble(t, test.name, func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t, options)
			members := map[string]any{"iss": "machine", "sub": "machine", "aud": url + "/token", "jti": "1", "exp": time.Now().Add(time.Minute).Unix()}
			for name, value := range test.change {
				if members[name] = value; value == nil {
					delete(members, name)
				}
			}
			payload, _ := json.Marshal(members)
			assertion, err := jws.Sign(payload, jws.WithKey(jwa.ES256, test.key))
			if err != nil {
				t.Fatal(err)
			}
			values := form("grant_type", "client_credentials", "client_assertion", string(assertion),
				"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			for n := 0; n < len(test.form); n += 2 {
				values.Set(test.form[n], test.form[n+1])
			}
			if got := post(t, issuer, "/token", values).failure(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.want != "OK " {
				return
			}
			if got := post(t, issuer, "/token", values).failure(); got != "Unauthorized invalid_client" {
				t.Errorf("the same assertion again: got %q", got)
			}
		})
	}
}

// A key is used for what its set says (RFC 7517, Sections 4.2 and 4.4), and no
// extension is passed over that must be understood (RFC 7515, Section 4.1.11).
func TestPrivateKeyJWTKeepsToTheKeySet(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		key    map[string]any // members of the JWK
		change []jwtbearertest.TokenOption
		want   string
	}{
		{"bare", nil, nil, "OK "},
		{"for signatures", map[string]any{"use": "sig", "alg": "Ed25519"}, nil, "OK "},
		{"of the algorithm's other name", map[string]any{"alg": "EdDSA"}, nil, "OK "},
		{"for encryption", map[string]any{"use": "enc"}, nil, "Unauthorized invalid_client"},
		{"of another algorithm", map[string]any{"alg": "ES256"}, nil, "Unauthorized invalid_client"},
		{"critical extension", nil, []jwtbearertest.TokenOption{jwtbearertest.Critical("x")}, "Unauthorized invalid_client"},
		{"empty crit", nil, []jwtbearertest.TokenOption{jwtbearertest.Critical()}, "Unauthorized invalid_client"},
	} {
		key, err := jwk.FromRaw(private.Public())
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range test.key {
			if err := key.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
		set := jwk.NewSet()
		set.AddKey(key)
		keys, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{Clients: []*jwtbearertest.Client{{ID: "machine", KeySet: keys}}})
		// An assertion is much like an access token that the client minted.
		assertion := issuer.Token(issuer.URL(), append(test.change, jwtbearertest.Algorithm("Ed25519"), jwtbearertest.SigningKey(private),
			jwtbearertest.Claim("iss", "machine"), jwtbearertest.Subject("machine"))...)
		values := form("grant_type", "client_credentials", "client_assertion", assertion,
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		if got := post(t, issuer, "/token", values).failure(); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
