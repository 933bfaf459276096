package jwtbearertest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

func TestLifetimeBounds(t *testing.T) {
	tests := []struct {
		name      string
		lifetimes jwtbearertest.Lifetimes
		want      string // part of the error, "" if there is none
	}{
		{"default", jwtbearertest.Lifetimes{}, ""},
		{"shortest", jwtbearertest.Lifetimes{AccessToken: time.Second, IDToken: time.Second, Code: time.Second, RefreshToken: time.Second, RefreshTokenAbsolute: time.Second}, ""},
		{"longest", jwtbearertest.Lifetimes{AccessToken: day, IDToken: day, Code: 10 * time.Minute, RefreshToken: 365 * day, RefreshTokenAbsolute: 365 * day}, ""},
		{"short access token", jwtbearertest.Lifetimes{AccessToken: time.Second - 1}, "AccessToken is 999.999999ms: use 1s to 24h0m0s"},
		{"negative", jwtbearertest.Lifetimes{AccessToken: -time.Minute}, "AccessToken is -1m0s"},
		{"long access token", jwtbearertest.Lifetimes{AccessToken: day + 1}, "AccessToken"},
		{"long ID token", jwtbearertest.Lifetimes{IDToken: day + 1}, "IDToken"},
		{"long code", jwtbearertest.Lifetimes{Code: 10*time.Minute + 1}, "Code"},
		{"long refresh token", jwtbearertest.Lifetimes{RefreshToken: 365*day + 1, RefreshTokenAbsolute: 365 * day}, "RefreshToken is"},
		{"long absolute", jwtbearertest.Lifetimes{RefreshTokenAbsolute: 365*day + 1}, "RefreshTokenAbsolute"},
		{"short absolute", jwtbearertest.Lifetimes{RefreshTokenAbsolute: time.Second - 1}, "RefreshTokenAbsolute is 999.999999ms"},
		{"absolute below the default of the other", jwtbearertest.Lifetimes{RefreshTokenAbsolute: 13 * day}, ""},
		{"sliding beyond absolute", jwtbearertest.Lifetimes{RefreshToken: 14 * day, RefreshTokenAbsolute: 13 * day}, "RefreshToken is 336h0m0s, longer than RefreshTokenAbsolute"},
		{"sliding beyond the default absolute", jwtbearertest.Lifetimes{RefreshToken: 31 * day}, "RefreshToken is 744h0m0s, longer than RefreshTokenAbsolute"},
	}
	for _, test := range tests {
		for where, options := range map[string]*jwtbearertest.Options{
			"Options.Lifetimes.":            {Lifetimes: test.lifetimes},
			"Options.Clients[0].Lifetimes.": {Clients: []*jwtbearertest.Client{{ID: "client", Lifetimes: test.lifetimes}}},
		} {
			issuer, err := jwtbearertest.Start(options)
			if err == nil {
				issuer.Close()
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), where+test.want)) {
				t.Errorf("%s: got error %v, want one with %q", test.name, err, where+test.want)
			}
		}
	}
}

func TestLifetimesOfAClientStandOverTheIssuers(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &jwtbearertest.Options{
		Lifetimes: jwtbearertest.Lifetimes{AccessToken: time.Hour, IDToken: 2 * time.Hour},
		Clients: []*jwtbearertest.Client{
			{ID: "client"},
			{ID: "short", Lifetimes: jwtbearertest.Lifetimes{AccessToken: time.Minute}},
		},
	})
	life := func(token string) time.Duration {
		c := claims(t, token)
		return time.Duration(c["exp"].(float64)-c["iat"].(float64)) * time.Second
	}
	first, short := issuer.SignIn(nil), issuer.SignIn(&jwtbearertest.SignIn{ClientID: "short"})
	if life(first.AccessToken) != time.Hour || first.ExpiresIn != time.Hour || life(issuer.Token("api1")) != time.Hour {
		t.Errorf("got %v", life(first.AccessToken))
	}
	if life(short.AccessToken) != time.Minute || short.ExpiresIn != time.Minute || life(short.IDToken) != 2*time.Hour {
		t.Errorf("got %v and %v", life(short.AccessToken), life(short.IDToken))
	}
}

