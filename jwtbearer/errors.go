package jwtbearer

import (
	"errors"
	"log/slog"
	"strings"
)

// The classes of failure. Every error that this package returns for a request
// or a token matches exactly one of them with [errors.Is], and the class alone
// decides the status of the answer.
var (
	// ErrNoToken: the request carries no bearer token. Answered by 401 and a
	// challenge without an error code (RFC 6750, Section 3.1).
	ErrNoToken = errors.New("jwtbearer: no token")
	// ErrInvalidRequest: the request carries a token in a form that RFC 6750
	// does not allow. Answered by 400 invalid_request.
	ErrInvalidRequest = errors.New("jwtbearer: invalid request")
	// ErrInvalidToken: the token is not acceptable. Answered by 401
	// invalid_token.
	ErrInvalidToken = errors.New("jwtbearer: invalid token")
	// ErrInsufficientScope: the token is good, and does not allow this.
	// Answered by 403 insufficient_scope.
	ErrInsufficientScope = errors.New("jwtbearer: insufficient scope")
	// ErrUnavailable: whether the token is good cannot be told now, which is
	// not the token's fault. Answered by 503 with Retry-After.
	ErrUnavailable = errors.New("jwtbearer: unavailable")
)

// Reason is why a request or a token was refused. The reasons are constants of
// this package (ErrExpired and the others below); each is an error, matches its
// class with [errors.Is], and its description is the error_description that the
// client gets, so that nothing of a token is ever in an answer.
type Reason struct {
	class       error
	name        string
	description string
}

// Error returns the description with the package's prefix.
func (r *Reason) Error() string { return "jwtbearer: " + r.description }

// String returns the short name of the reason, such as "expired". It is stable,
// and fit for the label of a metric.
func (r *Reason) String() string { return r.name }

// LogValue returns the short name.
func (r *Reason) LogValue() slog.Value { return slog.StringValue(r.name) }

// Unwrap returns the class of the reason.
func (r *Reason) Unwrap() error {
	if r == nil { // what a hook returned by mistake is looked into
		return nil
	}
	return r.class
}

// The reasons of [ErrNoToken] and [ErrInvalidRequest].
var (
	errNoToken = &Reason{ErrNoToken, "no_token", "no bearer token was sent"}

	// ErrSeveralTokens: several Authorization fields, a token in two places, or
	// a repeated parameter (RFC 6750, Section 3.1).
	ErrSeveralTokens = &Reason{ErrInvalidRequest, "several_tokens", "more than one token was sent"}
	// ErrMalformedCredentials: the scheme without a token, or with something
	// that is no token68 (RFC 9110, Section 11.4), such as two tokens with a
	// comma.
	ErrMalformedCredentials = &Reason{ErrInvalidRequest, "malformed_credentials", "the credentials are malformed"}
	// ErrOversizedRequest: the cookies or the query, where the policy looks for a
	// token, are longer than 16 KiB, whether one is there or not.
	ErrOversizedRequest = &Reason{ErrInvalidRequest, "oversized_request", "the cookies or the query are too long"}
)

