package renew

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an answer of the authority.
const maxAnswer = 1 << 20

// maxLifetime bounds expires_in, so that no answer makes the arithmetic of
// times overflow. A longer lifetime counts as none.
const maxLifetime = 10 * 365 * 24 * time.Hour

// metadata is what a refresh needs of the discovery document.
type metadata struct {
	Issuer        string   `json:"issuer"`
	TokenEndpoint string   `json:"token_endpoint"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
}

// discover reads the discovery document (OpenID Connect Discovery 1.0, Section 4).
func (r *Renewer) discover(ctx context.Context) (*metadata, error) {
	const step = "discovery"
	address := strings.TrimSuffix(r.opts.Issuer, "/") + "/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, failed(step, nil, err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, failed(step, nil, err)
	}
	defer discard(resp)
	if resp.StatusCode != http.StatusOK {
		return nil, failed(step, resp, nil)
	}
	var meta metadata
	if err := decode(resp, &meta); err != nil {
		return nil, failed(step, resp, err)
	}
	if meta.Issuer != r.opts.Issuer {
		// Section 4.3: it must be identical. The refresh token would go to
		// wherever another issuer's document says.
		return nil, failed(step, resp, errors.New("the document names another issuer"))
	}
	endpoint, err := url.Parse(meta.TokenEndpoint)
	if err != nil || endpoint.Host == "" || !allowedScheme(endpoint, r.plain) {
		return nil, failed(step, resp, errors.New("token_endpoint is no https address"))
	}
	return &meta, nil
}

// answer is a token response (RFC 6749, Section 5.1).
type answer struct {
	AccessToken  string  `json:"access_token"`
	TokenType    string  `json:"token_type"`
	ExpiresIn    seconds `json:"expires_in"`
	RefreshToken string  `json:"refresh_token"`
	IDToken      string  `json:"id_token"`
}

// post sends the refresh grant (RFC 6749, Section 6).
func (r *Renewer) post(ctx context.Context, meta *metadata, refreshToken string) (*answer, error) {
	const step = "token endpoint"
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	if r.opts.Resource != "" {
		form.Set("resource", r.opts.Resource)
	}
	basic := r.opts.ClientSecret != "" &&
		(len(meta.AuthMethods) == 0 || slices.Contains(meta.AuthMethods, "client_secret_basic"))
	if !basic {
		form.Set("client_id", r.opts.ClientID)
		if r.opts.ClientSecret != "" {
			form.Set("client_secret", r.opts.ClientSecret)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, meta.TokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, failed(step, nil, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if basic {
		// RFC 6749, Section 2.3.1: both are form-encoded first.
		req.SetBasicAuth(url.QueryEscape(r.opts.ClientID), url.QueryEscape(r.opts.ClientSecret))
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, failed(step, nil, err)
	}
	defer discard(resp)
	if resp.StatusCode != http.StatusOK {
		e := failed(step, resp, nil)
		var refusal struct {
			Error string `json:"error"`
		}
		if resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusUnauthorized {
			if decode(resp, &refusal) == nil && slices.Contains(errorCodes, refusal.Error) {
				e.Code = refusal.Error
			}
		}
		if e.Code == "invalid_grant" {
			e.Kind = ErrSessionEnded
		}
		return nil, e
	}
	var a answer
	if err := decode(resp, &a); err != nil {
		return nil, failed(step, resp, err)
	}
	switch {
	case a.AccessToken == "":
		return nil, failed(step, resp, errors.New("the answer has no access_token"))
	case !strings.EqualFold(a.TokenType, "Bearer"):
		// RFC 6749, Section 7.1: a token of a type one does not understand
		// must not be used.
		return nil, failed(step, resp, errors.New("the answer's token_type is not Bearer"))
	}
	return &a, nil
}

// errorCodes are those of RFC 6749, Section 5.2. Only these are passed on, since
// they end up in logs.
var errorCodes = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
}

// decode reads a bounded JSON body. Its errors hold nothing of the body, which
// may be made of tokens.
func decode(resp *http.Response, v any) error {
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "application/json" {
		return errors.New("the answer is not application/json")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return err
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	if json.Unmarshal(body, v) != nil {
		return errors.New("the answer is not the JSON object it should be")
	}
	return nil
}

// seconds is an expires_in. Some authorities send it as a string; anything that
// is no sensible lifetime counts as absent.
type seconds int64

// UnmarshalJSON accepts a number or a string that holds one.
func (s *seconds) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseFloat(strings.Trim(string(data), `"`), 64)
	if err != nil || !(n > 0) || n > maxLifetime.Seconds() {
		n = 0
	}
	*s = seconds(n)
	return nil
}

// retryAfter reads a Retry-After field (RFC 9110, Section 10.2.3).
func retryAfter(field string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(field); err == nil && n > 0 {
		return time.Duration(min(n, int(maxPause.Seconds()))) * time.Second
	}
	if at, err := http.ParseTime(field); err == nil {
		return min(max(at.Sub(now), 0), maxPause)
	}
	return 0
}
