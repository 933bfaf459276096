package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

// config is what the service is told at its start.
type config struct {
	addr      string
	authority string
	audience  string
	clientID  string
	redis     string
	cacheLife time.Duration

	allowHTTP, adopt, initialize bool
}

const usage = `api-redis serves orders to users whose sessions several replicas share through Redis.

    redis-server --appendonly yes &
    go run -C examples/api-redis . -redis 127.0.0.1:6379 -initialize
    go run -C examples/api-redis . -redis 127.0.0.1:6379 -authority https://id.example.com -audience api1 -adopt

`

func readConfig(args []string, out io.Writer) (config, error) {
	var c config
	flags := flag.NewFlagSet("api-redis", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8080", "`address` to listen on; port 0 takes a free one")
	flags.StringVar(&c.authority, "authority", "", "`issuer` whose tokens are accepted (required)")
	flags.StringVar(&c.audience, "audience", "", "`name` of this API, which a token must carry in aud (required)")
	flags.StringVar(&c.clientID, "client-id", "web", "`client` whose logout tokens are taken")
	flags.StringVar(&c.redis, "redis", "127.0.0.1:6379", "`address` of Redis; the password is in REDIS_PASSWORD")
	flags.DurationVar(&c.cacheLife, "cache-life", 0, "how long a living session is believed without asking Redis; 0 means 5s, -1ns never")
	flags.BoolVar(&c.allowHTTP, "allow-http", false, "read keys over plain http; for development only")
	flags.BoolVar(&c.adopt, "adopt", false, "record sessions at their first token, instead of refusing those not in Redis")
	flags.BoolVar(&c.initialize, "initialize", false, "take Redis into service as it is, and end")
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	switch {
	case flags.NArg() > 0:
		return config{}, errors.New("unexpected argument: " + flags.Arg(0))
	case c.initialize:
	case c.authority == "":
		return config{}, errors.New("-authority is missing: give the issuer whose tokens are accepted")
	case c.audience == "":
		return config{}, errors.New("-audience is missing: give the name of this API, which a token must carry in aud")
	}
	return c, nil
}
