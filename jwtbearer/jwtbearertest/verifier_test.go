package jwtbearertest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// checker returns a function that checks tokens for api1.
func checker(t *testing.T, issuer *jwtbearertest.Issuer, options *jwtbearer.Options) func(token string) error {
	t.Helper()
	policy, err := issuer.Verifier(t, options).Policy("api1")
	if err != nil {
		t.Fatal(err)
	}
	return func(token string) error {
		_, err := policy.Verify(t.Context(), token)
		return err
	}
}

func TestFI04LifetimeAndClockSkew(t *testing.T) {
	tests := []struct {
		name          string
		skew          time.Duration
		good, expired time.Duration
	}{
		{"default", 0, 119 * time.Second, 121 * time.Second},
		{"one minute", time.Minute, 119 * time.Second, 121 * time.Second},
		{"five minutes", 5 * time.Minute, 359 * time.Second, 361 * time.Second},
		{"none", jwtbearer.NoClockSkew, 59 * time.Second, 60 * time.Second},
	}
	for _, test := range tests {
		inBubble(t, test.name, func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t)
			check := checker(t, issuer, &jwtbearer.Options{ClockSkew: test.skew})
			for _, mint := range []func() string{
				func() string { return issuer.Token("api1") },
				func() string { return issuer.SignIn(nil).AccessToken },
			} {
				token, start := mint(), time.Now()
				time.Sleep(test.good)
				if err := check(token); err != nil {
					t.Errorf("after %v: got %v, want it accepted", time.Since(start), err)
				}
				time.Sleep(test.expired - test.good)
				if err := check(token); !errors.Is(err, jwtbearer.ErrExpired) {
					t.Errorf("after %v: got %v, want ErrExpired", time.Since(start), err)
				}
			}
		})
	}
}

func TestFI03EveryBrokenTokenIsRefused(t *testing.T) {
	issuer, other := jwtbearertest.NewIssuer(t), jwtbearertest.NewIssuer(t)
	check := checker(t, issuer, nil)
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"} {
		if err := check(issuer.Token("api1", jwtbearertest.Algorithm(alg))); err != nil {
			t.Errorf("%s: got %v, want it accepted", alg, err)
		}
	}
	for name, test := range map[string]struct {
		options []jwtbearertest.TokenOption
		want    error
	}{
		"none":           {[]jwtbearertest.TokenOption{jwtbearertest.AlgNone()}, jwtbearer.ErrInvalidToken},
		"HMAC":           {[]jwtbearertest.TokenOption{jwtbearertest.HMACWithPublicKey()}, jwtbearer.ErrAlgorithm},
		"no signature":   {[]jwtbearertest.TokenOption{jwtbearertest.WithoutSignature()}, jwtbearer.ErrInvalidToken},
		"forged":         {[]jwtbearertest.TokenOption{jwtbearertest.ForgedSignature()}, jwtbearer.ErrSignature},
		"stranger":       {[]jwtbearertest.TokenOption{jwtbearertest.SignedByStranger()}, jwtbearer.ErrSignature},
		"other issuer":   {[]jwtbearertest.TokenOption{jwtbearertest.SignedBy(other)}, jwtbearer.ErrUnknownKey},
		"other under id": {[]jwtbearertest.TokenOption{jwtbearertest.SignedBy(other), jwtbearertest.Header("kid", issuer.KeyID("RS256"))}, jwtbearer.ErrSignature},
		"embedded":       {[]jwtbearertest.TokenOption{jwtbearertest.EmbeddedKey()}, jwtbearer.ErrInvalidToken},
		"truncated":      {[]jwtbearertest.TokenOption{jwtbearertest.TruncatedSignature()}, jwtbearer.ErrInvalidToken},
		"DER":            {[]jwtbearertest.TokenOption{jwtbearertest.Algorithm("ES256"), jwtbearertest.DERSignature()}, jwtbearer.ErrInvalidToken},
		"padded":         {[]jwtbearertest.TokenOption{jwtbearertest.Padded()}, jwtbearer.ErrInvalidToken},
		"non-canonical":  {[]jwtbearertest.TokenOption{jwtbearertest.NonCanonical()}, jwtbearer.ErrMalformed},
		"extra segment":  {[]jwtbearertest.TokenOption{jwtbearertest.ExtraSegment()}, jwtbearer.ErrMalformed},
		"encrypted":      {[]jwtbearertest.TokenOption{jwtbearertest.Encrypted()}, jwtbearer.ErrEncrypted},
		"crit":           {[]jwtbearertest.TokenOption{jwtbearertest.Critical("x")}, jwtbearer.ErrCritical},
		"b64":            {[]jwtbearertest.TokenOption{jwtbearertest.Header("b64", false), jwtbearertest.Critical("b64")}, jwtbearer.ErrInvalidToken},
		"claim twice":    {[]jwtbearertest.TokenOption{jwtbearertest.DuplicateClaim("aud", "api1")}, jwtbearer.ErrMalformed},
		"header twice":   {[]jwtbearertest.TokenOption{jwtbearertest.DuplicateHeader("alg", "RS256")}, jwtbearer.ErrMalformed},
		"nested aud":     {[]jwtbearertest.TokenOption{jwtbearertest.Claim("aud", []any{[]string{"api1"}})}, jwtbearer.ErrInvalidToken},
		"huge exp":       {[]jwtbearertest.TokenOption{jwtbearertest.RawClaim("exp", "1e400")}, jwtbearer.ErrInvalidToken},
		"logout type":    {[]jwtbearertest.TokenOption{jwtbearertest.Header("typ", "logout+jwt")}, jwtbearer.ErrTokenType},
		"raw header":     {[]jwtbearertest.TokenOption{jwtbearertest.RawHeader("{}")}, jwtbearer.ErrInvalidToken},
		"raw payload":    {[]jwtbearertest.TokenOption{jwtbearertest.RawPayload("[]")}, jwtbearer.ErrMalformed},
	} {
		if err := check(issuer.Token("api1", test.options...)); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
	if err := check(issuer.Token("api1", jwtbearertest.RawClaim("exp", "32503680000.5"))); err != nil {
		t.Errorf("a fraction in exp: got %v, want it accepted", err)
	}
}

