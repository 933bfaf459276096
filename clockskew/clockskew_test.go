package clockskew_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
)

// The virtual timeline of the tables: the token is issued at second 1000, may be
// used from second 1010 and expires at second 1060.
var (
	origin = time.Date(2030, time.May, 1, 12, 0, 0, 0, time.UTC)
	token  = clockskew.Times{IssuedAt: at(1000), NotBefore: at(1010), Expiry: at(1060)}
)

func at(seconds float64) time.Time {
	return origin.Add(time.Duration(seconds * float64(time.Second)))
}

// extreme returns a Time that is seconds after the start of year 1, for any
// seconds, also those that time.Unix and time.Date do not reach.
func extreme(seconds, nanos int64) time.Time {
	const yearOneToUnix = 62135596800
	return time.Unix(seconds-yearOneToUnix, nanos)
}

var (
	firstTime = extreme(math.MinInt64, 0)
	lastTime  = extreme(math.MaxInt64, 999_999_999)
)

func TestCheck(t *testing.T) {
	only := func(change func(*clockskew.Times)) clockskew.Times {
		changed := token
		change(&changed)
		return changed
	}
	noExpiry := only(func(t *clockskew.Times) { t.Expiry = time.Time{} })
	expiryOnly := clockskew.Times{Expiry: token.Expiry}
	noNotBefore := only(func(t *clockskew.Times) { t.NotBefore = time.Time{} })

	tests := []struct {
		name      string
		times     clockskew.Times
		now       time.Time
		tolerance time.Duration
		want      error
	}{
		{"in the middle", token, at(1030), 0, nil},

		{"no exp", noExpiry, at(1030), 0, clockskew.ErrNoExpiry},
		{"no exp, every tolerance", noExpiry, at(1030), clockskew.MaxTolerance, clockskew.ErrNoExpiry},
		{"nothing at all", clockskew.Times{}, at(1030), 0, clockskew.ErrNoExpiry},
		{"exp is year 1", only(func(t *clockskew.Times) { t.Expiry = extreme(0, 0).UTC() }), at(1030), 0, clockskew.ErrNoExpiry},

		{"exp, 1 ns before", token, at(1060).Add(-1), 0, nil},
		{"exp equal to now", token, at(1060), 0, clockskew.ErrExpired},
		{"exp, 1 ns after", token, at(1060).Add(1), 0, clockskew.ErrExpired},
		{"exp equal to now, with tolerance", token, at(1060), time.Nanosecond, nil},
		{"exp + tolerance, 1 ns before", token, at(1120).Add(-1), time.Minute, nil},
		{"exp + tolerance equal to now", token, at(1120), time.Minute, clockskew.ErrExpired},
		{"exp + tolerance, 1 ns after", token, at(1120).Add(1), time.Minute, clockskew.ErrExpired},
		{"exp in another zone", only(func(t *clockskew.Times) {
			t.Expiry = t.Expiry.In(time.FixedZone("", 14*3600))
		}), at(1059), 0, nil},

		{"nbf, 1 ns before", token, at(1010).Add(-1), 0, clockskew.ErrNotYetValid},
		{"nbf equal to now", token, at(1010), 0, nil},
		{"nbf, 1 ns after", token, at(1010).Add(1), 0, nil},
		{"nbf - tolerance, 1 ns before", token, at(1005).Add(-1), 5 * time.Second, clockskew.ErrNotYetValid},
		{"nbf - tolerance equal to now", token, at(1005), 5 * time.Second, nil},
		{"no nbf", noNotBefore, at(1005), 0, nil},

		{"iat, 1 ns before", noNotBefore, at(1000).Add(-1), 0, clockskew.ErrIssuedInFuture},
		{"iat equal to now", noNotBefore, at(1000), 0, nil},
		{"iat - tolerance, 1 ns before", noNotBefore, at(995).Add(-1), 5 * time.Second, clockskew.ErrIssuedInFuture},
		{"iat - tolerance equal to now", noNotBefore, at(995), 5 * time.Second, nil},
		{"no iat", expiryOnly, at(0), 0, nil},

		{"negative tolerance is none: alive", token, at(1060).Add(-1), -1, nil},
		{"negative tolerance is none: expired", token, at(1060), -1, clockskew.ErrExpired},
		{"negative tolerance is none: nbf", token, at(1010), -time.Hour, nil},
		{"tolerance beyond the maximum is the maximum: alive", token, at(1660).Add(-1), time.Hour, nil},
		{"tolerance beyond the maximum is the maximum: expired", token, at(1660), time.Hour, clockskew.ErrExpired},
		{"greatest tolerance", token, at(1660), math.MaxInt64, clockskew.ErrExpired},
		{"least tolerance", token, at(1060), math.MinInt64, clockskew.ErrExpired},

		{"expired before not yet valid", clockskew.Times{Expiry: at(1), NotBefore: at(9)}, at(5), 0, clockskew.ErrExpired},
		{"not yet valid before from the future", clockskew.Times{Expiry: at(9), NotBefore: at(8), IssuedAt: at(8)}, at(5), 0, clockskew.ErrNotYetValid},

		{"exp at the end of time", clockskew.Times{Expiry: lastTime}, at(0), time.Minute, nil},
		{"exp at the end of time, now nearly so", clockskew.Times{Expiry: lastTime}, lastTime.Add(-1), time.Minute, nil},
		{"exp at the end of time, now too", clockskew.Times{Expiry: lastTime}, lastTime, 0, clockskew.ErrExpired},
		{"exp at the end of time, now too, with tolerance", clockskew.Times{Expiry: lastTime}, lastTime, time.Nanosecond, nil},
		{"exp at the start of time", clockskew.Times{Expiry: firstTime}, at(0), time.Minute, clockskew.ErrExpired},
		{"nbf at the end of time", clockskew.Times{Expiry: lastTime, NotBefore: lastTime}, at(0), time.Minute, clockskew.ErrNotYetValid},
		{"iat at the end of time", clockskew.Times{Expiry: lastTime, IssuedAt: lastTime}, at(0), time.Minute, clockskew.ErrIssuedInFuture},
		{"all of time", clockskew.Times{Expiry: lastTime, NotBefore: lastTime}, firstTime, time.Minute, clockskew.ErrNotYetValid},
		{"nbf at the start of time", clockskew.Times{Expiry: at(9), NotBefore: firstTime}, at(0), 0, nil},
		{"nbf - tolerance before the start of time", clockskew.Times{Expiry: at(9), NotBefore: firstTime.Add(1)}, firstTime, time.Minute, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := clockskew.Check(tt.times, tt.now, tt.tolerance); got != tt.want {
				t.Errorf("Check(%v, %v, %v): got %v, want %v", tt.times, tt.now, tt.tolerance, got, tt.want)
			}
		})
	}
}

