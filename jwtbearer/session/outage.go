package session

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// outage says in the log when a store goes away and when it comes back, and
// not once for each request between.
type outage struct {
	what   string
	logger *slog.Logger // nil: slog.Default at the time of use
	last   atomic.Int64 // when the log last spoke of failure; 0: the store is there
}

// every is the distance between two log entries of one outage.
const every = 30 * time.Second

func (o *outage) log() *slog.Logger {
	if o.logger != nil {
		return o.logger
	}
	return slog.Default()
}

func (o *outage) failed(ctx context.Context, err error, passed bool) {
	now := time.Now().UnixNano()
	last := o.last.Load()
	if last != 0 && now-last < int64(every) || !o.last.CompareAndSwap(last, now) {
		return
	}
	effect := "requests are answered 503"
	if passed {
		effect = "requests pass unchecked"
	}
	o.log().ErrorContext(ctx, "session: "+o.what+" cannot be asked; "+effect, "error", err)
}

func (o *outage) succeeded(ctx context.Context) {
	if last := o.last.Load(); last != 0 && o.last.CompareAndSwap(last, 0) {
		o.log().InfoContext(ctx, "session: "+o.what+" can be asked again")
	}
}
