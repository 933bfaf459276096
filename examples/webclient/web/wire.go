package web

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxBody bounds the answers of the authority and the API.
const maxBody = 1 << 20

// recorder is an [http.RoundTripper] that puts each exchange on the timeline of
// the visit in the request's context, and bounds the answer's body.
type recorder struct {
	base http.RoundTripper
	to   string // laneAPI or laneAuthority
}

func (rec *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	v := visitFrom(req.Context())
	e := entry{Lane: rec.to, Kind: "request", Title: req.Method + " " + req.URL.EscapedPath()}
	if v != nil {
		if raw, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); ok {
			e.Tokens = append(e.Tokens, v.label('A', raw))
		}
		if form := formOf(req); form != nil {
			if grant := form.Get("grant_type"); grant != "" {
				e.Detail = "grant_type=" + grant
			}
			for _, name := range []string{"refresh_token", "token"} {
				if raw := form.Get(name); raw != "" {
					e.Tokens = append(e.Tokens, v.label('R', raw))
				}
			}
		}
	}
	start := time.Now()
	resp, err := rec.base.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxBody)
	}
	if v == nil {
		return resp, err
	}
	e.Took = time.Since(start)
	if err != nil {
		e.Kind = "failed"
		e.Detail = strings.TrimPrefix(e.Detail+"; no answer", "; ")
		v.add(e)
		return nil, err
	}
	e.Status = resp.StatusCode
	for _, name := range []string{"WWW-Authenticate", "Retry-After"} {
		for _, value := range resp.Header.Values(name) {
			e.Header += "\n" + name + ": " + value
		}
	}
	if e.Header = strings.TrimPrefix(e.Header, "\n"); len(e.Header) > 1000 {
		e.Header = e.Header[:1000] + "…"
	}
	v.add(e)
	return resp, nil
}

// formOf returns the form that a request sends, without consuming it, or nil.
func formOf(req *http.Request) url.Values {
	if req.GetBody == nil || req.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		return nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, 64<<10))
	if err != nil {
		return nil
	}
	form, err := url.ParseQuery(string(data))
	if err != nil {
		return nil
	}
	return form
}