// The reasons of [ErrInvalidToken], in the order of the checks (of short claims).
var (
	// ErrTooLarge: longer than 64 KiB, or in a longer Authorization field.
	ErrTooLarge = &Reason{ErrInvalidToken, "too_large", "the token is too large"}
	// ErrMalformed: no compact JWS of canonical base64url (RFC 7515, Section
	// 7.1), or header or payload are no strict JSON objects (RFC 8725, Section
	// 2.8 for what comes of leniency), or the header is longer than 12 KiB, or the
	// signature than that of any key.
	ErrMalformed = &Reason{ErrInvalidToken, "malformed", "the token is malformed"}
	// ErrEncrypted: five segments, a JWE (RFC 7516, Section 3.1).
	ErrEncrypted = &Reason{ErrInvalidToken, "encrypted", "the token is encrypted"}
	// ErrSerialization: the JSON serialization (RFC 7515, Section 7.2).
	ErrSerialization = &Reason{ErrInvalidToken, "serialization", "the token is not in compact serialization"}
	// ErrDetached: an empty payload segment (RFC 7515, Appendix F).
	ErrDetached = &Reason{ErrInvalidToken, "detached", "the token has no payload"}
	// ErrUnencoded: b64 is false (RFC 7797, Section 3).
	ErrUnencoded = &Reason{ErrInvalidToken, "unencoded", "the token's payload is not encoded"}
	// ErrCritical: a crit header parameter; no extension is understood (RFC
	// 7515, Section 4.1.11).
	ErrCritical = &Reason{ErrInvalidToken, "critical", "the token has a critical header parameter"}
	// ErrAlgorithm: alg is not in [Options].Algorithms (RFC 8725, Section 3.1).
	ErrAlgorithm = &Reason{ErrInvalidToken, "algorithm", "the token's algorithm is not allowed"}
	// ErrClaim: a claim that a decision is made on has the wrong type, or is no
	// time that can be (seconds are expected, not milliseconds), which [Error].Detail
	// names; or one that RFC 9068, Section 2.2 demands is missing.
	ErrClaim = &Reason{ErrInvalidToken, "claim", "a claim of the token is missing or has the wrong type"}
	// ErrIssuer: iss is missing or not the authority (RFC 9068, Section 4).
	ErrIssuer = &Reason{ErrInvalidToken, "issuer", "the token is from another issuer"}
	// ErrTokenType: typ is not in [Options].TokenTypes, or the claims are those
	// of another kind of JWT (RFC 8725, Sections 3.11 and 3.12).
	ErrTokenType = &Reason{ErrInvalidToken, "type", "the token is of another type"}
	// ErrBound: the token has a cnf claim and is no bearer token (RFC 7800; RFC
	// 9449, Section 7.2; RFC 8705, Section 3).
	ErrBound = &Reason{ErrInvalidToken, "bound", "the token is bound to a key and not a bearer token"}
	// ErrAudience: aud does not contain the audience (RFC 7519, Section 4.1.3).
	ErrAudience = &Reason{ErrInvalidToken, "audience", "the token is not meant for this API"}
	// ErrNoExpiry: exp is missing (RFC 9068, Section 2.2).
	ErrNoExpiry = &Reason{ErrInvalidToken, "no_expiry", "the token has no expiration time"}
	// ErrExpired: exp has passed, clock skew included (RFC 7519, Section 4.1.4).
	ErrExpired = &Reason{ErrInvalidToken, "expired", "the token has expired"}
	// ErrNotYetValid: nbf or iat are in the future, clock skew included (RFC
	// 7519, Sections 4.1.5 and 4.1.6).
	ErrNotYetValid = &Reason{ErrInvalidToken, "not_yet_valid", "the token is not valid yet"}
	// ErrTooOld: iat is longer ago than [MaxAge] allows, or missing under it.
	ErrTooOld = &Reason{ErrInvalidToken, "too_old", "the token is too old"}
	// ErrUnknownKey: the authority has no such key for this algorithm (RFC
	// 7515, Section 4.1.4).
	ErrUnknownKey = &Reason{ErrInvalidToken, "unknown_key", "the token is signed with an unknown key"}
	// ErrSignature: the signature does not hold (RFC 7515, Section 5.2).
	ErrSignature = &Reason{ErrInvalidToken, "signature", "the token's signature is not valid"}
	// ErrSessionEnded is for a [Checker] whose session has ended.
	ErrSessionEnded = &Reason{ErrInvalidToken, "session_ended", "the session has ended"}
	// ErrRevoked is for a [Checker] that knows the token to be revoked.
	ErrRevoked = &Reason{ErrInvalidToken, "revoked", "the token has been revoked"}
	// ErrInactive is for an [Introspector] or [Checker] whose authority says
	// that the token is not active (RFC 7662, Section 2.2).
	ErrInactive = &Reason{ErrInvalidToken, "inactive", "the token is not active"}

	errRefused = &Reason{ErrInvalidToken, "refused", "the token is not accepted"}
)

