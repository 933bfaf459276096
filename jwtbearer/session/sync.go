package session

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// SyncEvent tells that a session is in use. It is what an application keeps
// where sessions are listed for users, or for an audit.
type SyncEvent struct {
	Issuer    string
	SessionID string
	Subject   string
	ClientID  string
	Tenant    string    // of the stored session, else of the token
	Address   string    // the client's address; empty when unknown
	At        time.Time // the access
}

// errNotDrained is returned by Close if the sink did not take all events in time.
var errNotDrained = errors.New("session: sync events were dropped: the sink did not take them in time")

// syncer hands sync events to a sink, off the path of requests.
type syncer struct {
	sink    func(context.Context, SyncEvent) error
	timeout time.Duration // of one call
	drain   time.Duration // of Close
	failed  func(error)

	queue  chan SyncEvent
	done   chan struct{} // closed when the goroutine has ended
	ctx    context.Context
	cancel context.CancelFunc

	closeMu sync.RWMutex // guards sends to queue against its closing
	closed  atomic.Bool  // written under closeMu

	sent, failures, dropped atomic.Uint64
}

func newSyncer(sink func(context.Context, SyncEvent) error, size int, timeout, drain time.Duration, failed func(error)) *syncer {
	s := &syncer{sink: sink, timeout: timeout, drain: drain, failed: failed,
		queue: make(chan SyncEvent, size), done: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	go s.run()
	return s
}

// takes reports whether events are wanted. A nil syncer takes none.
func (s *syncer) takes() bool { return s != nil && !s.closed.Load() }

// add never waits: an event that finds the queue full is dropped and counted.
func (s *syncer) add(e SyncEvent) {
	s.closeMu.RLock()
	defer s.closeMu.RUnlock()
	if !s.closed.Load() {
		select {
		case s.queue <- e:
			return
		default:
		}
	}
	s.dropped.Add(1)
}

func (s *syncer) run() {
	defer close(s.done)
	for e := range s.queue {
		if s.ctx.Err() != nil {
			s.dropped.Add(1)
			continue
		}
		if err := s.deliver(e); err != nil {
			s.failures.Add(1)
			s.failed(err)
			continue
		}
		s.sent.Add(1)
	}
}

func (s *syncer) deliver(e SyncEvent) (err error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			// The stack says where; what was panicked with may hold the event.
			err = fmt.Errorf("session: the sync sink panicked with a value of type %T: %s", p, debug.Stack())
		}
	}()
	return s.sink(ctx, e)
}

// close delivers what is queued, for as long as drain allows. A sink that
// ignores its context may still be running when close returns.
func (s *syncer) close() error {
	s.closeMu.Lock()
	if !s.closed.Swap(true) {
		close(s.queue)
	}
	s.closeMu.Unlock()

	defer s.cancel()
	timer := time.NewTimer(s.drain)
	defer timer.Stop()
	select {
	case <-s.done:
		return nil
	case <-timer.C:
	}
	s.cancel()
	// A sink that obeys its context ends now; one that does not is left behind.
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	select {
	case <-s.done:
	case <-grace.C:
	}
	return errNotDrained
}
