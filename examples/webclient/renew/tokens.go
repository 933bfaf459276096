package renew

import (
	"context"
	"time"
)

// Tokens are what a session holds of the authority's answers. They are one
// value on purpose: an access token stored without the refresh token that came
// with it signs the person out at the next renewal. The JSON form has the names
// of RFC 6749, and times in UTC as RFC 3339 has them.
type Tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"` // empty: the session cannot be renewed
	IDToken      string `json:"id_token,omitempty"`

	// ObtainedAt is when the request for the tokens was sent, by this
	// machine's clock.
	ObtainedAt time.Time `json:"obtained_at,omitzero"`

	// ExpiresAt is when the access token expires, by this machine's clock. The
	// zero value means unknown: the token is renewed on a 401 only.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// NewTokens returns the Tokens of a token response to a request that was sent
// at sent; expiresIn is the lifetime the response tells, 0 or less if it tells
// none. The times are stored in UTC and without a monotonic clock reading, as
// they are meant to outlive the process.
func NewTokens(accessToken, refreshToken, idToken string, sent time.Time, expiresIn time.Duration) Tokens {
	t := Tokens{AccessToken: accessToken, RefreshToken: refreshToken, IDToken: idToken, ObtainedAt: sent.UTC().Round(0)}
	if expiresIn > 0 {
		t.ExpiresAt = t.ObtainedAt.Add(expiresIn)
	}
	return t
}

// String returns a constant, so that tokens printed by mistake stay secret.
func (Tokens) String() string { return "renew.Tokens{…}" }

// GoString returns the same as String.
func (t Tokens) GoString() string { return t.String() }

// Early returns how long before ExpiresAt the access token is renewed: early, or
// the last quarter of the token's life if that is shorter. With a token that
// lives for less than early, each request would renew it otherwise.
func (t Tokens) Early(early time.Duration) time.Duration {
	if life := t.ExpiresAt.Sub(t.ObtainedAt); !t.ObtainedAt.IsZero() && life > 0 {
		return min(early, life/4)
	}
	return early
}

// due reports whether the access token should be renewed at now.
func (t Tokens) due(now time.Time, early time.Duration) bool {
	if t.ExpiresAt.IsZero() || t.RefreshToken == "" {
		return false
	}
	return !now.Before(t.ExpiresAt.Add(-t.Early(early)))
}

// Store keeps the tokens of sessions. Its methods are called concurrently, and
// should return when their context is done.
//
// "Holds used" means that the session's access token is used.AccessToken. The
// comparison and the change must be one step, for instance under one lock or in
// one transaction: between the two, the person may sign out, or another process
// may have renewed the tokens.
type Store interface {
	// Load returns the tokens that the session holds now, or an error that
	// wraps ErrSessionEnded if there is no such session.
	Load(ctx context.Context, session string) (Tokens, error)

	// Replace puts renewed in the place of used, all fields at once, and
	// changes nothing else of the session: neither who is signed in nor when
	// the session ends. It returns an error that wraps ErrSessionEnded if there
	// is no such session, and one that wraps ErrReplaced, having changed
	// nothing, if the session does not hold used.
	Replace(ctx context.Context, session string, used, renewed Tokens) error

	// End removes the session, with the errors of Replace.
	End(ctx context.Context, session string, used Tokens) error
}