// The reasons of [ErrInsufficientScope].
var (
	// ErrScope: a scope is missing ([Scope], [AnyScope]).
	ErrScope = &Reason{ErrInsufficientScope, "scope", "the token lacks a scope"}
	// ErrForbidden: another rule does not hold ([Role], [Claim], [Validate]).
	ErrForbidden = &Reason{ErrInsufficientScope, "forbidden", "the token does not allow this request"}
)

// The reasons of [ErrUnavailable]. The challenge has no error code then; the
// description is in the body only.
var (
	// ErrKeysUnavailable: the authority's keys cannot be had, or the ones in
	// hand are too old.
	ErrKeysUnavailable = &Reason{ErrUnavailable, "keys_unavailable", "the keys of the authority are unavailable"}
	// ErrCheckUnavailable: a [Checker] or [Introspector] cannot tell now.
	ErrCheckUnavailable = &Reason{ErrUnavailable, "check_unavailable", "the state of the token is unavailable"}
	// ErrClosed: the verifier was closed.
	ErrClosed = &Reason{ErrUnavailable, "closed", "the verifier is closed"}
	// ErrNoDefault: [Require] was used before [SetDefault].
	ErrNoDefault = &Reason{ErrUnavailable, "no_default", "no verifier is set"}
)

// Error is the error of every refusal: of [Policy.Check] and [Policy.Verify],
// and the one that [Events] and [Options].ErrorHandler get.
type Error struct {
	// Reason is why; never nil.
	Reason *Reason
	// Detail is for logs, never for a client. It holds this side's facts (the
	// audience that was required, say), and of a token only what its signature
	// vouches for; and, quoted and cut to a bounded length, the key id that is
	// unknown, without which nobody could tell a rotation from an attack.
	Detail string
	// Scopes are the scopes that the request needs, if it is a lack of scope
	// that refused it.
	Scopes []string
	// Err is the underlying error; nil in most cases.
	Err error

	authority *authority // nil if none is concerned
	hint      hint
}

// Error returns reason, detail and cause in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Reason.Error())
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the reason and the underlying error.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

// restricted is asError for who can say that a token is not alive, or that this
// cannot be told: it cannot turn a refusal into another one's class.
func restricted(err error) Error {
	e := *asError(err, ErrCheckUnavailable)
	if class := e.Reason.class; class != ErrInvalidToken && class != ErrUnavailable {
		// Of the cause only the text is kept, or the error would match its class.
		return Error{Reason: ErrCheckUnavailable, Err: errors.New(err.Error())}
	}
	return e
}

// refuse makes the error of a reason that needs no more words.
func refuse(r *Reason) *Error { return &Error{Reason: r} }

// asError returns err as an *Error. What is none becomes fallback with err as
// its cause, unless a Reason is in its chain.
func asError(err error, fallback *Reason) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		if e == nil || e.Reason == nil || e.Reason.class == nil {
			// A mistake in a hook. It is no pass, and it says nothing else.
			return refuse(fallback)
		}
		return e
	}
	reason := fallback
	if r, ok := errors.AsType[*Reason](err); ok {
		if r == nil || r.class == nil {
			return refuse(fallback) // a mistake in a hook, as above
		}
		reason = r
	} else {
		for _, of := range []*Reason{errNoToken, ErrMalformedCredentials, errRefused, ErrForbidden, ErrCheckUnavailable} {
			if errors.Is(err, of.class) {
				reason = of
				break
			}
		}
	}
	if err == error(reason) {
		return refuse(reason)
	}
	return &Error{Reason: reason, Err: err}
}
