package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
	"github.com/bearerguard/bearerguard/jwtbearer"
)

// envPrefix begins the name of each environment variable: -clock-skew is also
// API_CLOCK_SKEW.
const envPrefix = "API_"

// config is what the service is told at its start.
type config struct {
	addr      string
	authority string
	audience  string
	clockSkew time.Duration
	allowHTTP bool
}

// usageError is a mistake in the arguments or the environment.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// readConfig reads the arguments, and the environment for what they leave out.
// It returns [flag.ErrHelp] after it wrote the help to out.
func readConfig(args []string, getenv func(string) string, out io.Writer) (config, error) {
	var c config
	flags := flag.NewFlagSet("api", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8080", "`address` to listen on; port 0 takes a free one")
	flags.StringVar(&c.authority, "authority", "", "`issuer` whose tokens are accepted, such as https://id.example.com (required)")
	flags.StringVar(&c.audience, "audience", "", "`name` of this API, which a token must carry in aud (required)")
	flags.DurationVar(&c.clockSkew, "clock-skew", clockskew.DefaultTolerance,
		fmt.Sprintf("`tolerance` for clocks that differ, 0 to %v", clockskew.MaxTolerance))
	flags.BoolVar(&c.allowHTTP, "allow-http", false, "read keys over plain http; for development only")

	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			help(flags, out)
			return config{}, err
		}
		return config{}, usageError{err.Error()}
	}
	if flags.NArg() > 0 {
		return config{}, usageError{fmt.Sprintf("unexpected argument %q", flags.Arg(0))}
	}
	if err := fromEnvironment(flags, getenv); err != nil {
		return config{}, err
	}

	switch {
	case c.authority == "":
		return config{}, missing("authority", "the issuer whose tokens are accepted, such as https://id.example.com")
	case c.audience == "":
		return config{}, missing("audience", "the name of this API, which a token must carry in aud")
	case c.clockSkew < 0:
		return config{}, usageError{fmt.Sprintf("-clock-skew is %v; it must not be negative", c.clockSkew)}
	case c.clockSkew == 0:
		// In Options, zero means the default; on a command line it means none.
		c.clockSkew = jwtbearer.NoClockSkew
	}
	return c, nil
}

// fromEnvironment sets the flags that the arguments left out.
func fromEnvironment(flags *flag.FlagSet, getenv func(string) string) error {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var err error
	flags.VisitAll(func(f *flag.Flag) {
		value := getenv(envName(f.Name))
		if given[f.Name] || value == "" || err != nil {
			return
		}
		if cause := f.Value.Set(value); cause != nil {
			err = usageError{fmt.Sprintf("invalid value %q in %s: %v", value, envName(f.Name), cause)}
		}
	})
	return err
}

func envName(flagName string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

func missing(flagName, what string) error {
	return usageError{fmt.Sprintf("-%s (or %s) is missing: give %s", flagName, envName(flagName), what)}
}

func help(flags *flag.FlagSet, out io.Writer) {
	fmt.Fprint(out, "Usage: api -authority ISSUER -audience NAME [flags]\n\n"+
		"An API that answers only requests with a token good for it.\n"+
		"A flag that is left out is read from the environment.\n\n")
	flags.VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(out, "  %s\n        %s\n        environment: %s", strings.TrimSpace("-"+f.Name+" "+value), usage, envName(f.Name))
		if f.DefValue != "" {
			fmt.Fprintf(out, "; default: %s", f.DefValue)
		}
		fmt.Fprintln(out)
	})
}
