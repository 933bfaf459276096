package redisstore

import (
	"sync"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// watchers are those in this process who asked to be told.
type watchers struct {
	// mu also orders the calls of Connected, which is why it is held during them.
	mu        sync.Mutex
	list      map[int]session.Watch
	next      int
	connected bool
}

// Watch implements [session.Watcher].
func (s *Store) Watch(watch session.Watch) (stop func()) {
	w := &s.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.list == nil {
		w.list = make(map[int]session.Watch)
	}
	id := w.next
	w.next++
	w.list[id] = watch
	if watch.Connected != nil {
		watch.Connected(w.connected)
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.list, id)
	}
}

func (w *watchers) setConnected(connected bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.connected == connected {
		return
	}
	w.connected = connected
	for _, watch := range w.list {
		if watch.Connected != nil {
			watch.Connected(connected)
		}
	}
}

func (w *watchers) isConnected() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.connected
}

func (w *watchers) all() []session.Watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]session.Watch, 0, len(w.list))
	for _, watch := range w.list {
		list = append(list, watch)
	}
	return list
}

func (w *watchers) ended(keys ...session.Key) {
	for _, watch := range w.all() {
		if watch.Ended != nil && len(keys) > 0 {
			watch.Ended(keys...)
		}
	}
}

func (w *watchers) revoked() {
	for _, watch := range w.all() {
		if watch.Revoked != nil {
			watch.Revoked()
		}
	}
}
