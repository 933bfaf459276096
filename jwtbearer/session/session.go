// Package session tells whether the login behind a token is still alive.
//
// A signed, unexpired token says nothing about a user who signed out a minute
// ago. A [Checker] asks a [Store], on every request, whether the session named
// by the token still lives; [Revocations] refuses single tokens, and all tokens
// of a subject or of a client issued before an instant, for tokens that name no
// session. Both are a [jwtbearer.Checker]: they run after signature, issuer,
// audience and time hold.
//
//	sessions := session.NewMemory(nil)
//	checker, err := session.New(sessions, nil)
//	if err != nil { … }
//	defer checker.Close()
//	verifier, err := jwtbearer.New("https://id.example.com", &jwtbearer.Options{
//		Checkers: []jwtbearer.Checker{checker},
//	})
//
// # Who creates sessions
//
// By default a session that the store does not hold is gone, and its tokens are
// refused: this is right where the sign-in writes sessions to the store
// ([Store.Put]), because then a lost or cleaned-up session is an ended one. A
// resource server whose authority keeps its sessions to itself, and tells only
// of their end ([NewLogoutHandler]), sets [Options.AdoptUnknown]: a session is
// then recorded at the first genuine token that names it, and is gone only
// after it was revoked.
//
// # One process or several
//
// [Memory] keeps sessions in this process. Replicas share sessions through the
// store in the nested module
// github.com/bearerguard/bearerguard/jwtbearer/session/redisstore, or through
// any other [Store]; package sessiontest checks an implementation.
package session

import (
	"context"
	"errors"
	"strings"
	"time"
)

// The errors of stores. Any other error of a store means that the state of a
// session is unknown now.
var (
	// ErrEnded is returned by [Store.Put] for a session that was revoked:
	// session identifiers are not used twice.
	ErrEnded = errors.New("session: the session was ended before")
	// ErrNoKey is returned by [Store.Put] and [Store.Revoke] for a session without
	// an issuer or an identifier.
	ErrNoKey = errors.New("session: a session needs an issuer and an identifier")
	// ErrFull is returned by stores that have reached their bound.
	ErrFull = errors.New("session: the store is full")
	// ErrDataLost is returned by stores that have lost what they knew, or never
	// knew as much, so that the absence of a session or of a revocation means
	// nothing.
	ErrDataLost = errors.New("session: the store's memory does not reach back far enough: it is new or has lost its data, and must be initialized")
)

// Key names a session. A session identifier means something only together with
// the issuer that gave it (OpenID Connect Back-Channel Logout 1.0, Section 2.1).
type Key struct {
	Issuer string
	ID     string
}

func (k Key) incomplete() bool { return k.Issuer == "" || k.ID == "" }

func (k Key) clone() Key { return Key{strings.Clone(k.Issuer), strings.Clone(k.ID)} }

// Session is what a [Store] keeps about one session. Times are rounded to
// microseconds by stores outside this process.
type Session struct {
	Issuer string // required
	ID     string // required; the value of the token's session claim

	Subject  string // whose session it is, as its tokens say; needed by RevokeSubject and List
	ClientID string // the client that signed in; may be empty
	Tenant   string // handed on to sync events; may be empty
	Device   string // free text for those who list sessions; may be empty
	Address  string // the client's address at the last recorded access

	Created    time.Time // zero for Put: now
	LastAccess time.Time // zero for Put: now
	LastSync   time.Time // when the last sync event was claimed; zero for Put: Created
	Expires    time.Time // the session is gone at this instant; zero: never. A good value is the end of its refresh token.
}

// Key returns the name of the session.
func (s *Session) Key() Key { return Key{s.Issuer, s.ID} }

