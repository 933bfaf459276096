package jwks

import (
	"math"
	"net/http"
	"testing"
	"time"
)

func TestNextDelay(t *testing.T) {
	plan := schedule{least: 5 * time.Minute, most: time.Hour}
	tests := []struct {
		name   string
		fresh  freshFor
		random float64
		want   time.Duration
	}{
		{"nothing said", freshFor{}, 0, time.Hour},
		{"nothing said, most jitter", freshFor{}, 0.999999999, time.Hour + 6*time.Minute},
		{"within the bounds", freshFor{20 * time.Minute, true}, 0, 20 * time.Minute},
		{"within the bounds, half the jitter", freshFor{20 * time.Minute, true}, 0.5, 21 * time.Minute},
		{"no-store", freshFor{0, true}, 0, 5 * time.Minute},
		{"just under the least", freshFor{5*time.Minute - 1, true}, 0, 5 * time.Minute},
		{"a year", freshFor{365 * 24 * time.Hour, true}, 0, time.Hour},
		{"for ever", freshFor{math.MaxInt64, true}, 0, time.Hour},
	}
	for _, test := range tests {
		if got := plan.next(test.fresh, test.random).Round(time.Microsecond); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestRetryDelay(t *testing.T) {
	tests := []struct {
		failures    int
		held        bool
		least, most time.Duration
	}{
		{1, false, 500 * time.Millisecond, time.Second},
		{2, false, time.Second, 2 * time.Second},
		{3, false, time.Second, 2 * time.Second},
		{1_000_000, false, time.Second, 2 * time.Second},
		{1, true, 500 * time.Millisecond, time.Second},
		{2, true, time.Second, 2 * time.Second},
		{5, true, 8 * time.Second, 16 * time.Second},
		{6, true, 15 * time.Second, 30 * time.Second},
		{1_000_000, true, 15 * time.Second, 30 * time.Second},
	}
	for _, test := range tests {
		least := schedule{}.retry(test.failures, test.held, 0)
		most := schedule{}.retry(test.failures, test.held, 1)
		if least != test.least || most != test.most {
			t.Errorf("%d failures, keys held %v: got %v to %v, want %v to %v", test.failures, test.held, least, most, test.least, test.most)
		}
	}
	if got := (schedule{least: 5 * time.Second, local: true}).retry(100, true, 1); got != 5*time.Second {
		t.Errorf("a file after 100 failures: got %v, want its 5s", got)
	}
}

func TestFreshness(t *testing.T) {
	received := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) string { return received.Add(d).Format(http.TimeFormat) }
	tests := []struct {
		name   string
		header http.Header
		want   time.Duration
		said   bool
	}{
		{"nothing", http.Header{}, 0, false},
		{"max-age", http.Header{"Cache-Control": {"public, max-age=600"}}, 10 * time.Minute, true},
		{"max-age in capitals, with spaces", http.Header{"Cache-Control": {" Public , MAX-AGE = 600 "}}, 10 * time.Minute, true},
		{"max-age in quotes", http.Header{"Cache-Control": {`max-age="600"`}}, 10 * time.Minute, true},
		{"two fields", http.Header{"Cache-Control": {"public", "max-age=600"}}, 10 * time.Minute, true},
		{"two max-age: the first", http.Header{"Cache-Control": {"max-age=600, max-age=60"}}, 10 * time.Minute, true},
		{"s-maxage is for others", http.Header{"Cache-Control": {"s-maxage=60"}}, 0, false},
		{"x-max-age is something else", http.Header{"Cache-Control": {"x-max-age=60"}}, 0, false},
		{"Age is deducted", http.Header{"Cache-Control": {"max-age=600"}, "Age": {"200"}}, 400 * time.Second, true},
		{"Age above max-age", http.Header{"Cache-Control": {"max-age=600"}, "Age": {"700"}}, 0, true},
		{"Age that is none", http.Header{"Cache-Control": {"max-age=600"}, "Age": {"-5"}}, 10 * time.Minute, true},
		{"no-store", http.Header{"Cache-Control": {"no-store"}}, 0, true},
		{"no-cache beats max-age", http.Header{"Cache-Control": {"max-age=600, no-cache"}}, 0, true},
		{"max-age=0", http.Header{"Cache-Control": {"max-age=0"}}, 0, true},
		{"negative max-age is none", http.Header{"Cache-Control": {"max-age=-1"}}, 0, false},
		{"max-age that is no number", http.Header{"Cache-Control": {"max-age=soon"}}, 0, false},
		{"max-age without a value", http.Header{"Cache-Control": {"max-age"}}, 0, false},
		{"max-age beyond int64", http.Header{"Cache-Control": {"max-age=99999999999999999999"}}, math.MaxInt64 / 4 / time.Second * time.Second, true},
		{"Expires", http.Header{"Expires": {at(time.Hour)}}, time.Hour, true},
		{"Expires against their Date", http.Header{"Expires": {at(3 * time.Hour)}, "Date": {at(2 * time.Hour)}}, time.Hour, true},
		{"Expires in the past", http.Header{"Expires": {at(-time.Hour)}}, 0, true},
		{"Expires in a far past, with an Age", http.Header{"Expires": {"Mon, 01 Jan 0001 00:00:00 GMT"}, "Age": {"1"}}, 0, true},
		{"Expires: 0", http.Header{"Expires": {"0"}}, 0, true},
		{"max-age beats Expires", http.Header{"Cache-Control": {"max-age=60"}, "Expires": {at(time.Hour)}}, time.Minute, true},
	}
	for _, test := range tests {
		got, said := freshness(test.header, received)
		if got != test.want || said != test.said {
			t.Errorf("%s: got %v, %v, want %v, %v", test.name, got, said, test.want, test.said)
		}
	}
}

// flood asks once per millisecond for as long as it lasts and returns when it
// was let through.
func flood(b *budget, start time.Time, lasts time.Duration) (taken []time.Duration) {
	for at := time.Duration(0); at <= lasts; at += time.Millisecond {
		now := start.Add(at)
		b.demand(now)
		if b.take(now) {
			b.done(false)
			taken = append(taken, at)
		}
	}
	return taken
}

func TestBudget(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	seconds := func(list ...int) []time.Duration {
		var ds []time.Duration
		for _, n := range list {
			ds = append(ds, time.Duration(n)*time.Second)
		}
		return ds
	}
	equal := func(t *testing.T, got, want []time.Duration) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		for i := range got {
			if got[i].Truncate(10*time.Millisecond) != want[i] {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	}

	t.Run("a flood", func(t *testing.T) {
		var b budget
		equal(t, flood(&b, start, 3*time.Minute), seconds(0, 0, 0, 5, 10, 15, 20, 25, 30, 35, 45, 65, 95, 125, 155))
	})
	t.Run("next says when", func(t *testing.T) {
		var b budget
		if got := b.next(start); got != start {
			t.Errorf("of a full budget: got %v, want now", got.Sub(start))
		}
		flood(&b, start, time.Second)
		if got := b.next(start.Add(time.Second)).Sub(start).Truncate(10 * time.Millisecond); got != 5*time.Second {
			t.Errorf("of an empty budget: got %v, want 5s", got)
		}
	})
	t.Run("a new key makes it whole", func(t *testing.T) {
		var b budget
		flood(&b, start, 2*time.Minute)
		b.done(true)
		equal(t, flood(&b, start.Add(2*time.Minute), 10*time.Second), seconds(0, 0, 0, 5, 10))
	})
	t.Run("quiet makes it forget", func(t *testing.T) {
		var b budget
		flood(&b, start, 2*time.Minute)
		later := start.Add(2*time.Minute + quietPeriod)
		equal(t, flood(&b, later, 10*time.Second), seconds(0, 0, 0, 5, 10))
	})
	t.Run("a little less than quiet does not", func(t *testing.T) {
		var b budget
		flood(&b, start, 2*time.Minute)
		later := start.Add(2*time.Minute + quietPeriod - time.Second)
		if got := flood(&b, later, 10*time.Second); len(got) > 2 {
			t.Errorf("got %v, want one per 30s and no burst", got)
		}
	})
	t.Run("it fills up while it is used slowly", func(t *testing.T) {
		var b budget
		for i := range 4 {
			now := start.Add(time.Duration(i) * 6 * time.Second)
			b.demand(now)
			if !b.take(now) {
				t.Fatalf("refused one in six seconds, the %d.", i+1)
			}
			b.done(false)
		}
		if b.spent > 1 {
			t.Errorf("%d are spent, want at most 1", b.spent)
		}
	})
	t.Run("it never holds more than the burst", func(t *testing.T) {
		var b budget
		flood(&b, start, 0)
		equal(t, flood(&b, start.Add(time.Hour), 4*time.Second), seconds(0, 0, 0))
	})
}

func TestAbsent(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := newAbsent(start)
	junk := slot{"junk", es256}
	at := func(d time.Duration) time.Time { return start.Add(d) }
	const never = -1 << 40
	step := func(now, lookedFor, sent time.Duration, want absence) {
		t.Helper()
		if got := a.ask(junk, at(now), at(lookedFor), at(sent)); got != want {
			t.Errorf("at %v, looked for at %v, asking since %v: got %v, want %v", now, lookedFor, sent, got, want)
		}
	}
	const ms, s = time.Millisecond, time.Second
	step(0, never, never, open)         // new
	step(1*ms, never, never, open)      // not looked for yet
	step(12*ms, never, 10*ms, underway) // now it is
	step(13*ms, never, never, open)     // that failed
	step(1*s, 10*ms, never, missing)    // looked for and not there
	step(4*s, 3*s, 4*s, missing)        // whatever else goes on
	step(5*s+20*ms, 3*s, never, open)   // its time is up
	step(6*s, 3*s, 5*s, open)           // and it has not been looked for since
	step(7*s, 6*s, never, missing)      // now it has: ten seconds this time
	step(15*s, 6*s, never, missing)     // still
	step(17*s, 6*s, never, open)        // up
	if got := a.ask(slot{"junk", es384}, at(7*s), at(6*s), at(never)); got != open {
		t.Errorf("the same kid with another algorithm is another key, got %v", got)
	}
	for now, misses := 18*s, 0; misses < 20; misses++ {
		a.ask(junk, at(now), at(now-s), at(never)) // found missing
		now += absentLonger + s
		if got := a.ask(junk, at(now), at(now-absentLonger), at(never)); got != open {
			t.Fatalf("after %d misses it is kept out for more than %v", misses, absentLonger)
		}
	}
	for i := range 100_000 {
		a.ask(slot{string(rune(i)) + "x", es256}, start, start, start)
	}
	if len(a.slots) != absentSlots {
		t.Errorf("it holds %d ids, want no more than %d", len(a.slots), absentSlots)
	}
}

func TestWishIsBounded(t *testing.T) {
	var w wish
	if !w.empty() || !w.met(&snapshot{}) {
		t.Error("the zero wish wants something")
	}
	for i := range 1000 {
		w.add(slot{string(rune('a' + i)), es256})
	}
	if len(w.keys) > 16 || w.empty() || w.met(&snapshot{}) {
		t.Errorf("got %d keys, empty %v, met %v", len(w.keys), w.empty(), w.met(&snapshot{}))
	}
}
