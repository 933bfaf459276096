package jwtbearer

import (
	"cmp"
	"slices"

	"github.com/bearerguard/bearerguard/jwks"
)

// Status returns a snapshot. It is safe for [expvar.Func].
func (v *Verifier) Status() Status {
	var s Status
	for a := range v.authorities {
		s.Authorities = append(s.Authorities, a.keys.Status())
	}
	slices.SortFunc(s.Authorities, func(a, b jwks.Status) int { return cmp.Compare(a.Issuer, b.Issuer) })
	if v.cache != nil {
		st := v.cache.Stats()
		s.Cache = CacheStatus{Entries: st.Entries, Bytes: st.Bytes, Hits: st.Hits, Misses: st.Misses}
	}
	return s
}
