package introspection

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/strictjson"
)

// maxAnswer bounds the body of an answer.
const maxAnswer = strictjson.MaxLength

func defaultClient(connections int) (http.Client, func()) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = standard.Clone()
	}
	transport.MaxIdleConnsPerHost = connections
	transport.IdleConnTimeout = 30 * time.Second
	transport.MaxResponseHeaderBytes = 64 << 10
	return http.Client{Transport: transport}, transport.CloseIdleConnections
}

// post asks about token (RFC 7662, Section 2.1). body is nil if the token is not
// active. The error holds nothing of the token, the credentials or the answer.
func (c *Client) post(ctx context.Context, token string) (body []byte, expiry time.Time, err error) {
	header := http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"},
		"Accept":       {"application/json"},
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	if err := c.authorize(ctx, header, form); err != nil {
		// Text only: this is about this API's credentials, whatever the error wraps.
		return nil, expiry, fmt.Errorf("introspection: no credentials: %v", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, expiry, errors.New("introspection: no request can be made")
	}
	req.Header = header
	resp, err := c.http.Do(req)
	if err != nil {
		if outer := (*url.Error)(nil); errors.As(err, &outer) {
			err = outer.Err
		}
		// Text only: that this request ran out of time must not look as if the
		// caller's context had.
		return nil, expiry, fmt.Errorf("introspection: %v", err)
	}
	defer resp.Body.Close()
	// A body must not outlive the deadline, also not one that a RoundTripper made
	// that does not tie it to the request's context.
	stop := context.AfterFunc(ctx, func() { resp.Body.Close() })
	defer stop()
	switch {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return nil, expiry, fmt.Errorf("introspection: the authority refuses this API's own credentials (%d)", resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return nil, expiry, fmt.Errorf("introspection: the answer is %d, not 200", resp.StatusCode)
	}
	if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && media == "application/token-introspection+jwt" {
		return nil, expiry, errors.New("introspection: the answer is a JWT (RFC 9701), which is not read here")
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, expiry, errors.New("introspection: the answer was cut off")
	case len(body) > maxAnswer:
		return nil, expiry, fmt.Errorf("introspection: the answer is larger than %d bytes", maxAnswer)
	}
	return readAnswer(bytes.TrimSpace(body))
}

func (c *Client) authorize(ctx context.Context, header http.Header, form url.Values) error {
	o := &c.options
	switch {
	case o.Authorize != nil:
		return o.Authorize(ctx, header, form)
	case o.SecretInBody:
		form.Set("client_id", o.ClientID)
		form.Set("client_secret", o.ClientSecret)
	default:
		// Both are encoded as a form's fields first (RFC 6749, Section 2.3.1).
		pair := url.QueryEscape(o.ClientID) + ":" + url.QueryEscape(o.ClientSecret)
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	return nil
}

var errAnswer = errors.New("introspection: the answer is not the JSON object of RFC 7662")

// readAnswer checks an answer (RFC 7662, Section 2.2). The body of an inactive
// token is nil.
func readAnswer(body []byte) (active []byte, expiry time.Time, err error) {
	object, err := strictjson.Parse(string(body))
	if err != nil {
		return nil, expiry, errAnswer
	}
	member, _ := object.Get("active")
	switch member.Raw() {
	case "true":
	case "false":
		return nil, expiry, nil
	default:
		return nil, expiry, errAnswer
	}
	if exp, ok := object.Get("exp"); ok {
		if exp.Kind() != strictjson.Number {
			return nil, expiry, errAnswer
		}
		if expiry, err = clockskew.ParseNumericDate(exp.Raw()); err != nil {
			return nil, expiry, errAnswer
		}
	}
	return body, expiry, nil
}