func TestFI02VerifierFollowsRotations(t *testing.T) {
	for name, rotate := range map[string]func(*jwtbearertest.Issuer){
		"rotate": (*jwtbearertest.Issuer).Rotate,
		"hard":   (*jwtbearertest.Issuer).RotateHard,
		"no kid": (*jwtbearertest.Issuer).RemoveKeyIDs,
		"extra": func(i *jwtbearertest.Issuer) {
			i.AddKeys(jwtbearertest.WeakKey, jwtbearertest.MalformedKey)
			i.Rotate()
		},
		"in turn": func(i *jwtbearertest.Issuer) { i.AddNextKeys(); i.SwitchToNextKeys(); i.RemoveOldKeys() },
	} {
		inBubble(t, name, func(t *testing.T) {
			issuer := jwtbearertest.NewIssuer(t)
			check := checker(t, issuer, nil)
			if err := check(issuer.Token("api1")); err != nil {
				t.Fatal(err)
			}
			rotate(issuer)
			if err := check(issuer.Token("api1")); err != nil {
				t.Errorf("after the rotation: got %v, want it accepted at once", err)
			}
		})
	}
}

func TestFI11VerifierOutlivesAnOutage(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down())
		check := checker(t, issuer, nil)
		if err := check(issuer.Token("api1")); !errors.Is(err, jwtbearer.ErrUnavailable) {
			t.Errorf("cold: got %v, want ErrUnavailable", err)
		}
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Fault{})
		time.Sleep(5 * time.Second)
		if err := check(issuer.Token("api1")); err != nil {
			t.Errorf("back again: got %v, want it accepted", err)
		}
		issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.HTML())
		time.Sleep(6 * time.Hour)
		if err := check(issuer.Token("api1")); err != nil {
			t.Errorf("warm: got %v, want it accepted", err)
		}
	})
}

func TestVerifierOverLoopback(t *testing.T) {
	issuer, err := jwtbearertest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(issuer.Close)
	if err := checker(t, issuer, nil)(issuer.Token("api1")); err != nil {
		t.Error(err)
	}
}

func TestVerifierLeavesItsOptionsAlone(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{URL: "http://issuer.test"})
	options := &jwtbearer.Options{ClockSkew: time.Second}
	if err := checker(t, issuer, options)(issuer.Token("api1")); err != nil {
		t.Error(err)
	}
	if options.HTTPClient != nil || options.InsecureAllowHTTP || options.Logger != nil {
		t.Error("the caller's Options were changed")
	}
}
