package jwks

import "errors"

// Errors that callers tell apart with [errors.Is].
var (
	// ErrUnavailable: the keys cannot be had now, which is not the token's
	// fault. The error that wraps it says why, without any secret.
	ErrUnavailable = errors.New("jwks: keys unavailable")
	// ErrKeyNotFound: the set is good and has no such key, or a refresh that
	// could bring it is not due yet.
	ErrKeyNotFound = errors.New("jwks: key not found")
	// ErrClosed: the set was closed. It also matches [ErrUnavailable].
	ErrClosed error = closedError{}
)

type closedError struct{}

func (closedError) Error() string        { return "jwks: closed" }
func (closedError) Is(target error) bool { return target == ErrUnavailable }

// unavailable is the cause of an outage, ready to be handed out: it is made
// once per failed refresh and not once per request.
type unavailable struct{ cause error }

func (e *unavailable) Error() string   { return ErrUnavailable.Error() + ": " + e.cause.Error() }
func (e *unavailable) Unwrap() []error { return []error{ErrUnavailable, e.cause} }

// gaveUp is what a caller gets whose own context ended while it waited.
type gaveUp struct {
	ctx  error // of the caller's context
	last error // of the last refresh, nil if there was none
}

func (e *gaveUp) Error() string {
	text := ErrUnavailable.Error() + ": " + e.ctx.Error() + " while waiting for a refresh"
	if e.last != nil {
		text += " (the one before failed: " + e.last.Error() + ")"
	}
	return text
}

func (e *gaveUp) Unwrap() []error {
	if e.last != nil {
		return []error{ErrUnavailable, e.ctx, e.last}
	}
	return []error{ErrUnavailable, e.ctx}
}

var (
	errNotFetched = &unavailable{errors.New("not fetched yet")}
	errTooSlow    = &unavailable{errors.New("the refresh under way takes too long")}
	errStale      = errors.New("the last good key set is too old")
)