func TestAbsoluteLifetimeBelowTheOther(t *testing.T) {
	for name, lifetimes := range map[string]jwtbearertest.Lifetimes{
		"default":   {RefreshTokenAbsolute: time.Hour},
		"inherited": {RefreshTokenAbsolute: time.Hour},
		"explicit":  {RefreshToken: 2 * time.Hour, RefreshTokenAbsolute: time.Hour},
	} {
		inBubble(t, name, func(t *testing.T) {
			options := withClient(func(c *jwtbearertest.Client) {
				c.RefreshExpiry, c.Lifetimes = jwtbearertest.AbsoluteExpiry, lifetimes
			})
			if name == "inherited" {
				options.Lifetimes.RefreshToken = 7 * day
			}
			issuer := jwtbearertest.NewIssuer(t, options)
			value := issuer.SignIn(nil).RefreshToken
			time.Sleep(time.Hour - moment)
			value = refreshed(t, issuer, value).RefreshToken
			time.Sleep(moment)
			refused(t, issuer, "an hour after the sign-in", value)
		})
	}
}

func TestClientMistakes(t *testing.T) {
	for name, options := range map[string]jwtbearertest.Options{
		"no clients":      {Clients: []*jwtbearertest.Client{}},
		"nil client":      {Clients: []*jwtbearertest.Client{nil}},
		"no id":           {Clients: []*jwtbearertest.Client{{}}},
		"id twice":        {Clients: []*jwtbearertest.Client{{ID: "a"}, {ID: "a"}}},
		"grant":           {Clients: []*jwtbearertest.Client{{ID: "a", Grants: []string{"fly"}}}},
		"leeway":          {Clients: []*jwtbearertest.Client{{ID: "a", ReuseLeeway: -2}}},
		"long leeway":     {Clients: []*jwtbearertest.Client{{ID: "a", ReuseLeeway: time.Hour}}},
		"redirect URI":    {Clients: []*jwtbearertest.Client{{ID: "a", RedirectURIs: []string{"/callback"}}}},
		"no host":         {Clients: []*jwtbearertest.Client{{ID: "a", RedirectURIs: []string{"https:///callback"}}}},
		"no URI":          {Clients: []*jwtbearertest.Client{{ID: "a", RedirectURIs: []string{"https://a.test/%zz"}}}},
		"fragment":        {Clients: []*jwtbearertest.Client{{ID: "a", RedirectURIs: []string{"https://a.test/#x"}}}},
		"script":          {Clients: []*jwtbearertest.Client{{ID: "a", RedirectURIs: []string{"javascript:x"}}}},
		"logout URI":      {Clients: []*jwtbearertest.Client{{ID: "a", BackChannelLogoutURI: "logout"}}},
		"key set":         {Clients: []*jwtbearertest.Client{{ID: "a", KeySet: []byte("x")}}},
		"empty key set":   {Clients: []*jwtbearertest.Client{{ID: "a", KeySet: []byte(`{"keys":[]}`)}}},
		"no users":        {Users: []*jwtbearertest.User{}},
		"user twice":      {Users: []*jwtbearertest.User{{Subject: "a"}, {Subject: "a"}}},
		"no APIs":         {APIs: []jwtbearertest.API{}},
		"API twice":       {APIs: []jwtbearertest.API{{Audience: "a"}, {Audience: "a"}}},
		"standard grant":  {Grants: map[string]jwtbearertest.GrantFunc{"password": func(*jwtbearertest.GrantRequest) (*jwtbearertest.Grant, error) { return nil, nil }}},
		"nil grant":       {Grants: map[string]jwtbearertest.GrantFunc{"x": nil}},
		"sign-in policy":  {SignInPolicy: 3},
		"sign-in policy2": {SignInPolicy: -1},
	} {
		issuer, err := jwtbearertest.Start(&options)
		if err == nil {
			issuer.Close()
			t.Errorf("%s: started, want an error", name)
			continue
		}
		if !strings.HasPrefix(err.Error(), "jwtbearertest: Options.") {
			t.Errorf("%s: got %q, want an error that names the field", name, err)
		}
	}
}
