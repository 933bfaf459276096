package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

const (
	// logoutEvent is the member of events that makes a token a logout token
	// (OpenID Connect Back-Channel Logout 1.0, Section 2.4).
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// maxLogoutBody bounds the body of a logout request: one token, encoded.
	maxLogoutBody = 128 << 10
	// maxLogoutID bounds the jti, sid and sub of a logout token.
	maxLogoutID = 1 << 10
	// maxLogoutAge bounds MaxAge: for so long used tokens are remembered.
	maxLogoutAge = 24 * time.Hour
)

// LogoutOptions are the options of [NewLogoutHandler].
type LogoutOptions struct {
	// Sessions is where the sessions are ended that a logout token names. At
	// least one of Sessions and Revocations is required.
	Sessions Store
	// Revocations, if not nil, are told when all sessions of a subject end, so
	// that tokens without a session are refused as well.
	Revocations *Revocations
	// SubjectTokens tells Revocations also when one session of a subject ends, if
	// the logout token names both: all tokens of the subject issued until then are
	// refused. It is for authorities whose access tokens do not all name their
	// session: without it, those that do not stay good until they expire. The
	// subject's other sessions do not end, but their tokens must be renewed.
	SubjectTokens bool
	// Replays remembers used logout tokens. Nil means Sessions if it is one,
	// which suits several replicas, else the memory of this process, for the
	// last 65,536 tokens.
	Replays Replays
	// MaxAge is how long after its issue a logout token is taken. Zero means
	// five minutes, a day is the most; the verifier's clock skew is added.
	MaxAge time.Duration
	// RequireType takes only tokens with typ "logout+jwt" (Section 2.4
	// recommends it to issuers). By default "JWT" and none are taken too.
	RequireType bool
	// Ended, if not nil, is called after sessions were ended, before the answer;
	// concurrently. It may be called again for a token that is sent again because
	// the first answer was 503.
	Ended func(ctx context.Context, e LogoutEvent)
	// Logger takes why a logout failed. Nil means slog.Default.
	Logger *slog.Logger
}

// LogoutEvent is what a logout token ended. One of SessionID and Subject, or
// both, are set.
type LogoutEvent struct {
	Issuer    string
	SessionID string // if set, this session was ended
	Subject   string // if SessionID is empty, all sessions of the subject were ended
}

// LogoutHandler is the back-channel logout endpoint of OpenID Connect
// Back-Channel Logout 1.0: the authority posts a signed logout token to it when
// a user signs out, and the sessions that the token names end at once. Register
// its URL at the authority as the backchannel_logout_uri, and route it outside
// any authentication: the logout token is the credential.
//
// It answers 200, 400 with a JSON body for a token that is not good, 405 for
// another method than POST, and 503 if the keys of the authority or the store
// cannot be had. The last one differs from Section 2.8, which knows 400 alone:
// an authority that tries again must be told apart from one that sends bad tokens.
type LogoutHandler struct {
	policy  *jwtbearer.Policy
	options LogoutOptions
	warned  atomic.Int64 // Unix seconds of the latest warning
}

// NewLogoutHandler returns the handler for logout tokens of verifier's authority
// whose audience is clientID, the identifier under which the client that
// registered the endpoint signs users in. It returns an error only for a
// mistake in its arguments.
func NewLogoutHandler(verifier *jwtbearer.Verifier, clientID string, opts *LogoutOptions) (*LogoutHandler, error) {
	h := &LogoutHandler{}
	if opts != nil {
		h.options = *opts
	}
	o := &h.options
	switch {
	case verifier == nil:
		return nil, errors.New("session: the verifier is nil")
	case o.Sessions == nil && o.Revocations == nil:
		return nil, errors.New("session: LogoutOptions has neither Sessions nor Revocations: set where sessions are to be ended")
	case o.SubjectTokens && o.Revocations == nil:
		return nil, errors.New("session: LogoutOptions.SubjectTokens is set, but Revocations is nil: set whom to tell")
	case o.MaxAge < 0, o.MaxAge > maxLogoutAge:
		return nil, fmt.Errorf("session: LogoutOptions.MaxAge is %v: it must not be negative, nor more than %v, for which used tokens are remembered", o.MaxAge, maxLogoutAge)
	}
	if o.MaxAge == 0 {
		o.MaxAge = 5 * time.Minute
	}
	if o.Replays == nil {
		if r, ok := o.Sessions.(Replays); ok {
			o.Replays = r
		} else {
			o.Replays = newMemoryReplays()
		}
	}
	types := []string{"logout+jwt"}
	if !o.RequireType {
		types = append(types, "JWT", "")
	}
	var err error
	h.policy, err = verifier.Policy(clientID, jwtbearer.TokenType(types...), jwtbearer.MaxAge(o.MaxAge))
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return h, nil
}

// ServeHTTP implements [http.Handler].
func (h *LogoutHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, "invalid_request", "the method must be POST")
		return
	}
	raw, refused := logoutToken(w, r)
	if refused == nil {
		refused = h.logout(r.Context(), raw)
	}
	if refused == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	h.log().Log(r.Context(), h.level(time.Now()), "session: a back-channel logout failed", "reason", refused.description, "error", refused.cause)
	if refused.unavailable {
		w.Header().Set("Retry-After", "5")
		answer(w, http.StatusServiceUnavailable, "temporarily_unavailable", refused.description)
		return
	}
	answer(w, http.StatusBadRequest, "invalid_request", refused.description)
}

func (h *LogoutHandler) log() *slog.Logger {
	if h.options.Logger != nil {
		return h.options.Logger
	}
	return slog.Default()
}

