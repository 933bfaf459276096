package jwtbearer

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Policy is an audience with its rules, ready to decide: what [Verifier.Require]
// puts before a handler. It is the form for configured values, whose mistakes
// are to be errors, and for who has tokens without a handler: gRPC, a WebSocket
// upgrade, a consumer of messages. It is immutable and safe for concurrent use.
type Policy struct {
	v         *Verifier
	audiences []string              // as named, the required one first
	byProfile map[*profile][]string // the values of the audience claim, where they differ

	types      []string // media types instead of those of an access token; nil: an access token
	maxAge     time.Duration
	authorize  []func(ctx context.Context, t *Token) *Error
	scopes     []string // what a 403 names
	extractors []extractor
	recheck    time.Duration
	uncached   bool // a token may come from the URL: keep shared caches out
}

// Policy returns the policy for an audience and rules. Its errors are
// configuration mistakes: an empty audience, a nil rule, a rule with impossible
// values.
func (v *Verifier) Policy(audience string, rules ...Rule) (*Policy, error) {
	if v == nil {
		return nil, misconfigured("Verifier", "nil", "make one with New")
	}
	p := &Policy{v: v}
	if err := p.configure(audience, rules); err != nil {
		return nil, err
	}
	for of := range v.profiles {
		if of.audienceNames == nil || p.types != nil { // the names are those in access tokens
			continue
		}
		if p.byProfile == nil {
			p.byProfile = make(map[*profile][]string)
		}
		p.byProfile[of] = of.audiences(p.audiences)
	}
	return p, nil
}

func (p *Policy) configure(audience string, rules []Rule) error {
	if audience == "" {
		return misconfigured("audience", `""`, "name the audience of this API: a token for any audience is a token for none")
	}
	p.audiences = []string{audience}
	for i, rule := range rules {
		if rule == nil {
			return misconfigured(fmt.Sprintf("rules[%d]", i), "nil", "leave out what is not wanted")
		}
		if err := rule.apply(p); err != nil {
			return err
		}
	}
	return nil
}

// accepted are the values of the audience claim that p accepts of an authority.
func (p *Policy) accepted(of *profile) []string {
	if values, ok := p.byProfile[of]; ok {
		return values
	}
	return p.audiences
}

// Check decides whether the request may pass and returns its token. Every error
// is an *[Error]; the token is nil then. Who calls Check answers with
// [WriteError]. It does not write a response and does not apply [Recheck],
// which needs a handler.
func (p *Policy) Check(r *http.Request) (*Token, error) {
	a, err := p.check(r)
	if err == nil && a == nil {
		err = refuse(errNoToken)
	}
	if err != nil {
		p.v.refused(r.Context(), r, err)
		return nil, err
	}
	p.v.accepted(r.Context(), r, a.token)
	return a.token, nil
}

// Verify decides whether the token raw is good for this policy, where there is
// no request to take it from. ctx bounds the wait for keys, if one is needed.
// Every error is an *[Error]; the token is nil then. raw is kept in memory for as
// long as the token is remembered: what is cut from a much longer text should be
// copied first ([strings.Clone]).
func (p *Policy) Verify(ctx context.Context, raw string) (*Token, error) {
	t, err := p.verify(ctx, raw, nil, nil)
	if err != nil {
		p.v.refused(ctx, nil, err)
		return nil, err
	}
	p.v.accepted(ctx, nil, t)
	return t, nil
}

// check returns how the request is admitted; nil without an error if it carries
// no token.
func (p *Policy) check(r *http.Request) (*admission, *Error) {
	if p.v.closed.Load() {
		return nil, refuse(ErrClosed)
	}
	raw, err := p.credentials(r)
	if err != nil {
		return nil, err
	}
	outer := admissionFrom(r.Context())
	switch {
	case outer != nil && outer.v != p.v:
		outer = nil
	case outer != nil && raw == "":
		// The outer policy found it where this one does not look. To call the
		// request anonymous now would spare a known caller the rules.
		raw = outer.token.raw
	case outer != nil && outer.token.raw != raw:
		outer = nil
	}
	if raw == "" {
		return nil, nil
	}
	t, err := p.verify(r.Context(), raw, r, outer)
	switch {
	case err != nil && err.Reason.class == ErrInvalidToken && !err.Reason.formIsKnown() && !token68(raw):
		// Not the form that the scheme demands, whatever it stands for and
		// whatever was found out first.
		return nil, refuse(ErrMalformedCredentials)
	case err != nil:
		return nil, err
	}
	a := &admission{Context: r.Context(), v: p.v, policy: p, outer: outer, token: t, checked: p.asksCheckers()}
	if outer != nil {
		a.checked = a.checked || outer.checked
		a.life = outer.life
	}
	return a, nil
}

// formIsKnown reports whether nothing needs to be found out about the form of a token
// that was refused for this reason: it was told what it is, is not looked at, or,
// of the reasons that long junk is refused for, its segments are known to be good.
func (r *Reason) formIsKnown() bool {
	switch r {
	case ErrSerialization, ErrTooLarge, ErrUnknownKey, ErrSignature:
		return true
	}
	return false
}

// asksCheckers reports whether the policy is about access tokens, whose state
// the checkers know.
func (p *Policy) asksCheckers() bool { return p.types == nil }

// verify applies the whole policy to the token raw. outer is the admission of
// the same request with the same token by an outer policy, if there was one:
// what that has found out about the token is not done again.
func (p *Policy) verify(ctx context.Context, raw string, r *http.Request, outer *admission) (*Token, *Error) {
	now := time.Now()
	var t *Token
	var err *Error
	if outer != nil {
		t = outer.token
		err = p.admit(t, now, true)
	} else {
		t, err = p.v.verify(ctx, p, raw, now)
	}
	if err != nil {
		return nil, err
	}
	if p.asksCheckers() && (outer == nil || !outer.checked) && len(t.authority.profile.checkers) > 0 {
		if err := t.checkAlive(ctx, r); err != nil {
			return nil, err
		}
		// They may have taken a while.
		if err := p.checkTime(t, time.Now(), true); err != nil {
			return nil, err
		}
	}
	for _, rule := range p.authorize {
		if err := rule(ctx, t); err != nil {
			err.authority = t.authority
			if err.Reason == ErrScope && err.Scopes == nil {
				err.Scopes = slices.Clone(p.scopes) // hooks may do with it as they like
			}
			return nil, err
		}
	}
	return t, nil
}

// checkAlive asks the checkers of the token's authority.
func (t *Token) checkAlive(ctx context.Context, r *http.Request) *Error {
	for _, c := range t.authority.profile.checkers {
		if err := c.CheckToken(ctx, t, r); err != nil {
			e := restricted(err)
			e.authority = t.authority
			return &e
		}
	}
	return nil
}

// admission is the context of an admitted request: one value for everything
// that later code asks about it.
type admission struct {
	context.Context
	v       *Verifier
	policy  *Policy
	outer   *admission // of the same token, by an outer policy of v; may be nil
	token   *Token     // whose credentials the request carries
	checked bool       // the checkers were asked
	life    *life      // nil without Recheck
}

type admissionKey struct{}

// Value implements [context.Context].
func (a *admission) Value(key any) any {
	if _, ok := key.(admissionKey); ok {
		return a
	}
	return a.Context.Value(key)
}

func admissionFrom(ctx context.Context) *admission {
	a, _ := ctx.Value(admissionKey{}).(*admission)
	return a
}
