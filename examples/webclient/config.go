package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
	"github.com/bearerguard/bearerguard/jwtbearer"
)

// secretVariable is the environment variable for what should not be seen among
// the arguments of a process.
const secretVariable = "WEBCLIENT_CLIENT_SECRET"

// config is what the program is told at its start.
type config struct {
	listen       string
	authority    string // "": our own
	clientID     string
	clientSecret string
	scopes       []string
	api          string // "": our own
	audience     string
	resource     string
	skew         time.Duration
	early        time.Duration

	// Of our own authority.
	lifetime time.Duration
	leeway   time.Duration
}

func readConfig(args []string, getenv func(string) string, out io.Writer) (config, error) {
	var c config
	var scopes string
	flags := flag.NewFlagSet("webclient", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&c.listen, "listen", "127.0.0.1:8081", "loopback `address` to listen on; port 0 takes a free one")
	flags.StringVar(&c.authority, "authority", "", "`issuer` to sign in at; empty starts one in this process")
	flags.StringVar(&c.clientID, "client-id", "webclient", "`id` of this client at the authority")
	flags.StringVar(&c.clientSecret, "client-secret", "", "its `secret`; better set in the environment as "+secretVariable)
	flags.StringVar(&scopes, "scopes", "api1 openid profile offline_access", "`scopes` to ask for, separated by spaces")
	flags.StringVar(&c.api, "api", "", "`address` to call with the token; empty starts an API in this process")
	flags.StringVar(&c.audience, "audience", "", "`audience` that our API asks of a token (default -resource, or api1)")
	flags.StringVar(&c.resource, "resource", "", "`resource` parameter (RFC 8707), for authorities that need one")
	flags.DurationVar(&c.skew, "skew", clockskew.DefaultTolerance, "the API's `tolerance` for clocks that differ; 0 means none")
	flags.DurationVar(&c.early, "early", 0, "how `long` before its expiry a token is renewed (default 5s)")
	flags.DurationVar(&c.lifetime, "lifetime", time.Minute, "`lifetime` of access tokens of our own authority")
	flags.DurationVar(&c.leeway, "leeway", 5*time.Second, "how `long` our own authority takes a spent refresh token; 0 means not at all")
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	if flags.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	// A mistake must not open the page, and whoever is signed in, to a network.
	host, _, err := net.SplitHostPort(c.listen)
	if err != nil {
		return config{}, fmt.Errorf("-listen: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return config{}, fmt.Errorf("-listen %s is not a loopback address, such as 127.0.0.1:8081", c.listen)
	}
	if c.skew < 0 || c.skew > clockskew.MaxTolerance {
		return config{}, fmt.Errorf("-skew %v is not within 0 and %v", c.skew, clockskew.MaxTolerance)
	}
	if c.leeway < 0 {
		return config{}, errors.New("-leeway is negative")
	}
	c.clientSecret = cmp.Or(c.clientSecret, getenv(secretVariable))
	c.audience = cmp.Or(c.audience, c.resource, "api1")
	c.scopes = strings.Fields(scopes)
	return c, nil
}

// verifierSkew is skew as jwtbearer.Options has it.
func (c config) verifierSkew() time.Duration {
	if c.skew == 0 {
		return jwtbearer.NoClockSkew
	}
	return c.skew
}
