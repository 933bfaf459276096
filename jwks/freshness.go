package jwks

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// freshFor is how long a source lets its keys be used, if it said.
type freshFor struct {
	lifetime time.Duration
	said     bool
}

// freshness returns for how long the authority says a response may be used
// (RFC 9111, Section 4.2), measured from when it was received, or ok = false if
// it says nothing that can be understood. no-store and no-cache are 0.
//
// What a shared cache has already used up of it (Age) is deducted. s-maxage is
// for shared caches and ignored.
func freshness(h http.Header, received time.Time) (lifetime time.Duration, ok bool) {
	for _, field := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(field, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "no-store", "no-cache":
				return 0, true
			case "max-age":
				if age, good := deltaSeconds(strings.Trim(strings.TrimSpace(value), `"`)); good && !ok {
					lifetime, ok = age, true
				}
			}
		}
	}
	if !ok {
		expires := h.Get("Expires")
		if expires == "" {
			return 0, false
		}
		at, err := http.ParseTime(expires)
		if err != nil {
			return 0, true // "0" and the like mean: already expired (RFC 9111, Section 5.3)
		}
		// Compared with the authority's own clock where it is told: ours may be off.
		from := received
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			from = date
		}
		lifetime, ok = max(at.Sub(from), 0), true // a far past would overflow below
	}
	if age, good := deltaSeconds(strings.TrimSpace(h.Get("Age"))); good {
		lifetime -= age
	}
	return max(lifetime, 0), ok
}

// deltaSeconds parses a non-negative number of seconds (RFC 9111, Section
// 1.2.2); one that is too large is as large as can be.
func deltaSeconds(s string) (time.Duration, bool) {
	if s == "" {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	const most = math.MaxInt64 / int64(time.Second) / 4 // room to add and subtract
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > most {
		n = most
	}
	return time.Duration(n) * time.Second, true
}
