package renew

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrSessionEnded means that the session is gone: the authority refused its
	// refresh token with invalid_grant, or the store does not know it. The
	// person has to sign in again.
	ErrSessionEnded = errors.New("renew: the session has ended")

	// ErrRefreshFailed means that the access token needed a renewal which did
	// not succeed for now. The session stays; a later request may succeed.
	ErrRefreshFailed = errors.New("renew: the refresh failed")

	// ErrReplaced is returned by a [Store] whose session holds other tokens
	// than the ones to replace.
	ErrReplaced = errors.New("renew: the tokens have been replaced")

	// ErrOtherOrigin is returned for a request that would carry the access
	// token to an origin other than Options.API.
	ErrOtherOrigin = errors.New("renew: the request is not for the API")

	// ErrNoRefreshToken is returned by [Renewer.Renew] for a session without a
	// refresh token: offline_access was not asked for, or not granted.
	ErrNoRefreshToken = errors.New("renew: the session has no refresh token")

	// ErrClosed is returned after [Renewer.Close] for a token that needs a
	// renewal.
	ErrClosed = errors.New("renew: the renewer is closed")
)

// Error is the typed error of a refresh that failed. It matches
// [ErrSessionEnded] or [ErrRefreshFailed], and never holds a token or text that
// the authority chose, unless a panic of the program's functions does.
type Error struct {
	// Kind is ErrSessionEnded or ErrRefreshFailed.
	Kind error
	// Step is what failed: "discovery", "token endpoint", "identity token" or
	// "store"; or "panic", of the Store, an HTTPClient, Check or an event
	// function, with its value as Cause.
	Step string
	// Code is the authority's error code (RFC 6749, Section 5.2), if it is one
	// of those that the RFC defines.
	Code string
	// Status is the HTTP status of the authority's answer, 0 if there was none.
	Status int
	// RetryAfter is how long the authority asks to wait, 0 if it does not.
	RetryAfter time.Duration
	// Cause is the error beneath, if there is one.
	Cause error
}

// Error describes the failure.
func (e *Error) Error() string {
	text := e.Kind.Error() + ": " + e.Step
	if e.Status != 0 {
		text += fmt.Sprintf(": status %d", e.Status)
	}
	if e.Code != "" {
		text += ": " + e.Code
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns Kind and Cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}
