package renew

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// maxPause bounds what a Retry-After of the authority can cause.
	maxPause = 30 * time.Second
	// storeTimeout bounds the writing of renewed tokens. It is no part of
	// Options.Timeout: an answer that came in the last moment must be stored,
	// since the refresh token it replaces may be worthless already.
	storeTimeout = 5 * time.Second
	// patience is how long after its beginning a request waits for the refresh
	// of a token that has not expired yet.
	patience = 2 * time.Second
)

// errGoesOn ends the wait for a refresh that has not ended itself.
var errGoesOn = errors.New("renew: the refresh goes on")

// flightKey names a refresh that requests share. The token belongs to it: a
// request that was refused with an older token than the others must not be told
// "renewed" when what it joins is somebody else's refresh of a newer one.
type flightKey struct{ session, accessToken string }

type flight struct {
	began  time.Time
	done   chan struct{} // closed when the fields below are set
	tokens Tokens
	err    error
}

// pause is a failed refresh and until when its error answers for the next.
type pause struct {
	until time.Time
	err   error
}

// Renew returns the tokens of the session that come after used, the ones a
// request was, or would have been, sent with: those that the session holds by
// now if they are others, renewed ones if not. Concurrent calls for the same
// tokens share one refresh. The refresh goes on when ctx ends, bounded by
// Options.Timeout; the call returns then with the cause of ctx.
//
// The error matches [ErrSessionEnded], [ErrRefreshFailed], [ErrNoRefreshToken]
// or [ErrClosed], or is the Store's or the cause of ctx.
func (r *Renewer) Renew(ctx context.Context, session string, used Tokens) (Tokens, error) {
	f, err := r.join(ctx, session, used)
	if err != nil {
		return Tokens{}, err
	}
	return f.wait(ctx)
}

// renewEarly is Renew for tokens that are due. While the access token has not
// expired, an authority that hangs must not make a request slow, nor have it
// sent with a token that expired meanwhile: the wait ends with errGoesOn before
// half of what is left of the token's life is over.
func (r *Renewer) renewEarly(ctx context.Context, session string, used Tokens) (Tokens, error) {
	f, err := r.join(ctx, session, used)
	if err != nil {
		return Tokens{}, err
	}
	if left := time.Until(used.ExpiresAt); left > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, f.began.Add(min(patience, left/2)), errGoesOn)
		defer cancel()
	}
	return f.wait(ctx)
}

// join returns the refresh of used that is under way, or begins it.
func (r *Renewer) join(ctx context.Context, session string, used Tokens) (*flight, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // nobody would wait for it
	}
	key := flightKey{session, used.AccessToken}
	r.flightMu.Lock()
	defer r.flightMu.Unlock()
	f := r.flights[key]
	if f == nil {
		if r.closed {
			return nil, ErrClosed
		}
		f = &flight{began: time.Now(), done: make(chan struct{})}
		r.flights[key] = f
		// The values of ctx (a trace, say) serve the refresh; its end does not
		// concern the others who wait.
		shared := context.WithoutCancel(ctx)
		r.running.Go(func() {
			f.tokens, f.err = r.renew(shared, session, used)
			r.flightMu.Lock()
			delete(r.flights, key)
			r.flightMu.Unlock()
			close(f.done)
		})
	}
	return f, nil
}

func (f *flight) wait(ctx context.Context) (Tokens, error) {
	select {
	case <-f.done:
		return f.tokens, f.err
	case <-ctx.Done():
		return Tokens{}, context.Cause(ctx)
	}
}

