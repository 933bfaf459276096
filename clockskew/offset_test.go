package clockskew_test

import (
	"math"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/bearerguard/bearerguard/clockskew"
)

// lastDate is the last that a Date header can hold.
var lastDate = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

func TestMeterOffset(t *testing.T) {
	tests := []struct {
		name                 string
		sent, received, date time.Time
		ahead, margin        time.Duration
	}{
		{"same clock", at(100.5), at(100.5), at(100), 0, time.Second},
		{"round trip", at(100), at(102), at(100), -500 * time.Millisecond, 2 * time.Second},
		{"authority ahead", at(100), at(101), at(130), 30 * time.Second, 1500 * time.Millisecond},
		{"authority behind", at(100), at(101), at(70), -30 * time.Second, 1500 * time.Millisecond},
		{"longest exchange", at(100), at(160), at(130), 500 * time.Millisecond, 31 * time.Second},
		{"our clock is at its start", time.Unix(0, 500_000_000), time.Unix(1, 500_000_000), time.Unix(1_900_000_000, 0), 1_900_000_000*time.Second - 500*time.Millisecond, 1500 * time.Millisecond},
		{"last date", lastDate, lastDate, lastDate, 500 * time.Millisecond, time.Second},
		{"first date", time.Unix(0, 0), time.Unix(0, 0), time.Unix(0, 0), 500 * time.Millisecond, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m clockskew.Meter
			m.Observe(tt.sent, tt.received, tt.date)
			want := clockskew.Offset{Ahead: tt.ahead, Error: tt.margin, At: tt.received}
			if got := m.Offset(); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestMeterIgnores(t *testing.T) {
	tests := []struct {
		name                 string
		sent, received, date time.Time
	}{
		{"no date", at(100), at(101), time.Time{}},
		{"no sent", time.Time{}, at(101), at(100)},
		{"no received", at(100), time.Time{}, at(100)},
		{"received before sent", at(101), at(101).Add(-1), at(100)},
		{"more than a minute", at(100), at(160).Add(1), at(100)},
		{"date before 1970", at(100), at(101), time.Unix(-1, 0)},
		{"date after 9999", lastDate, lastDate, lastDate.Add(time.Second)},
		{"offset beyond a Duration", at(100), at(101), lastDate},
		{"offset beyond a Duration, behind", lastDate, lastDate, time.Unix(0, 0)},
		{"end of time", lastTime, lastTime, lastTime},
		{"start of time", firstTime, firstTime, firstTime},
		{"all of time", firstTime, lastTime, at(100)},
		{"all of time, backwards", lastTime, firstTime, at(100)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m clockskew.Meter
			m.Observe(at(10), at(10), at(10))
			want := m.Offset()
			if want == (clockskew.Offset{}) {
				t.Fatal("the sample that must count does not")
			}
			m.Observe(tt.sent, tt.received, tt.date)
			if got := m.Offset(); got != want {
				t.Errorf("got %+v, want it ignored: %+v", got, want)
			}
		})
	}
}

// tick returns t with its monotonic reading alone moved on by d, as if the wall
// clock had been set back by d since. The time package has no such function, so
// this one reaches into the value and checks that it got what it wanted.
func tick(tb testing.TB, t time.Time, d time.Duration) time.Time {
	tb.Helper()
	moved := t
	(*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&moved)).ext += int64(d)
	if moved.Sub(t) != d || !moved.Round(0).Equal(t.Round(0)) {
		tb.Fatal("a time.Time is not laid out as this test believes")
	}
	return moved
}

// TestMeterIgnoresASetClock has the wall clock of this host set between request
// and response.
func TestMeterIgnoresASetClock(t *testing.T) {
	sent := time.Now()
	tests := []struct {
		name       string
		trip, wall time.Duration // how long the exchange took, by either clock
		want       bool          // counts
	}{
		{"not set", 2 * time.Second, 2 * time.Second, true},
		{"slewed forward", 2 * time.Second, 3 * time.Second, true},
		{"slewed back", 2 * time.Second, time.Second, true},
		{"set forward", 2 * time.Second, 3*time.Second + 1, false},
		{"set back", 2 * time.Second, time.Second - 1, false},
		{"set to before the request", 2 * time.Second, -time.Hour, false},
		{"set far forward", 2 * time.Second, 30 * 365 * 24 * time.Hour, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			received := tick(t, sent.Add(tt.wall), tt.trip-tt.wall)
			var m clockskew.Meter
			m.Observe(sent, received, sent.Truncate(time.Second))
			if got := !m.Offset().At.IsZero(); got != tt.want {
				t.Errorf("took %v, %v by the wall clock: counts %v, want %v", tt.trip, tt.wall, got, tt.want)
			}
		})
	}
}

