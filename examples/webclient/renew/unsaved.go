package renew

import (
	"context"
	"errors"
	"time"
)

const (
	// unsavedLifetime bounds how long renewed tokens wait for a store that
	// fails.
	unsavedLifetime = time.Hour
	// maxUnsaved bounds of how many sessions.
	maxUnsaved = 1000
)

// unsaved are renewed tokens that the store has not taken yet.
type unsaved struct {
	tokens Tokens
	until  time.Time
}

// save puts renewed in the place of old. Until the store has taken them they
// are kept in memory, and are what the next attempt saves: the refresh token
// that they replace is spent, and to send it again would end the session.
func (r *Renewer) save(ctx context.Context, session string, old, renewed Tokens) error {
	key := flightKey{session, old.AccessToken}
	r.keep(key, renewed)
	err := r.opts.Store.Replace(ctx, session, old, renewed)
	if err != nil {
		err = storeError(err)
	}
	if !errors.Is(err, ErrRefreshFailed) {
		r.forget(key)
	}
	return err
}

// keep keeps what came after the tokens of key, if there is room. Another
// attempt to save it does not make its time longer.
func (r *Renewer) keep(key flightKey, renewed Tokens) {
	r.flightMu.Lock()
	defer r.flightMu.Unlock()
	now := time.Now()
	r.sweep(now)
	held, ok := r.unsaved[key]
	if !ok {
		if len(r.unsaved) >= maxUnsaved {
			return
		}
		held.until = now.Add(unsavedLifetime)
	}
	held.tokens = renewed
	r.unsaved[key] = held
}

// kept returns what came after the tokens of key and waits to be saved.
func (r *Renewer) kept(key flightKey) (Tokens, bool) {
	r.flightMu.Lock()
	defer r.flightMu.Unlock()
	held, ok := r.unsaved[key]
	return held.tokens, ok && time.Now().Before(held.until)
}

func (r *Renewer) forget(key flightKey) {
	r.flightMu.Lock()
	defer r.flightMu.Unlock()
	delete(r.unsaved, key)
}

// sweep deletes what has had its time. The caller holds the lock.
func (r *Renewer) sweep(now time.Time) {
	for session, p := range r.pauses {
		if !now.Before(p.until) {
			delete(r.pauses, session)
		}
	}
	for key, held := range r.unsaved {
		if !now.Before(held.until) {
			delete(r.unsaved, key)
		}
	}
}
