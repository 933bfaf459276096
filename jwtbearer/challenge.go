package jwtbearer

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// retryAfter is what a 503 asks a client to wait, in seconds: keys are asked for
// at least every two seconds before the first ones came, so it is soon worth
// another try, and not at once for all clients.
const retryAfter = "5"

// StatusCode returns the status that answers err, by its class: 401, 400, 403,
// or 503. It returns 500 for an error that is not of this package, and 200 for
// nil.
func StatusCode(err error) int {
	if err == nil {
		return http.StatusOK
	}
	return classOf(err).status
}

// class is how the errors of one class are answered (RFC 6750, Section 3.1).
type class struct {
	status int
	code   string // of the challenge; "" for none
	title  string
}

var (
	classNoToken     = class{http.StatusUnauthorized, "", "Unauthorized"}
	classRequest     = class{http.StatusBadRequest, "invalid_request", "Bad Request"}
	classToken       = class{http.StatusUnauthorized, "invalid_token", "Unauthorized"}
	classScope       = class{http.StatusForbidden, "insufficient_scope", "Forbidden"}
	classUnavailable = class{http.StatusServiceUnavailable, "", "Service Unavailable"}
	classOther       = class{http.StatusInternalServerError, "", "Internal Server Error"}
)

func classOf(err error) class {
	switch asError(err, errOther).Reason.class {
	case ErrNoToken:
		return classNoToken
	case ErrInvalidRequest:
		return classRequest
	case ErrInvalidToken:
		return classToken
	case ErrInsufficientScope:
		return classScope
	case ErrUnavailable:
		return classUnavailable
	}
	return classOther
}

// errOther stands for errors of others, which are not answered by this package.
var errOther = &Reason{name: "other", description: "the request could not be checked"}

// WriteError answers a request that [Policy.Check] refused with err: status,
// challenge (RFC 6750, Section 3) and a problem+json body (RFC 9457). It does
// not use [Options].ErrorHandler and has no realm; [Policy.WriteError] does. It
// answers 500 for an error of others, and for nil, which is no refusal.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	writeError(w, r, err, "", nil)
}

// WriteError answers a request that [Policy.Check] refused with err, as
// [Policy.Handler] does: with the realm and the ErrorHandler of the verifier's
// [Options].
func (p *Policy) WriteError(w http.ResponseWriter, r *http.Request, err error) { p.v.answer(w, r, err) }

func (v *Verifier) answer(w http.ResponseWriter, r *http.Request, err error) {
	writeError(w, r, err, v.realm, v.errorHandler)
}

func writeError(w http.ResponseWriter, r *http.Request, err error, realm string, body func(http.ResponseWriter, *http.Request, int, error)) {
	e := asError(err, errOther)
	c := classOf(e)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	switch c.status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter)
	case http.StatusInternalServerError:
	default:
		h.Set("Www-Authenticate", challenge(e, c, realm))
	}
	if body != nil {
		fixed := &fixedStatus{ResponseWriter: w, status: c.status, header: h.Clone()}
		defer fixed.write() // or net/http would send 200 for a handler that wrote nothing
		body(fixed, r, c.status, err)
		return
	}
	text := problem(e, c)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(c.status)
	_, _ = w.Write(text) // the client may be gone
}

// challenge returns the value of WWW-Authenticate. Everything in it is a
// constant of this package or is checked to need no escape.
func challenge(e *Error, c class, realm string) string {
	var b strings.Builder
	b.WriteString("Bearer")
	separator := " "
	parameter := func(name, value string) {
		b.WriteString(separator)
		b.WriteString(name)
		b.WriteString(`="`)
		b.WriteString(value)
		b.WriteString(`"`)
		separator = ", "
	}
	if realm != "" {
		parameter("realm", realm)
	}
	if c.code != "" {
		parameter("error", c.code)
		parameter("error_description", e.Reason.description)
		if scopes := quotableScopes(e.Scopes); len(scopes) > 0 {
			parameter("scope", strings.Join(scopes, " "))
		}
	}
	return b.String()
}

func problem(e *Error, c class) []byte {
	text, _ := json.Marshal(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Code   string `json:"error,omitempty"`
	}{c.title, c.status, e.Reason.description, c.code})
	return text
}

// quotable reports whether s may stand in a quoted parameter of a challenge
// (RFC 6750, Section 3): %x20-21 / %x23-5B / %x5D-7E.
func quotable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// quotableScopes are the scopes that a challenge can name (RFC 6749, Section
// 3.3): those of an error that a hook made were not checked before.
func quotableScopes(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !scopeToken(s) })
}

// fixedHeader are the fields that an ErrorHandler cannot change.
var fixedHeader = [...]string{"Cache-Control", "Retry-After", "Www-Authenticate"}

// fixedStatus is the ResponseWriter of an ErrorHandler: whatever it does, it
// cannot turn a refusal into a success.
type fixedStatus struct {
	http.ResponseWriter
	status int
	header http.Header // as it was before the handler got it
	done   bool
}

func (w *fixedStatus) write() {
	if !w.done {
		w.done = true
		for _, name := range fixedHeader {
			delete(w.Header(), name)
			if values, ok := w.header[name]; ok {
				w.Header()[name] = values
			}
		}
		w.ResponseWriter.WriteHeader(w.status)
	}
}

// WriteHeader sends the status of the refusal, whatever the argument.
func (w *fixedStatus) WriteHeader(int) { w.write() }

// Write sends the status first, if that was not done.
func (w *fixedStatus) Write(b []byte) (int, error) {
	w.write()
	return w.ResponseWriter.Write(b)
}
