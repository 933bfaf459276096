package clockskew_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
)

// A token of one minute, checked with a tolerance of one minute, is good for
// two minutes: the tolerance is no interval between checks.
func ExampleCheck() {
	issued := time.Date(2030, time.May, 1, 12, 0, 0, 0, time.UTC)
	times := clockskew.Times{IssuedAt: issued, Expiry: issued.Add(time.Minute)}

	for _, after := range []time.Duration{30 * time.Second, 90 * time.Second, 2 * time.Minute} {
		err := clockskew.Check(times, issued.Add(after), clockskew.DefaultTolerance)
		fmt.Println(after, err)
	}
	// Output:
	// 30s <nil>
	// 1m30s <nil>
	// 2m0s clockskew: expired
}

func ExampleCheckAge() {
	issued := time.Date(2030, time.May, 1, 12, 0, 0, 0, time.UTC)
	now := issued.Add(10 * time.Minute)

	err := clockskew.CheckAge(issued, now, 5*time.Minute, clockskew.DefaultTolerance)
	fmt.Println(errors.Is(err, clockskew.ErrTooOld))
	// Output: true
}

func ExampleParseNumericDate() {
	for _, number := range []string{"1300819380", "1300819380.25", "1300819380000"} {
		date, err := clockskew.ParseNumericDate(number)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(date.Format(time.RFC3339Nano))
	}
	// Output:
	// 2011-03-22T18:43:00Z
	// 2011-03-22T18:43:00.25Z
	// clockskew: not a NumericDate: outside the years 1 to 9999 (seconds are expected, not milliseconds)
}

func ExampleMeter() {
	var meter clockskew.Meter
	sent := time.Date(2030, time.May, 1, 12, 0, 0, 0, time.UTC)
	for range 2 {
		// Both instants by our clock; the date is the Date header of the response.
		meter.Observe(sent, sent.Add(time.Second), sent.Add(3*time.Minute))
		sent = sent.Add(time.Hour)
	}
	offset := meter.Offset()
	fmt.Printf("the authority is ahead by %v, give or take %v\n", offset.Ahead, offset.Error)
	fmt.Println("wrong:", meter.Wrong(clockskew.DefaultTolerance))
	// Output:
	// the authority is ahead by 3m0s, give or take 1.5s
	// wrong: true
}