func TestCheckAge(t *testing.T) {
	tests := []struct {
		name      string
		issuedAt  time.Time
		now       time.Time
		maxAge    time.Duration
		tolerance time.Duration
		want      error
	}{
		{"young", at(0), at(10), time.Minute, 0, nil},
		{"no iat", time.Time{}, at(10), time.Minute, 0, clockskew.ErrNoIssuedAt},
		{"age equal to the maximum", at(0), at(60), time.Minute, 0, nil},
		{"1 ns older", at(0), at(60).Add(1), time.Minute, 0, clockskew.ErrTooOld},
		{"age equal to maximum + tolerance", at(0), at(90), time.Minute, 30 * time.Second, nil},
		{"1 ns older, with tolerance", at(0), at(90).Add(1), time.Minute, 30 * time.Second, clockskew.ErrTooOld},
		{"negative tolerance is none", at(0), at(60), time.Minute, -1, nil},
		{"negative tolerance is none, 1 ns older", at(0), at(60).Add(1), time.Minute, -time.Hour, clockskew.ErrTooOld},
		{"tolerance beyond the maximum is the maximum", at(0), at(660), time.Minute, time.Hour, nil},
		{"tolerance beyond the maximum is the maximum, 1 ns older", at(0), at(660).Add(1), time.Minute, time.Hour, clockskew.ErrTooOld},
		{"maximum 0, this instant", at(0), at(0), 0, 0, nil},
		{"maximum 0, 1 ns older", at(0), at(0).Add(1), 0, 0, clockskew.ErrTooOld},
		{"negative maximum", at(0), at(0), -1, time.Minute, clockskew.ErrTooOld},
		{"negative maximum, from the future", at(9), at(0), -1, time.Minute, clockskew.ErrTooOld},
		{"from the future", at(9), at(0), time.Minute, 0, nil},
		{"from the end of time", lastTime, at(0), time.Minute, 0, nil},
		{"from the start of time", firstTime, at(0), math.MaxInt64, clockskew.MaxTolerance, clockskew.ErrTooOld},
		{"all of time", firstTime, lastTime, math.MaxInt64, clockskew.MaxTolerance, clockskew.ErrTooOld},
		{"longest maximum and tolerance", at(0), at(10), math.MaxInt64, clockskew.MaxTolerance, nil},
		{"longest age that counts", at(0), at(0).Add(math.MaxInt64 - 1), math.MaxInt64 - 1, 0, nil},
		{"longest age, even if as much is allowed", at(0), at(0).Add(math.MaxInt64), math.MaxInt64, 0, clockskew.ErrTooOld},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := clockskew.CheckAge(tt.issuedAt, tt.now, tt.maxAge, tt.tolerance); got != tt.want {
				t.Errorf("CheckAge(%v, %v, %v, %v): got %v, want %v", tt.issuedAt, tt.now, tt.maxAge, tt.tolerance, got, tt.want)
			}
		})
	}
}

