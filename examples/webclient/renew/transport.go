package renew

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxDrain and drainTimeout bound what is read of a response that is thrown
// away, for the sake of its connection. A longer body, or one that stalls, costs
// the connection instead.
const (
	maxDrain     = 16 << 10
	drainTimeout = 100 * time.Millisecond
)

// Transport is an [http.RoundTripper] that sends the access token of one
// session. It is cheap: make one for each request or keep one, as it fits. It
// is safe for concurrent use and must not be changed after its first use.
type Transport struct {
	// Renewer renews the tokens. Required.
	Renewer *Renewer

	// Session is the session's key in the Renewer's Store. Required.
	Session string

	// OnlyOn401 turns the renewal before expiry off: the API decides when a
	// token is too old.
	OnlyOn401 bool
}

// RoundTrip sends the request with the session's access token, in the place of
// any Authorization header it has. Apart from what the base transport returns,
// its errors match [ErrSessionEnded], [ErrRefreshFailed], [ErrOtherOrigin],
// [ErrClosed], are those of the Store, or the cause of the request's context.
//
// A 401 that a refresh could not cure is returned as a response if there is
// nothing left to try, and as an error that matches ErrRefreshFailed if there
// is: such a session has not ended, and must not be treated so.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, sent, err := t.roundTrip(req)
	if !sent && req.Body != nil {
		req.Body.Close() // a RoundTripper always closes it; the base transport has not seen it
	}
	return resp, err
}

// CloseIdleConnections closes those of the Renewer's base transport, which all
// its sessions share. [http.Client.CloseIdleConnections] calls it.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.Renewer.opts.Base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

func (t *Transport) roundTrip(req *http.Request) (resp *http.Response, sent bool, err error) {
	ctx, r := req.Context(), t.Renewer
	// A redirect of the API comes here as a request like any other.
	if !sameOrigin(req.URL, r.api) {
		return nil, false, ErrOtherOrigin
	}
	tokens, err := r.opts.Store.Load(ctx, t.Session)
	if err != nil {
		return nil, false, err
	}

	var renewed bool
	var refreshErr error
	if !t.OnlyOn401 && tokens.due(time.Now(), r.opts.Early) {
		next, err := r.renewEarly(ctx, t.Session, tokens)
		switch {
		case err == nil:
			tokens, renewed = next, true
		case errors.Is(err, ErrSessionEnded):
			return nil, false, err
		case errors.Is(err, errGoesOn):
			// The token in hand is good. Should the API refuse it all the same,
			// the request joins the refresh again.
		default:
			// The token in hand may be good for a few seconds more.
			refreshErr = err
		}
	}

	resp, err = r.opts.Base.RoundTrip(withToken(req, tokens.AccessToken))
	if err != nil || renewed || tokens.RefreshToken == "" || !tokenRefused(resp) {
		return resp, true, err
	}
	if refreshErr != nil {
		discard(resp)
		return nil, true, refreshErr
	}

	repeatable := req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
	if repeatable {
		discard(resp) // before the refresh, so that the repetition finds its connection free
	}
	tokens, err = r.Renew(ctx, t.Session, tokens)
	if err != nil {
		if !repeatable {
			discard(resp)
		}
		return nil, true, err
	}
	if !repeatable {
		return resp, true, nil
	}
	again := withToken(req, tokens.AccessToken)
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return nil, true, err
		}
	}
	resp, err = r.opts.Base.RoundTrip(again)
	return resp, true, err
}

// withToken returns a copy of the request with the token: a RoundTripper must
// not change the request it was given.
func withToken(req *http.Request, accessToken string) *http.Request {
	clone := req.Clone(req.Context())
	clone.Header.Set("Authorization", "Bearer "+accessToken)
	return clone
}

// tokenRefused reports whether the API says that the token is at fault, and
// that a newer one may help.
func tokenRefused(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	refused := false
	for _, c := range parseChallenges(resp.Header.Values("WWW-Authenticate")) {
		if !strings.EqualFold(c.scheme, "Bearer") {
			continue
		}
		switch c.params["error"] {
		case "invalid_token":
			refused = true
		case "insufficient_user_authentication":
			// RFC 9470, Section 3: the person has to sign in more strongly.
			// A refresh changes nothing about how they did.
			return false
		}
	}
	return refused
}

func discard(resp *http.Response) {
	late := time.AfterFunc(drainTimeout, func() { resp.Body.Close() }) // which ends a Read
	defer late.Stop()
	io.CopyN(io.Discard, resp.Body, maxDrain)
	resp.Body.Close()
}

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case strings.EqualFold(u.Scheme, "https"):
		return "443"
	default:
		return "80"
	}
}
