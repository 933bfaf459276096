package main

import (
	"fmt"
	"time"

	"github.com/bearerguard/bearerguard/examples/api/orders"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// pasteTime is how long the tokens of -serve live: a working day.
const pasteTime = 12 * time.Hour

// printCurl writes command lines that can be pasted into another terminal.
func printCurl(t table, url string, issuer *jwtbearertest.Issuer) {
	// ES256 tokens are shorter than RS256 ones by 256 characters.
	token := func(opts ...jwtbearertest.TokenOption) string {
		return good(append([]jwtbearertest.TokenOption{
			jwtbearertest.Algorithm("ES256"), jwtbearertest.ExpiresIn(pasteTime),
		}, opts...)...)(issuer)
	}
	line := func(title, command string) {
		fmt.Fprintf(t.out, "  %s\n%s\n\n", t.cell("# "+title, 0, dim), command)
	}
	curl := func(token string) string {
		return fmt.Sprintf("curl -i %s -H 'Authorization: Bearer %s'", url, token)
	}
	const body = ` -d '{"item": "tea"}'`

	fmt.Fprintf(t.out, "  %s\n\n", t.cell("Both keep running until Ctrl-C. Paste into another terminal:", 0, bold))
	line("no token: 401 and a bare challenge", "curl -i "+url)
	line("a good token: 200", curl(token()))
	line("expired an hour ago: 401 invalid_token", curl(token(ago(2*time.Hour), jwtbearertest.ExpiresIn(-time.Hour))))
	line("good, without the scope "+orders.WriteScope+": 403 insufficient_scope", curl(token())+body)
	line("good, with the scope: 201", curl(token(jwtbearertest.Scopes("orders.read", orders.WriteScope)))+body)
	line("is the API ready? what does the authority publish?",
		fmt.Sprintf("curl -i %sreadyz\ncurl %s/.well-known/openid-configuration", url[:len(url)-len("orders")], issuer.URL()))
}