// instant is a Time together with its exact value in nanoseconds.
type instant struct {
	time  time.Time
	exact *big.Int
}

// randomInstant picks instants from all of Time, with many near each other and
// near the ends, where sums and differences overflow.
func randomInstant(r *rand.Rand) instant {
	var seconds int64
	switch r.IntN(4) {
	case 0:
		seconds = r.Int64() - r.Int64()
	case 1:
		seconds = math.MaxInt64 - r.Int64N(1300)
	case 2:
		seconds = math.MinInt64 + r.Int64N(1300)
	default:
		seconds = 64_000_000_000 + r.Int64N(1300)
	}
	nanos := r.Int64N(1e9)
	if r.IntN(2) == 0 {
		nanos = 0
	}
	exact := new(big.Int).Mul(big.NewInt(seconds), big.NewInt(1e9))
	return instant{extreme(seconds, nanos), exact.Add(exact, big.NewInt(nanos))}
}

func randomTolerance(r *rand.Rand) time.Duration {
	return []time.Duration{0, 1, time.Second, clockskew.DefaultTolerance, clockskew.MaxTolerance,
		time.Duration(r.Int64N(int64(clockskew.MaxTolerance)))}[r.IntN(6)]
}

// after reports whether a is after b + d, without any overflow.
func after(a, b instant, d time.Duration) bool {
	return a.exact.Cmp(new(big.Int).Add(b.exact, big.NewInt(int64(d)))) > 0
}