// level is that of the next failure in the log. Anybody can make a logout fail,
// as often as they like: one in a second is a warning.
func (h *LogoutHandler) level(now time.Time) slog.Level {
	if last := h.warned.Load(); last == now.Unix() || !h.warned.CompareAndSwap(last, now.Unix()) {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// refusal is why a logout failed. The description is a constant: nothing of the
// request is sent back.
type refusal struct {
	description string
	unavailable bool
	cause       error // for the log
}

func refuse(description string) *refusal { return &refusal{description: description} }

func unavailable(cause error) *refusal {
	return &refusal{description: "sessions cannot be ended now", unavailable: true, cause: cause}
}

func answer(w http.ResponseWriter, status int, code, description string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client is gone if this fails.
	_ = json.NewEncoder(w).Encode(struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, description})
}

// logoutToken takes the token out of the form in the body, and out of nothing
// else (Section 2.5).
func logoutToken(w http.ResponseWriter, r *http.Request) (string, *refusal) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return "", refuse("the body must be a form (application/x-www-form-urlencoded)")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutBody)
	if err := r.ParseForm(); err != nil {
		// A faulty query is refused here too, which nobody needs.
		return "", &refusal{description: "the body cannot be read as a form", cause: bodyError(err)}
	}
	tokens := r.PostForm["logout_token"]
	if len(tokens) != 1 || tokens[0] == "" {
		return "", refuse("there must be one logout_token")
	}
	return tokens[0], nil
}

// bodyError leaves out of an error what it says of the body.
func bodyError(err error) error {
	if escape := url.EscapeError(""); errors.As(err, &escape) {
		return errors.New("invalid URL escape")
	}
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return large
	}
	return errors.New("the body is no form")
}

// logout validates a logout token (Section 2.6) and ends what it names.
func (h *LogoutHandler) logout(ctx context.Context, raw string) *refusal {
	token, err := h.policy.Verify(ctx, raw)
	if err != nil {
		if errors.Is(err, jwtbearer.ErrUnavailable) {
			return unavailable(err)
		}
		return &refusal{description: "the logout token is not valid", cause: err}
	}
	event, id, refused := readLogout(token)
	if refused != nil {
		return refused
	}
	if event.SessionID != "" && h.options.Sessions == nil {
		if event.Subject == "" {
			return refuse("the logout token names a session, and sessions are not kept here")
		}
		event.SessionID = ""
	}
	used, err := h.options.Replays.Used(ctx, event.Issuer, id)
	if err != nil {
		return unavailable(err)
	}
	if used {
		return refuse("the logout token was used before")
	}
	if err := h.end(ctx, event, token.IssuedAt()); err != nil {
		return unavailable(err)
	}
	if h.options.Ended != nil {
		h.options.Ended(ctx, event)
	}
	// Not earlier: of what fails, nobody knows whether it was done. A token that
	// counts as used would then have ended nothing, and could not be sent again.
	// After the instant the verifier refuses it for its age, with the largest
	// clock skew there may be.
	if err := h.options.Replays.MarkUsed(ctx, event.Issuer, id, token.IssuedAt().Add(h.options.MaxAge+10*time.Minute)); err != nil {
		return unavailable(err)
	}
	return nil
}

// readLogout checks what makes a token a logout token (Section 2.4), and
// returns what it ends and its identifier.
func readLogout(token *jwtbearer.Token) (event LogoutEvent, id string, refused *refusal) {
	var claims struct {
		Events map[string]json.RawMessage `json:"events"`
	}
	if err := token.Decode(&claims); err != nil {
		return event, "", refuse("events is not an object")
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(claims.Events[logoutEvent], &members) != nil || members == nil {
		return event, "", refuse("events does not hold the back-channel logout event")
	}
	// An ID token has a nonce: it must not be taken for a logout token.
	if token.HasClaim("nonce") {
		return event, "", refuse("a logout token has no nonce")
	}
	for _, name := range [...]string{"jti", "sid", "sub"} {
		value := token.StringClaim(name)
		switch {
		case token.HasClaim(name) && value == "", len(value) > maxLogoutID:
			return event, "", refuse("jti, sid and sub must be strings of 1 to 1,024 bytes")
		case name == "jti" && value == "":
			return event, "", refuse("the logout token has no jti")
		}
	}
	event = LogoutEvent{Issuer: token.Issuer(), SessionID: token.StringClaim("sid"), Subject: token.Subject()}
	if event.SessionID == "" && event.Subject == "" {
		return event, "", refuse("the logout token names neither a session nor a subject")
	}
	return event, token.ID(), nil
}

// end ends one session, or all of a subject (Section 2.7), at the instant issuedAt
// of the authority's clock.
func (h *LogoutHandler) end(ctx context.Context, e LogoutEvent, issuedAt time.Time) error {
	// That clock may be ahead of this one. It counts in whole seconds, rounded
	// down, here as in the tokens that are to be refused: all of its second.
	until := issuedAt.Add(time.Second - time.Microsecond)
	if now := time.Now(); now.After(until) {
		until = now
	}
	one := e.SessionID != ""
	switch {
	case one:
		if err := h.options.Sessions.Revoke(ctx, Key{e.Issuer, e.SessionID}); err != nil {
			return err
		}
	case h.options.Sessions != nil:
		if _, err := h.options.Sessions.RevokeSubject(ctx, e.Issuer, e.Subject, until); err != nil {
			return err
		}
	}
	if h.options.Revocations == nil || one && (!h.options.SubjectTokens || e.Subject == "") {
		return nil
	}
	return h.options.Revocations.RevokeSubject(ctx, e.Issuer, e.Subject, until)
}
