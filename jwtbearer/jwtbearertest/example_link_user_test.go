package jwtbearertest_test

import (
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// linkUser lets who holds an access token go on as another user whose account is
// linked to theirs, if links says so. Every refusal is invalid_grant.
func linkUser(links map[string]string) jwtbearertest.GrantFunc {
	return func(r *jwtbearertest.GrantRequest) (*jwtbearertest.Grant, error) {
		// Signature, expiry, revocation and session are looked at, as they are at
		// the UserInfo endpoint.
		claims, active := r.Issuer.Introspect(r.Form.Get("access_token"))
		if !active {
			return nil, jwtbearertest.InvalidGrant("The access token is missing or not active.")
		}
		// Not every access token has a subject.
		sub, _ := claims["sub"].(string)
		subject, tenant := r.Form.Get("LinkUserId"), r.Form.Get("LinkTenantId")
		if sub == "" || subject == "" || links[sub] != subject+"@"+tenant {
			return nil, jwtbearertest.InvalidGrant("The users are not linked.")
		}
		grant := &jwtbearertest.Grant{Subject: subject, SignIn: true}
		if tenant != "" {
			grant.Claims = map[string]any{"tenant": tenant}
		}
		return grant, nil
	}
}

// An extension grant, registered by its name: an access token and the id of a
// linked user give a token for that user.
func ExampleGrantFunc() {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{
		Grants: map[string]jwtbearertest.GrantFunc{
			"link_user": linkUser(map[string]string{"alice": "bob@tenant-2"}),
		},
	})
	ask := func(accessToken, user, tenant string) {
		res, err := issuer.Client().PostForm(issuer.URL()+"/token", url.Values{
			"client_id":     {jwtbearertest.DefaultClientID},
			"client_secret": {jwtbearertest.DefaultClientSecret},
			"grant_type":    {"link_user"},
			"access_token":  {accessToken},
			"LinkUserId":    {user},
			"LinkTenantId":  {tenant},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer res.Body.Close()
		var answer struct {
			AccessToken string `json:"access_token"`
			Error       string `json:"error"`
		}
		json.NewDecoder(res.Body).Decode(&answer)
		claims, _ := issuer.Introspect(answer.AccessToken)
		fmt.Println(res.StatusCode, answer.Error, claims["sub"], claims["tenant"])
	}

	alice := issuer.SignIn(nil)
	ask(alice.AccessToken, "bob", "tenant-2")
	ask(alice.AccessToken, "bob", "")
	ask(alice.AccessToken, "eve", "tenant-2")
	ask("not a token", "bob", "tenant-2")
	ask(issuer.Token("api1", jwtbearertest.WithoutClaim("sub")), "bob", "tenant-2")
	issuer.EndSession(alice.SessionID)
	ask(alice.AccessToken, "bob", "tenant-2")
	// Output:
	// 200  bob tenant-2
	// 400 invalid_grant <nil> <nil>
	// 400 invalid_grant <nil> <nil>
	// 400 invalid_grant <nil> <nil>
	// 400 invalid_grant <nil> <nil>
	// 400 invalid_grant <nil> <nil>
}
