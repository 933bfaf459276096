package main

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// A contender is one library, set up as its documentation says for one issuer,
// one audience and the algorithms below, with every check its API offers as an
// option switched on, one minute of clock skew where it can be set, and one
// required scope. Nothing that a library leaves out is added by hand: the
// probes show what that is.
type contender struct {
	name    string
	modules []string
	// authority is what the library is told: the metadata, or the key set.
	open func(ctx context.Context, issuer, jwksURL string) (*guard, error)
	// static: the library has no key set that refreshes itself.
	static bool
	// ours: it must pass every probe.
	ours bool
}

// A guard is an opened contender.
type guard struct {
	// verify checks a token, decodes its claims into what a caller would use,
	// and returns the subject.
	verify func(ctx context.Context, raw string) (string, error)
	// wrap is the library's middleware, or the plain one where it has none.
	wrap func(http.Handler) http.Handler
	// subject reads what wrap left in the context.
	subject func(ctx context.Context) string
	close   func()
}

// The algorithms that every contender accepts.
var algorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}

var errScope = errors.New("the token lacks the scope")

func contenders() []*contender {
	return []*contender{
		bearerguardContender(),
		golangJWTContender(),
		goJOSEContender(),
		goOIDCContender(),
		zitadelContender(),
		jwx2Contender(),
		jwx3Contender(),
		auth0Contender(),
	}
}

// openWithin is open with a limit: some wait for ever for a key set that they
// cannot use.
func (c *contender) openWithin(ctx context.Context, p *provider, limit time.Duration) (*guard, error) {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(limit, cancel)
	g, err := c.open(ctx, p.issuer, p.jwksURL())
	if err != nil {
		cancel()
		return nil, err
	}
	timer.Stop()
	inner := g.close
	g.close = func() { inner(); cancel() }
	return g, nil
}

// versions says which modules were built in.
func (c *contender) versions() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "?"
	}
	var out []string
	for _, want := range c.modules {
		for _, dep := range info.Deps {
			if dep.Path == want {
				short := strings.TrimPrefix(dep.Path, "github.com/")
				version := dep.Version
				if dep.Replace != nil {
					version = "this tree"
				}
				out = append(out, short+" "+version)
			}
		}
	}
	return strings.Join(out, ", ")
}

type subjectKey struct{}

// plain is the middleware that teams write round a library without one:
// one header, one check, one context value.
func plain(verify func(ctx context.Context, raw string) (string, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok {
				w.Header().Set("WWW-Authenticate", "Bearer")
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			subject, err := verify(r.Context(), raw)
			if err != nil {
				w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), subjectKey{}, subject)))
		})
	}
}

func plainSubject(ctx context.Context) string {
	subject, _ := ctx.Value(subjectKey{}).(string)
	return subject
}

// hasScope finds the scope in a space-separated list.
func hasScope(list string) error {
	for each := range strings.FieldsSeq(list) {
		if each == scope {
			return nil
		}
	}
	return errScope
}
