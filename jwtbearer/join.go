package jwtbearer

import (
	"fmt"
	"slices"
	"strings"
)

// Join returns a verifier for the tokens of several authorities: each token is
// judged by the member whose issuer it names, with that member's keys and
// Options, and by no other. Two members with one issuer are an error, and two with
// an Introspector: an opaque token does not say whom to ask. Events and Logger are
// each member's own for its tokens. The realm, the ErrorHandler, the cache's bounds,
// and Events and Logger for tokens whose issuer is unknown, are the first member's.
//
// It is ready when one member is; closing it closes the members, which must not
// be closed by themselves.
func Join(verifiers ...*Verifier) (*Verifier, error) {
	if len(verifiers) == 0 {
		return nil, misconfigured("Join", "no verifier", "give at least one")
	}
	for i, m := range verifiers {
		if m == nil {
			return nil, misconfigured(fmt.Sprintf("Join: verifiers[%d]", i), "nil", "make it with New")
		}
	}
	first := verifiers[0]
	v := &Verifier{
		routes:       make(map[string]*authority),
		members:      slices.Clone(verifiers),
		headers:      newHeaderCache(),
		realm:        first.realm,
		errorHandler: first.errorHandler,
		events:       first.events,
		log:          first.log,
		cacheOptions: first.cacheOptions,
	}
	// The tokens of all members are in one memory: which member a token belongs
	// to is only known after it was read.
	v.cache, _ = newCache(first.cacheOptions) // they were found good by New
	for _, m := range verifiers {
		for key, a := range m.routes {
			if other, ok := v.routes[key]; ok {
				return nil, misconfigured("Join", fmt.Sprintf("issuers %q and %q", other.issuer, a.issuer), "give each authority once")
			}
			v.routes[key] = a
		}
		for _, t := range m.tenants {
			for _, other := range v.tenants {
				// The placeholder's name means nothing to a token.
				if other.prefix == t.prefix && other.suffix == t.suffix {
					return nil, misconfigured("Join", fmt.Sprintf("templates %q and %q", other.template, t.template), "give each template once")
				}
			}
			v.tenants = append(v.tenants, t)
			t.share(v.cache)
		}
		if m.introspector != nil {
			if v.introspector != nil {
				return nil, misconfigured("Join", "two members with Options.Introspector", "give at most one: an opaque token does not say whom to ask")
			}
			v.introspector = m.introspector
		}
	}
	return v, nil
}

// route returns the authority of an issuer. An issuer that is not known causes
// nothing but a refusal: no URL ever comes from a token.
func (v *Verifier) route(issuer string) (*authority, *Error) {
	if a, ok := v.routes[strings.TrimSuffix(issuer, "/")]; ok {
		return a, nil
	}
	for _, t := range v.tenants {
		if tenant, ok := t.match(issuer); ok {
			return t.authority(tenant)
		}
	}
	return nil, refuse(ErrIssuer)
}

// profiles calls yield for each distinct profile.
func (v *Verifier) profiles(yield func(*profile) bool) {
	for _, a := range v.routes {
		if !yield(a.profile) {
			return
		}
	}
	for _, t := range v.tenants {
		if !yield(t.profile) {
			return
		}
	}
}
