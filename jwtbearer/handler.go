package jwtbearer

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// Require returns the middleware that lets a request pass only if its bearer
// token is meant for audience, good now, and fits the rules. The handler behind
// it finds the token with [TokenFrom].
//
// Every method is authenticated, OPTIONS too: put CORS middleware outside.
// Middlewares of one verifier nest, say for a group and for one of its routes:
// the token is then verified once, and audience and rules of both must hold. The
// inner one takes the token that the outer one has admitted, wherever that was
// found ([Cookie]).
//
// Require panics if audience is empty or a rule is nil or impossible, as these
// are mistakes in the program; for values from a configuration use
// [Verifier.Policy]. What it returns panics if it is given a nil handler.
func (v *Verifier) Require(audience string, rules ...Rule) func(http.Handler) http.Handler {
	return mustPolicy(v.Policy(audience, rules...)).Handler
}

// Optional is [Verifier.Require], except that a request without credentials
// passes as anonymous; the rules are not applied to it, and [TokenFrom] returns
// nil behind it. A token that is not good never passes.
func (v *Verifier) Optional(audience string, rules ...Rule) func(http.Handler) http.Handler {
	p := mustPolicy(v.Policy(audience, rules...))
	return func(next http.Handler) http.Handler { return p.handler(next, true) }
}

func mustPolicy(p *Policy, err error) *Policy {
	if err != nil {
		panic(err)
	}
	return p
}

// Handler returns a handler that calls next for requests that the policy lets
// pass, and answers the others itself. It panics if next is nil.
func (p *Policy) Handler(next http.Handler) http.Handler { return p.handler(next, false) }

func (p *Policy) handler(next http.Handler, anonymous bool) http.Handler {
	if next == nil {
		panic("jwtbearer: a nil http.Handler cannot be protected")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, next, anonymous) })
}

func (p *Policy) serve(w http.ResponseWriter, r *http.Request, next http.Handler, anonymous bool) {
	if p.uncached {
		w.Header().Set("Cache-Control", "private")
	}
	a, err := p.check(r)
	if a == nil && err == nil {
		if anonymous {
			next.ServeHTTP(w, r)
			return
		}
		err = refuse(errNoToken)
	}
	if err != nil {
		// Answered also if a hook panics: what contains the panic further out might
		// write nothing, and net/http would make a 200 of that.
		defer p.v.answer(w, r, err)
		p.v.refused(r.Context(), r, err)
		return
	}
	p.v.accepted(r.Context(), r, a.token)
	switch {
	case a.life != nil:
		a.life.join(p)
		defer a.life.leave(p)
	case p.recheck > 0:
		var end func()
		a, end = p.live(a, r)
		defer end()
	}
	next.ServeHTTP(w, r.WithContext(a))
}

// accepted tells who wants to know that a token was accepted.
func (v *Verifier) accepted(ctx context.Context, r *http.Request, t *Token) {
	if f := t.authority.profile.events.Accepted; f != nil {
		f(ctx, r, t)
	}
}

// refused tells who wants to know that a request or token was refused.
func (v *Verifier) refused(ctx context.Context, r *http.Request, err *Error) {
	events, log := v.events, v.log
	if err.authority != nil {
		events, log = err.authority.profile.events, err.authority.profile.log
	}
	log = orDefault(log)
	if err.hint != noHint && v.hints.due(err.hint, time.Now()) {
		log.LogAttrs(ctx, slog.LevelWarn, "jwtbearer: "+hintTexts[err.hint])
	}
	if log.Enabled(ctx, slog.LevelDebug) {
		log.LogAttrs(ctx, slog.LevelDebug, "jwtbearer: refused",
			slog.Any("reason", err.Reason), slog.Any("error", err))
	}
	if events.Refused != nil {
		events.Refused(ctx, r, err)
	}
}

// orDefault returns the logger, or else the default one of this moment.
func orDefault(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.Default()
	}
	return log
}

// The default verifier, as slog.Default is the default logger.
var defaultVerifier atomic.Pointer[Verifier]

// SetDefault makes v the verifier of the package-level [Require] and [Optional],
// from the next request on. Nil means none again. It is safe for concurrent use.
func SetDefault(v *Verifier) { defaultVerifier.Store(v) }

// Default returns the verifier that [SetDefault] was last given, nil before. It
// is safe for concurrent use.
func Default() *Verifier { return defaultVerifier.Load() }

// Require is [Verifier.Require] of the default verifier. It may be called before
// [SetDefault], in a package variable say: the default is looked up on each
// request. While there is none, every request is answered by 503 and an error
// in the log.
func Require(audience string, rules ...Rule) func(http.Handler) http.Handler {
	return byDefault(audience, rules, false)
}

// Optional is [Verifier.Optional] of the default verifier, as [Require] is
// [Verifier.Require]. While there is none, anonymous requests are answered by
// 503 too.
func Optional(audience string, rules ...Rule) func(http.Handler) http.Handler {
	return byDefault(audience, rules, true)
}

func byDefault(audience string, rules []Rule, anonymous bool) func(http.Handler) http.Handler {
	rules = slices.Clone(rules) // they are applied again for each new default
	// A mistake is to panic here and not at the first request.
	if err := new(Policy).configure(audience, rules); err != nil {
		panic(err)
	}
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("jwtbearer: a nil http.Handler cannot be protected")
		}
		var current atomic.Pointer[Policy]
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v := Default()
			if v == nil {
				slog.ErrorContext(r.Context(), "jwtbearer: Require is used before SetDefault: every request is answered by 503")
				WriteError(w, r, ErrNoDefault)
				return
			}
			p := current.Load()
			if p == nil || p.v != v {
				p = mustPolicy(v.Policy(audience, rules...))
				current.Store(p)
			}
			p.serve(w, r, next, anonymous)
		})
	}
}
