package session

import "sync"

// watchers are those who asked a store in this process to be told. The zero
// value is ready for use.
type watchers struct {
	mu   sync.RWMutex // not held while a watcher is called
	list map[int]Watch
	next int
}

func (w *watchers) add(watch Watch) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.list == nil {
		w.list = make(map[int]Watch)
	}
	id := w.next
	w.next++
	w.list[id] = watch
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.list, id)
	}
}

func (w *watchers) all() []Watch {
	w.mu.RLock()
	defer w.mu.RUnlock()
	list := make([]Watch, 0, len(w.list))
	for _, watch := range w.list {
		list = append(list, watch)
	}
	return list
}

func (w *watchers) ended(keys ...Key) {
	if len(keys) == 0 {
		return
	}
	for _, watch := range w.all() {
		if watch.Ended != nil {
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
