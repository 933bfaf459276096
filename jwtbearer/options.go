package jwtbearer

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

// NoClockSkew as [Options].ClockSkew means no tolerance at all.
const NoClockSkew time.Duration = -1

// Options are the options of [New]. The zero value, and a nil *Options, are the
// safe choice. A value must not be modified once it was passed to New; it may
// be used for several verifiers.
type Options struct {
	// MetadataURL is where to read the authority's metadata, if that is not the
	// well-known place under the issuer (OpenID Connect Discovery 1.0, Section
	// 4; RFC 8414, Section 3). The document's issuer must be the one given to
	// New all the same.
	MetadataURL string
	// JWKSURL is where to read the key set without any discovery, for an
	// authority that publishes nothing else. It excludes MetadataURL.
	JWKSURL string
	// InsecureAllowHTTP allows http for the addresses above and for what the
	// metadata names. Whoever sits between this host and the authority can then
	// put keys of his own in place and sign any token; it has no use but
	// development on one machine.
	InsecureAllowHTTP bool
	// HTTPClient fetches metadata and keys; it is where a private CA, a proxy
	// or credentials go. Nil means a client with bounded times that honours the
	// proxy environment.
	HTTPClient *http.Client
	// Keys, if not nil, is where the keys come from, instead of the fields
	// above and the three below, which must be zero then: a static key set, a
	// file, or a set that several verifiers share. Its issuer must be the one
	// given to New. It is not closed by [Verifier.Close].
	Keys *jwks.Set

	// MinRefreshInterval and MaxRefreshInterval bound what the authority's
	// Cache-Control asks for. Zero means 5 minutes and 1 hour, or what the other one
	// is where that is less or more; one second is the least. The longer one is also
	// how long a key that was withdrawn may stay in use.
	MinRefreshInterval time.Duration
	MaxRefreshInterval time.Duration
	// MaxStaleness is how long keys stay in use while the authority cannot be
	// reached. Zero means 24 hours, or twice MaxRefreshInterval if that is more,
	// which is the least. After it, answers are 503.
	MaxStaleness time.Duration

	// ClockSkew is how far exp, nbf and iat may be off. Zero means one minute;
	// [NoClockSkew] means none; ten minutes are the most. It is a tolerance and
	// not an interval between checks: with one minute, a token of 60 seconds is
	// accepted for 120.
	ClockSkew time.Duration
	// Algorithms are the signature algorithms that are accepted. Nil means RS,
	// PS and ES with 256, 384 and 512 bits, EdDSA and Ed25519. HMAC algorithms
	// and "none" cannot be listed.
	Algorithms []string
	// TokenTypes are the values of typ that are accepted; "" stands for a token
	// without one. They compare without regard to case and to a leading
	// "application/". Nil means "", "JWT" and "at+jwt".
	TokenTypes []string
	// RequireRFC9068 asks for the full JWT profile of access tokens: typ at+jwt,
	// and the claims iss, exp, aud, sub, client_id, iat and jti (RFC 9068,
	// Sections 2.2 and 4). It keeps ID tokens out even where their audience is
	// that of the API. TokenTypes must be nil then.
	RequireRFC9068 bool
	// AudienceNames maps an audience as named in [Verifier.Require] to the
	// values that this authority uses for it, such as Entra's api:// URI and
	// GUID. An audience that is not in it stands for itself; one that is, only if it
	// is among its values.
	AudienceNames map[string][]string
	// AudienceClaim is the claim that holds the audience. Empty means aud.
	// Amazon Cognito's access tokens have client_id instead.
	AudienceClaim string
	// RoleClaim is the path to the claim that [Role] looks at. Nil means
	// "roles". Keycloak has "realm_access", "roles".
	RoleClaim []string
	// SessionClaim is the claim that names the session. Empty means sid.
	SessionClaim string
	// InsecureAcceptBoundTokens accepts a token that is bound to a key or to a
	// certificate (RFC 7800; cnf) as if it were a bearer token. Who steals it
	// can then use it, which is what the binding is there to prevent; set it
	// only if something in front of this API checks the binding.
	InsecureAcceptBoundTokens bool

	// Checkers are asked about each token on every request, in order, after
	// everything else about the token was found to hold.
	Checkers []Checker
	// Introspector, if not nil, is asked about tokens that are no JWT, or one that
	// only the authority can read, since it is encrypted (RFC 7662). Its answer must
	// have exp, and the audience, which RFC 7662 leaves open. Without one they are
	// refused.
	Introspector Introspector

	// Cache bounds the memory of verified tokens.
	Cache CacheOptions

	// Realm is the realm of the challenges (RFC 9110, Section 11.5), in printable
	// ASCII without quote and backslash. Empty means none.
	Realm string
	// ErrorHandler writes the bodies of refusals. Status and the headers
	// WWW-Authenticate, Retry-After and Cache-Control are set before it is
	// called and cannot be changed by it: the status that is sent is the one
	// it is given. Nil means a problem+json body (RFC 9457). The err is for
	// logs and decisions, and its text is not for clients.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, status int, err error)
	// Logger gets what an operator must know. Nil means [slog.Default].
	// Refusals are logged at level debug, since callers decide how many there
	// are; use [Events] to log them otherwise.
	Logger *slog.Logger
	// Events are called as things happen. Nil means none.
	Events *Events
}

