package jwtbearer

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
)

// profile is what a verifier demands of the tokens of one authority: its
// Options, checked and in the form that the checks need.
type profile struct {
	skew          time.Duration
	algorithms    []string
	types         []string // media types
	rfc9068       bool
	audienceNames map[string][]string
	audienceClaim string
	roleClaim     []string
	sessionClaim  string
	acceptBound   bool
	checkers      []Checker
	introspector  Introspector
	events        Events
	log           *slog.Logger // nil: the default one
}

func newProfile(o *Options) (*profile, error) {
	p := &profile{
		skew:          o.ClockSkew,
		algorithms:    slices.Clone(o.Algorithms),
		rfc9068:       o.RequireRFC9068,
		audienceClaim: o.AudienceClaim,
		roleClaim:     slices.Clone(o.RoleClaim),
		sessionClaim:  o.SessionClaim,
		acceptBound:   o.InsecureAcceptBoundTokens,
		checkers:      slices.Clone(o.Checkers),
		introspector:  o.Introspector,
		log:           o.Logger,
	}
	switch {
	case p.skew == 0:
		p.skew = clockskew.DefaultTolerance
	case p.skew == NoClockSkew:
		p.skew = 0
	case p.skew < 0:
		return nil, misconfigured("Options.ClockSkew", p.skew, "give a positive duration, or NoClockSkew for none")
	case p.skew > clockskew.MaxTolerance:
		return nil, misconfigured("Options.ClockSkew", p.skew, fmt.Sprintf("give at most %v: it is a tolerance, not an interval between checks", clockskew.MaxTolerance))
	}
	if o.Algorithms == nil {
		p.algorithms = jose.Algorithms
	} else if len(o.Algorithms) == 0 {
		return nil, misconfigured("Options.Algorithms", "[]", "leave it nil for the default, or name one")
	}
	for _, alg := range p.algorithms {
		if !jose.Supported(alg) {
			return nil, misconfigured("Options.Algorithms", alg, "use some of "+strings.Join(jose.Algorithms, ", "))
		}
	}
	switch {
	case o.RequireRFC9068 && o.TokenTypes != nil:
		return nil, misconfigured("Options.TokenTypes", o.TokenTypes, "leave it nil with RequireRFC9068, which means at+jwt only")
	case o.RequireRFC9068:
		p.types = []string{"at+jwt"}
	case o.TokenTypes == nil:
		p.types = []string{"", "jwt", "at+jwt"}
	case len(o.TokenTypes) == 0:
		return nil, misconfigured("Options.TokenTypes", "[]", `leave it nil for the default, or name one ("" is a token without typ)`)
	default:
		p.types = mediaTypes(o.TokenTypes)
	}
	for name, values := range o.AudienceNames {
		if name == "" || len(values) == 0 || slices.Contains(values, "") {
			return nil, misconfigured("Options.AudienceNames", fmt.Sprintf("%q: %q", name, values), "give each audience at least one value, none of them empty")
		}
		if p.audienceNames == nil {
			p.audienceNames = make(map[string][]string, len(o.AudienceNames))
		}
		p.audienceNames[name] = slices.Clone(values)
	}
	if p.audienceClaim == "" {
		p.audienceClaim = "aud"
	}
	if len(p.roleClaim) == 0 {
		p.roleClaim = []string{"roles"}
	}
	if slices.Contains(p.roleClaim, "") {
		return nil, misconfigured("Options.RoleClaim", fmt.Sprintf("%q", o.RoleClaim), "give the names on the path, none of them empty")
	}
	if p.sessionClaim == "" {
		p.sessionClaim = "sid"
	}
	if i := slices.Index(p.checkers, nil); i >= 0 {
		return nil, misconfigured(fmt.Sprintf("Options.Checkers[%d]", i), "nil", "leave out what is not configured")
	}
	if o.Events != nil {
		p.events = *o.Events
	}
	return p, nil
}

func mediaTypes(types []string) []string {
	list := make([]string, len(types))
	for i, t := range types {
		list[i] = jose.MediaType(t)
	}
	return list
}

// audiences are the values of the audience claim that stand for the named ones.
func (p *profile) audiences(names []string) []string {
	if p.audienceNames == nil {
		return names
	}
	var list []string
	for _, name := range names {
		if values, ok := p.audienceNames[name]; ok {
			list = append(list, values...)
		} else {
			list = append(list, name)
		}
	}
	return list
}

// keySet returns the key set that o asks for, and whether it belongs to who
// asked.
func keySet(issuer string, p *profile, o *Options) (keys *jwks.Set, owned bool, err error) {
	if o.Keys == nil {
		tolerance := p.skew
		if tolerance == 0 {
			tolerance = -1 // none, where 0 would be the default
		}
		keys, err = jwks.New(issuer, &jwks.Options{
			MetadataURL:        o.MetadataURL,
			JWKSURL:            o.JWKSURL,
			InsecureAllowHTTP:  o.InsecureAllowHTTP,
			HTTPClient:         o.HTTPClient,
			MinRefreshInterval: o.MinRefreshInterval,
			MaxRefreshInterval: o.MaxRefreshInterval,
			MaxStaleness:       o.MaxStaleness,
			ClockTolerance:     tolerance,
			Logger:             o.Logger,
			Events:             p.events.Keys,
		})
		return keys, true, err
	}
	for _, other := range []struct {
		field string
		value any
		set   bool
	}{
		{"MetadataURL", "(an address)", o.MetadataURL != ""}, // which may hold a key to it
		{"JWKSURL", "(an address)", o.JWKSURL != ""},
		{"InsecureAllowHTTP", true, o.InsecureAllowHTTP},
		{"HTTPClient", "(a client)", o.HTTPClient != nil},
		{"MinRefreshInterval", o.MinRefreshInterval, o.MinRefreshInterval != 0},
		{"MaxRefreshInterval", o.MaxRefreshInterval, o.MaxRefreshInterval != 0},
		{"MaxStaleness", o.MaxStaleness, o.MaxStaleness != 0},
	} {
		if other.set {
			return nil, false, misconfigured("Options."+other.field, other.value, "leave it zero with Options.Keys, which decides where keys come from")
		}
	}
	if o.Keys.Issuer() != issuer {
		return nil, false, misconfigured("Options.Keys", "a key set of "+o.Keys.Issuer(), "give the key set of "+issuer)
	}
	return o.Keys, false, nil
}

// misconfigured is the error of a configuration mistake: which field, which
// value, what to do.
func misconfigured(field string, value any, fix string) error {
	return fmt.Errorf("jwtbearer: %s = %v: %s", field, value, fix)
}