// renew is the one refresh that all callers of a flight wait for.
func (r *Renewer) renew(parent context.Context, session string, used Tokens) (_ Tokens, err error) {
	defer func() {
		// Functions of the program run here on a goroutine of ours, where a
		// panic would end the process.
		if v := recover(); v != nil {
			err = &Error{Kind: ErrRefreshFailed, Step: "panic", Cause: fmt.Errorf("%v", v)}
			r.settle(session, err)
		}
	}()
	ctx, cancel := context.WithTimeout(parent, r.opts.Timeout)
	defer cancel()
	old, err := r.opts.Store.Load(ctx, session)
	if err != nil {
		return Tokens{}, err
	}
	if old.AccessToken != used.AccessToken {
		return old, nil // the request comes late: somebody has renewed it since
	}
	if old.RefreshToken == "" {
		return Tokens{}, ErrNoRefreshToken
	}
	if err := r.paused(session); err != nil {
		return Tokens{}, err
	}

	renewed, saving := r.kept(flightKey{session, old.AccessToken})
	if !saving {
		renewed, err = r.refresh(ctx, session, old)
	}
	write, cancelWrite := context.WithTimeout(parent, storeTimeout)
	defer cancelWrite()
	if err == nil {
		err = r.save(write, session, old, renewed)
	} else if errors.Is(err, ErrSessionEnded) {
		r.forget(flightKey{session, old.AccessToken})
		if endErr := r.opts.Store.End(write, session, old); endErr != nil && !errors.Is(endErr, ErrSessionEnded) {
			err = storeError(endErr)
		}
	}
	if errors.Is(err, ErrReplaced) {
		// A new sign-in, or another process that shares the store, was faster.
		return r.opts.Store.Load(write, session)
	}

	r.settle(session, err)
	if err != nil {
		if r.opts.Events.Failed != nil {
			r.opts.Events.Failed(parent, session, err)
		}
		return Tokens{}, err
	}
	if r.opts.Events.Renewed != nil {
		r.opts.Events.Renewed(parent, session, old, renewed)
	}
	if saving && renewed.due(time.Now(), r.opts.Early) && renewed.AccessToken != used.AccessToken {
		// They waited for the store for so long. A flight of their own, as
		// somebody else may be renewing them already.
		return r.Renew(parent, session, renewed)
	}
	return renewed, nil
}

// refresh reads discovery, posts the grant and returns the tokens to store.
func (r *Renewer) refresh(ctx context.Context, session string, old Tokens) (Tokens, error) {
	meta, err := r.discover(ctx)
	if err != nil {
		return Tokens{}, err
	}
	sent := time.Now() // before the request: too early an expiry is harmless, too late a one is not
	answer, err := r.post(ctx, meta, old.RefreshToken)
	if err != nil {
		return Tokens{}, err
	}
	renewed := NewTokens(answer.AccessToken, answer.RefreshToken, answer.IDToken, sent, time.Duration(answer.ExpiresIn)*time.Second)
	if renewed.RefreshToken == "" {
		renewed.RefreshToken = old.RefreshToken
	}
	if renewed.IDToken == "" {
		renewed.IDToken = old.IDToken
	}
	if r.opts.Check != nil {
		// Should Check panic, the next attempt stores the rest.
		unchecked := renewed
		unchecked.IDToken = old.IDToken
		r.keep(flightKey{session, old.AccessToken}, unchecked)
		if err := r.opts.Check(ctx, session, old, renewed); errors.Is(err, ErrSessionEnded) {
			return Tokens{}, &Error{Kind: ErrSessionEnded, Step: "identity token", Cause: err}
		} else if err != nil {
			renewed.IDToken = old.IDToken
		}
	}
	return renewed, nil
}

// paused returns the error of the session's last refresh while its pause lasts.
func (r *Renewer) paused(session string) error {
	r.flightMu.Lock()
	defer r.flightMu.Unlock()
	if p, ok := r.pauses[session]; ok && time.Now().Before(p.until) {
		return p.err
	}
	return nil
}

// settle remembers how a refresh ended.
func (r *Renewer) settle(session string, err error) {
	r.flightMu.Lock()
	defer r.flightMu.Unlock()
	now := time.Now()
	r.sweep(now)
	if err == nil || errors.Is(err, ErrSessionEnded) {
		delete(r.pauses, session)
		return
	}
	length := r.opts.Pause
	if e, ok := errors.AsType[*Error](err); ok {
		length = max(length, min(e.RetryAfter, maxPause))
	}
	r.pauses[session] = pause{now.Add(length), err}
}

// storeError leaves the store's verdicts on the session as they are and makes
// everything else a failed refresh.
func storeError(err error) error {
	if errors.Is(err, ErrSessionEnded) || errors.Is(err, ErrReplaced) {
		return err
	}
	return &Error{Kind: ErrRefreshFailed, Step: "store", Cause: err}
}

// failed is a refresh that did not succeed for now.
func failed(step string, resp *http.Response, cause error) *Error {
	e := &Error{Kind: ErrRefreshFailed, Step: step, Cause: cause}
	if resp != nil {
		e.Status = resp.StatusCode
		e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	return e
}