// CacheOptions bound the memory of verified tokens, which spares a repeated
// token its parsing and the checks of algorithm, issuer and signature, and nothing
// else: time, audience, rules and checkers are judged on every request. The tokens themselves are kept in
// memory, also for some time after they have expired, so whoever can read the
// memory of the process can read them.
type CacheOptions struct {
	// MaxEntries is how many tokens are remembered, at most 16,777,216. Zero
	// means 16,384. It is rounded down to a power of two, of at least 8. Where a
	// token can be is decided by its hash: twice as many as are in use at a time
	// are room for nearly all of them.
	MaxEntries int
	// MaxBytes is how much memory they may take. Zero means 32 MiB.
	MaxBytes int
	// Disabled turns the memory off; every token is verified every time.
	Disabled bool
}

// Events are functions that are called as things happen. Each may be nil. They
// are called synchronously on the goroutine of the request, several at a time:
// they must be fast and safe for concurrent use. A panic in one of them is a
// panic of the request, not a pass. r is the request, which must not be
// modified, or nil where a token was checked without one ([Policy.Verify]).
type Events struct {
	// Accepted is called for each request or token that was admitted, before
	// the handler. It is not called for the anonymous requests that
	// [Verifier.Optional] lets through. Middlewares that nest each call it.
	Accepted func(ctx context.Context, r *http.Request, token *Token)
	// Refused is called for each refusal, after the decision and before the
	// answer, and for each request that [Recheck] ends.
	Refused func(ctx context.Context, r *http.Request, err *Error)
	// Keys are called for what happens to the key set. Not used with
	// [Options].Keys, which has its own.
	Keys *jwks.Events
}

// Checker tells whether a token that is good in itself is still alive: whether
// the login behind it has ended, or the token was revoked. See package
// [github.com/bearerguard/bearerguard/jwtbearer/session].
type Checker interface {
	// CheckToken is called on every request, after signature, issuer, audience
	// and time were found to hold, with the context of the request. It returns
	// nil if the token is alive; an error that matches [ErrInvalidToken], such
	// as [ErrSessionEnded] or [ErrRevoked], to have it refused with 401; any
	// other error if that cannot be told now, which is answered by 503. r is
	// nil where a token is checked without a request ([Policy.Verify]), and
	// must not be modified. It must be safe for concurrent use.
	CheckToken(ctx context.Context, token *Token, r *http.Request) error
}

// Introspector asks the authority about an opaque token (RFC 7662). See package
// [github.com/bearerguard/bearerguard/jwtbearer/introspection].
type Introspector interface {
	// Introspect returns the JSON object that the authority answered for an
	// active token. It returns an error that matches [ErrInvalidToken] for one
	// that is not active, and any other error if that cannot be told now. It
	// must be safe for concurrent use and may cache, but no longer than the
	// token lives.
	Introspect(ctx context.Context, token string) ([]byte, error)
}