// TestCheckIsExact holds Check against the same comparisons on integers of any
// size.
func TestCheckIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[error]int{}
	for range 200_000 {
		exp, nbf, iat, now := randomInstant(r), randomInstant(r), randomInstant(r), randomInstant(r)
		tolerance := randomTolerance(r)
		if r.IntN(4) == 0 {
			now = exp
			now.time = now.time.Add(tolerance)
			now.exact = new(big.Int).Add(now.exact, big.NewInt(int64(tolerance)))
			if !now.time.Add(-tolerance).Equal(exp.time) {
				continue // beyond the end of Time
			}
		}
		var want error
		switch {
		case !after(exp, now, -tolerance):
			want = clockskew.ErrExpired
		case after(nbf, now, tolerance):
			want = clockskew.ErrNotYetValid
		case after(iat, now, tolerance):
			want = clockskew.ErrIssuedInFuture
		}
		times := clockskew.Times{Expiry: exp.time, NotBefore: nbf.time, IssuedAt: iat.time}
		got := clockskew.Check(times, now.time, tolerance)
		if got != want {
			t.Fatalf("Check(exp %v, nbf %v, iat %v, now %v, %v): got %v, want %v",
				exp.exact, nbf.exact, iat.exact, now.exact, tolerance, got, want)
		}
		seen[got]++
	}
	for _, outcome := range []error{nil, clockskew.ErrExpired, clockskew.ErrNotYetValid, clockskew.ErrIssuedInFuture} {
		if seen[outcome] < 1000 {
			t.Errorf("only %d cases ended with %v: the generator does not reach it", seen[outcome], outcome)
		}
	}
}

// TestCheckAgeIsExact does the same for CheckAge.
func TestCheckAgeIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	longest := big.NewInt(math.MaxInt64)
	seen := map[error]int{}
	for range 200_000 {
		iat, now := randomInstant(r), randomInstant(r)
		maxAge := []time.Duration{0, time.Minute, 20 * time.Minute, math.MaxInt64, time.Duration(r.Int64())}[r.IntN(5)]
		tolerance := randomTolerance(r)

		age := new(big.Int).Sub(now.exact, iat.exact)
		limit := new(big.Int).Add(big.NewInt(int64(maxAge)), big.NewInt(int64(tolerance)))
		var want error
		if age.Cmp(limit) > 0 || age.Cmp(longest) >= 0 {
			want = clockskew.ErrTooOld
		}
		got := clockskew.CheckAge(iat.time, now.time, maxAge, tolerance)
		if got != want {
			t.Fatalf("CheckAge(%v, %v, %v, %v): got %v, want %v", iat.exact, now.exact, maxAge, tolerance, got, want)
		}
		seen[got]++
	}
	for _, outcome := range []error{nil, clockskew.ErrTooOld} {
		if seen[outcome] < 1000 {
			t.Errorf("only %d cases ended with %v: the generator does not reach it", seen[outcome], outcome)
		}
	}
}

// TestLifeIsOneInterval states what a user relies on: as time goes by, a token
// becomes valid once and expires once.
func TestLifeIsOneInterval(t *testing.T) {
	var states []error
	for now := at(900); now.Before(at(1200)); now = now.Add(time.Second) {
		err := clockskew.Check(token, now, 5*time.Second)
		if len(states) == 0 || states[len(states)-1] != err {
			states = append(states, err)
		}
	}
	got, want := fmt.Sprint(states), fmt.Sprint([]error{clockskew.ErrNotYetValid, nil, clockskew.ErrExpired})
	if got != want {
		t.Errorf("states over time: got %v, want %v", got, want)
	}
}

func TestErrorsAreDistinct(t *testing.T) {
	all := []error{clockskew.ErrNoExpiry, clockskew.ErrExpired, clockskew.ErrNotYetValid,
		clockskew.ErrIssuedInFuture, clockskew.ErrNoIssuedAt, clockskew.ErrTooOld, clockskew.ErrNumericDate}
	for i, a := range all {
		for j, b := range all {
			if errors.Is(a, b) != (i == j) {
				t.Errorf("errors.Is(%v, %v): got %v", a, b, i != j)
			}
		}
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	for _, now := range []time.Time{at(0), at(1030), at(5000)} {
		if n := testing.AllocsPerRun(100, func() {
			_ = clockskew.Check(token, now, time.Minute)
			_ = clockskew.CheckAge(token.IssuedAt, now, time.Minute, time.Minute)
		}); n != 0 {
			t.Errorf("at %v: got %v allocations, want 0", now, n)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	now := at(1030)
	b.ReportAllocs()
	for b.Loop() {
		if err := clockskew.Check(token, now, time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}