func TestMeterWrong(t *testing.T) {
	type sample struct {
		ahead time.Duration // what Offset will say
		trip  time.Duration
	}
	observe := func(m *clockskew.Meter, s sample) {
		sent := at(1000)
		m.Observe(sent, sent.Add(s.trip), sent.Add(s.trip/2+s.ahead-500*time.Millisecond))
	}
	const far = 2 * time.Minute
	tests := []struct {
		name      string
		tolerance time.Duration
		samples   []sample
		want      bool
	}{
		{"none", 0, nil, false},
		{"one", 0, []sample{{far, 0}}, false},
		{"two", 0, []sample{{far, 0}, {far, 0}}, true},
		{"two, behind", 0, []sample{{-far, 0}, {-far, 0}}, true},
		{"good then bad", 0, []sample{{0, 0}, {far, 0}}, false},
		{"bad then good", 0, []sample{{far, 0}, {0, 0}}, false},
		{"bad, good, bad", 0, []sample{{far, 0}, {0, 0}, {far, 0}}, false},
		{"good, bad, bad", 0, []sample{{0, 0}, {far, 0}, {far, 0}}, true},
		{"bad, bad, good", 0, []sample{{far, 0}, {far, 0}, {0, 0}}, false},

		{"at 5 s", 0, []sample{{6 * time.Second, 0}, {6 * time.Second, 0}}, false},
		{"beyond 5 s", 0, []sample{{6*time.Second + 1, 0}, {6*time.Second + 1, 0}}, true},
		{"5 s is the least", time.Second, []sample{{6 * time.Second, 0}, {6 * time.Second, 0}}, false},
		{"negative tolerance", -1, []sample{{6*time.Second + 1, 0}, {6*time.Second + 1, 0}}, true},
		{"at the tolerance", time.Minute, []sample{{61 * time.Second, 0}, {61 * time.Second, 0}}, false},
		{"beyond the tolerance", time.Minute, []sample{{61*time.Second + 1, 0}, {61*time.Second + 1, 0}}, true},
		{"beyond the tolerance, behind", time.Minute, []sample{{-61*time.Second - 1, 0}, {-61*time.Second - 1, 0}}, true},
		{"first at the tolerance", time.Minute, []sample{{61 * time.Second, 0}, {61*time.Second + 1, 0}}, false},

		{"within a slow exchange", 0, []sample{{16 * time.Second, 20 * time.Second}, {16 * time.Second, 20 * time.Second}}, false},
		{"beyond a slow exchange", 0, []sample{{16*time.Second + 1, 20 * time.Second}, {16*time.Second + 1, 20 * time.Second}}, true},
		{"one of them slow", 0, []sample{{16 * time.Second, 0}, {16 * time.Second, 20 * time.Second}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m clockskew.Meter
			for _, s := range tt.samples {
				observe(&m, s)
				if got := m.Offset(); got.Ahead != s.ahead || got.Error != s.trip/2+time.Second {
					t.Fatalf("the sample is not what the row says: got %+v, want %+v", got, s)
				}
			}
			if got := m.Wrong(tt.tolerance); got != tt.want {
				t.Errorf("Wrong(%v): got %v, want %v", tt.tolerance, got, tt.want)
			}
		})
	}
}

func TestMeterWrongCountsNoIgnoredSample(t *testing.T) {
	var m clockskew.Meter
	m.Observe(at(0), at(1), at(500))
	m.Observe(at(1), at(0), at(500))
	if m.Wrong(0) {
		t.Error("an impossible sample made the clock wrong")
	}
	m.Observe(at(1), at(2), at(500))
	if !m.Wrong(0) {
		t.Error("an impossible sample between two bad ones counted as a good one")
	}
	if m.Wrong(math.MaxInt64) {
		t.Error("wrong beyond the greatest tolerance")
	}
}

func TestMeterConcurrently(t *testing.T) {
	var m clockskew.Meter
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				now := at(float64(i))
				m.Observe(now, now, now.Add(time.Hour-500*time.Millisecond))
				if got := m.Offset(); got.Ahead != time.Hour || got.Error != time.Second {
					t.Errorf("got %+v, a mixture of measurements", got)
				}
				m.Wrong(time.Minute)
			}
		})
	}
	wg.Wait()
	if !m.Wrong(time.Minute) {
		t.Error("got a right clock after 1,600 measurements an hour off")
	}
}