// Access is one use of a session, as [Store.Check] takes it.
type Access struct {
	Key     Key
	At      time.Time // the instant of the access
	Address string    // the client's address; empty when unknown

	// KeepAccess and SyncInterval are [Options.KeepAccess] and
	// [Options.SyncInterval], never zero. SyncInterval is the longest duration
	// there is if nobody here takes sync events: others who share the store may.
	KeepAccess, SyncInterval time.Duration

	// What the token says; empty or zero where it does not.
	Subject, ClientID, Tenant string
	IssuedAt                  time.Time

	// Adopt asks the store to create a session that it does not hold, or that
	// expired or was left idle, from what the token says, unless it was revoked.
	// An adopted session does not expire.
	Adopt bool
}

// State is the answer of [Store.Check]. The zero State is a session that is gone.
type State struct {
	Alive      bool
	LastAccess time.Time // as the store holds it after the check
	Expires    time.Time // as [Session.Expires]
	// Touched reports that this check, and no other, recorded the access.
	Touched bool
	// SyncDue reports that this check, and no other, claimed the sync event:
	// more than the sync interval had passed since the last one.
	SyncDue bool
	// Tenant is the session's tenant; a store need fill it only if SyncDue is set.
	Tenant string
}

// Store keeps sessions. All methods are safe for concurrent use, obey their
// context, and return an error only if they could not find out or do what was
// asked: an absent session is no error. Package sessiontest holds the
// conformance tests of the contract.
type Store interface {
	// Check tells whether a session lives, in one atomic step that costs a
	// remote store one round trip. If the session lives and more than
	// a.KeepAccess passed since its last access, the step also records the
	// access; if more than a.SyncInterval passed since its last sync, whether or
	// not the access is recorded, it moves the last sync to a.At and reports
	// SyncDue. Of any number of concurrent checks one does so. A revoked session is never
	// brought back: a store that forgets revocations after some time keeps one
	// for as long as checks go on that would adopt the session.
	Check(ctx context.Context, a Access) (State, error)

	// Put creates a session, or replaces what is stored of it. It returns an
	// error wrapping [ErrEnded] if the session was revoked, or [ErrNoKey].
	Put(ctx context.Context, s Session) error

	// Revoke ends sessions for good, also ones the store has not seen yet. When
	// it returns, no Check that begins afterwards reports them alive. Its error
	// wraps [ErrNoKey], and no session has ended, if a key lacks issuer or
	// identifier, as that of a token that names no session does.
	Revoke(ctx context.Context, keys ...Key) error

	// RevokeSubject ends all sessions of a subject but those whose identifiers
	// are in except, and returns how many it ended. Sessions unknown to the
	// store are not adopted afterwards from tokens issued until the instant until
	// or at it, nor from those that do not say when they were issued. It is meant
	// by the issuer's clock: time.Now, unless that is known to be behind. Of
	// several such instants the latest counts.
	RevokeSubject(ctx context.Context, issuer, subject string, until time.Time, except ...string) (int, error)

	// List returns the living sessions of a subject, in no particular order.
	List(ctx context.Context, issuer, subject string) ([]Session, error)
}

// Watcher is implemented by stores that push revocations. A [Checker] keeps
// verdicts in a local cache by default only in front of a Watcher.
type Watcher interface {
	// Watch registers functions to be called from now on, until stop is called.
	// They are called concurrently, must not block, and may still be called
	// once while stop runs.
	Watch(w Watch) (stop func())
}

// Watch are the functions that a [Watcher] calls. Nil functions are not called.
type Watch struct {
	// Ended is called for sessions that were revoked, by whichever replica.
	Ended func(keys ...Key)
	// Revoked is called after a [Revocation] was added, by whichever replica.
	Revoked func()
	// Connected is called with false when revocations by others may be missed
	// from now on, and with true when none will be missed from now on. A
	// watcher that calls it never is always connected; one that calls it with
	// false before Watch returns is not connected yet.
	Connected func(connected bool)
}

// idleTimeouter is implemented by stores that end idle sessions.
type idleTimeouter interface{ IdleTimeout() time.Duration }
