package jwtbearer_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// TestUntrustedTimesAreNotTold: what a token says of its times is in no log before
// its signature holds.
func TestUntrustedTimesAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		p, err := issuer.Verifier(t, nil).Policy("api1")
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{
			issuer.Token("api1", jwtbearertest.ExpiresIn(-time.Hour)),
			issuer.Token("api1", jwtbearertest.ExpiresIn(-time.Hour), jwtbearertest.ForgedSignature()),
		} {
			_, err := p.Verify(t.Context(), token)
			if e, ok := errors.AsType[*jwtbearer.Error](err); !ok || e.Reason != jwtbearer.ErrExpired || e.Detail != "" {
				t.Errorf("got %v, want ErrExpired without detail", err)
			}
		}
	})
}

// TestNamesOfOtherKindsOfToken: AudienceNames are those in access tokens. A token
// of another kind is for whom its aud says.
func TestNamesOfOtherKindsOfToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		v := issuer.Verifier(t, &jwtbearer.Options{AudienceNames: map[string][]string{"web": {"urn:web"}}})
		access, err := v.Policy("web")
		if err != nil {
			t.Fatal(err)
		}
		logout, err := v.Policy("web", jwtbearer.TokenType("logout+jwt"))
		if err != nil {
			t.Fatal(err)
		}
		typ := jwtbearertest.Header("typ", "logout+jwt")
		for _, tt := range []struct {
			name  string
			p     *jwtbearer.Policy
			token string
			want  error
		}{
			{"an access token for the name", access, issuer.Token("urn:web"), nil},
			{"an access token for what is named", access, issuer.Token("web"), jwtbearer.ErrAudience},
			{"another kind for the name", logout, issuer.Token("urn:web", typ), jwtbearer.ErrAudience},
			{"another kind for what is named", logout, issuer.Token("web", typ), nil},
		} {
			_, err := tt.p.Verify(t.Context(), tt.token)
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			}
			if e, ok := errors.AsType[*jwtbearer.Error](err); ok && tt.p == logout && e.Detail != `required: "web"` {
				t.Errorf("%s: got the detail %s, want what is required", tt.name, e.Detail)
			}
		}
	})
}

// TestAudienceClaimOfOtherKindsOfToken: nor is it in the claim that names the
// audience of access tokens.
func TestAudienceClaimOfOtherKindsOfToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		v := issuer.Verifier(t, &jwtbearer.Options{AudienceClaim: "client_id"})
		p, err := v.Policy("web", jwtbearer.TokenType("logout+jwt"))
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			aud, client string
			want        error
		}{
			{"web", "app", nil},
			{"app", "web", jwtbearer.ErrAudience},
		} {
			token := issuer.Token(tt.aud, jwtbearertest.Claim("client_id", tt.client), jwtbearertest.Header("typ", "logout+jwt"))
			if _, err := p.Verify(t.Context(), token); !errors.Is(err, tt.want) {
				t.Errorf("aud %s, client_id %s: got %v, want %v", tt.aud, tt.client, err, tt.want)
			}
		}
	})
}

// TestNamesThatAreEmpty: an empty audience, or an empty place for a token, is a
// mistake that would otherwise fit what nobody meant.
func TestNamesThatAreEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwtbearertest.NewIssuer(t)
		for _, names := range []map[string][]string{{"api1": {""}}, {"api1": {"urn:api1", ""}}, {"": {"urn:api1"}}} {
			if v, err := jwtbearer.New(issuer.URL(), &jwtbearer.Options{HTTPClient: issuer.Client(), AudienceNames: names}); err == nil {
				v.Close()
				t.Errorf("AudienceNames %q: no error", names)
			}
		}
		v := issuer.Verifier(t, nil)
		for name, rule := range map[string]jwtbearer.Rule{
			"InsecureQuery": jwtbearer.InsecureQuery(""), "InsecureForm": jwtbearer.InsecureForm(""), "Cookie": jwtbearer.Cookie(""),
			"AlsoAudience": jwtbearer.AlsoAudience("api2", ""), "Role": jwtbearer.Role("admin", ""), "no Role": jwtbearer.Role(), "AnyScope": jwtbearer.AnyScope(),
		} {
			if _, err := v.Policy("api1", rule); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}

// TestNamesOfCookies: what cannot be the name of a cookie names none, and never
// would a token be found in it.
func TestNamesOfCookies(t *testing.T) {
	v := newIssuer(t, "https://issuer.test").Verifier(t, nil)
	for name, good := range map[string]bool{
		"token": true, "__Host-token": true,
		"": false, "to ken": false, "token;": false, "to,ken": false, "token=": false, "to\"ken": false, "tökén": false, "token\r\n": false,
	} {
		if _, err := v.Policy("api1", jwtbearer.Cookie(name)); (err == nil) != good {
			t.Errorf("%q: got error %v, want it accepted: %v", name, err, good)
		}
	}
}
