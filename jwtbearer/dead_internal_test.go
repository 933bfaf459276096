package jwtbearer

import (
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
	"github.com/bearerguard/bearerguard/jwks"
)

// TestDead: the place of a remembered token can be had as soon as nobody could use
// it any more, and not before.
func TestDead(t *testing.T) {
	_, gone := someKey(t)
	set, err := jwks.NewStatic("https://issuer.test", []byte(someKeySet), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	const skew = time.Minute
	now := time.Unix(1_700_000_000, 0)
	a := &authority{profile: &profile{skew: skew}, keys: set}
	unloaded := &authority{profile: a.profile, keys: set, tenant: &tenant{}}
	unloaded.tenant.gone.Store(true)
	held := set.Keys()[0]
	for _, tt := range []struct {
		name  string
		a     *authority
		key   *jwks.Key
		exp   time.Time
		until time.Time
		want  bool
	}{
		{"in use", a, held, now.Add(time.Hour), now.Add(time.Hour), false},
		{"to be checked again", a, held, now.Add(time.Hour), now, true},
		{"about to be checked again", a, held, now.Add(time.Hour), now.Add(1), false},
		{"expired", a, held, now.Add(-skew - 1), now.Add(time.Hour), true},
		{"expired, but for the skew", a, held, now.Add(-skew + 1), now.Add(time.Hour), false},
		{"the key is gone", a, gone[0], now.Add(time.Hour), now.Add(time.Hour), true},
		{"the tenant was unloaded", unloaded, held, now.Add(time.Hour), now.Add(time.Hour), true},
	} {
		e := &verified{token: &Token{authority: tt.a, key: tt.key, times: clockskew.Times{Expiry: tt.exp}}, until: tt.until}
		if got := dead(e, now); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
