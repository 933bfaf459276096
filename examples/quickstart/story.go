package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/bearerguard/bearerguard/examples/api/orders"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// audience is the name of the API: what a token must carry in aud.
const audience = "api1"

// step is one request of the story and the answer that it must get.
type step struct {
	name   string // what is sent
	detail string // how it differs from what is good
	method string // "" is GET
	// prepare changes the stage before the request; nil changes nothing.
	prepare func(*jwtbearertest.Issuer)
	// token makes the token that is sent; nil sends none.
	token func(*jwtbearertest.Issuer) string
	want  answer
}

// answer is what the caller of the API sees.
type answer struct {
	status    int
	challenge string // the WWW-Authenticate header, whole
	says      string // of an answer 200: whose token the handler saw
}

// result is a step with the answer that it got.
type result struct {
	step
	got answer
	err error // the request got no answer at all
}

func (r result) ok() bool { return r.err == nil && r.got == r.want }

// steps tell the story. Each token but the good one differs from it in one thing.
func steps() []step {
	alice := answer{status: http.StatusOK, says: "sub: alice"}
	return []step{
		{
			name: "no token", detail: "no Authorization header at all",
			want: answer{status: http.StatusUnauthorized, challenge: "Bearer"},
		}, {
			name: "a good token", detail: "for api1, signed, 60 s to live",
			token: good(), want: alice,
		}, {
			name: "the wrong audience", detail: "aud is api2",
			token: good(jwtbearertest.Claim("aud", "api2")),
			want:  invalidToken("the token is not meant for this API"),
		}, {
			name: "the wrong issuer", detail: "iss is https://id.example.org",
			token: good(jwtbearertest.Claim("iss", "https://id.example.org")),
			want:  invalidToken("the token is from another issuer"),
		}, {
			name: "no expiry", detail: "exp is absent",
			token: good(jwtbearertest.WithoutClaim("exp")),
			want:  invalidToken("the token has no expiration time"),
		}, {
			name: "expired", detail: "exp was 90 s ago",
			token: good(ago(150*time.Second), jwtbearertest.ExpiresIn(-90*time.Second)),
			want:  invalidToken("the token has expired"),
		}, {
			name: "expired, within the skew", detail: "exp was 30 s ago, 60 s are allowed",
			token: good(ago(90*time.Second), jwtbearertest.ExpiresIn(-30*time.Second)),
			want:  alice,
		}, {
			name: "not yet valid", detail: "nbf is in 5 minutes",
			token: good(jwtbearertest.NotBefore(time.Now().Add(5*time.Minute)), jwtbearertest.ExpiresIn(10*time.Minute)),
			want:  invalidToken("the token is not valid yet"),
		}, {
			name: "a forged signature", detail: "signed with somebody else's key",
			token: good(jwtbearertest.SignedByStranger()),
			want:  invalidToken("the token's signature is not valid"),
		}, {
			name: "no signature", detail: `the header says "alg": "none"`,
			token: good(jwtbearertest.AlgNone()),
			want:  invalidToken("the token's algorithm is not allowed"),
		}, {
			name: "a missing scope", detail: "POST needs " + orders.WriteScope, method: http.MethodPost,
			token: good(), // its scope is orders.read
			want: answer{
				status: http.StatusForbidden,
				challenge: `Bearer error="insufficient_scope", error_description="the token lacks a scope", ` +
					`scope="` + orders.WriteScope + `"`,
			},
		}, {
			name: "signed with a new key", detail: "the authority rotated a moment ago",
			prepare: (*jwtbearertest.Issuer).Rotate,
			token:   good(), want: alice,
		}, {
			name: "the authority is down", detail: "a new token; the keys are held here",
			prepare: func(i *jwtbearertest.Issuer) { i.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Down()) },
			token:   good(), want: alice,
		},
	}
}

// good makes a token that the API accepts, but for what the options change.
func good(opts ...jwtbearertest.TokenOption) func(*jwtbearertest.Issuer) string {
	opts = append([]jwtbearertest.TokenOption{jwtbearertest.Subject("alice"), jwtbearertest.Scopes("orders.read")}, opts...)
	return func(i *jwtbearertest.Issuer) string { return i.Token(audience, opts...) }
}

func ago(d time.Duration) jwtbearertest.TokenOption {
	return jwtbearertest.IssuedAt(time.Now().Add(-d))
}

func invalidToken(description string) answer {
	return answer{
		status:    http.StatusUnauthorized,
		challenge: fmt.Sprintf(`Bearer error="invalid_token", error_description="%s"`, description),
	}
}

// play sends the request of each step to the API at url, and shows each answer
// as it comes. In the end the authority is up again.
func play(ctx context.Context, client *http.Client, url string, issuer *jwtbearertest.Issuer, show func(result)) []result {
	defer issuer.SetFault(jwtbearertest.EndpointAll, jwtbearertest.Fault{})
	var results []result
	for _, s := range steps() {
		if s.prepare != nil {
			s.prepare(issuer)
		}
		got, err := s.send(ctx, client, url, issuer)
		r := result{step: s, got: got, err: err}
		show(r)
		results = append(results, r)
	}
	return results
}

func (s step) send(ctx context.Context, client *http.Client, url string, issuer *jwtbearertest.Issuer) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, s.method, url, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	if s.token != nil {
		req.Header.Set("Authorization", "Bearer "+s.token(issuer))
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	got := answer{status: resp.StatusCode, challenge: strings.Join(resp.Header.Values("WWW-Authenticate"), " | ")}
	if resp.StatusCode == http.StatusOK {
		var body struct {
			Subject string `json:"sub"`
		}
		if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&body); err != nil {
			return answer{}, fmt.Errorf("the body of the answer is not JSON: %w", err)
		}
		got.says = "sub: " + body.Subject
	}
	return got, nil
}
