package jwks

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bearerguard/bearerguard/clockskew"
)

const (
	fetchTimeout = 10 * time.Second // for one document, from the dial to the last byte
	maxRedirects = 3
)

// A fetcher makes single bounded requests. Only one goroutine uses it.
type fetcher struct {
	client    http.Client
	allowHTTP bool
	clock     *clockskew.Meter
	// redirected is told of every redirect that is followed.
	redirected func(what, from, to string)
}

// A fetch describes one GET.
type fetch struct {
	what     string // for error texts
	url      string
	limit    int64
	sameHost bool // redirects stay on the host
	noCache  bool // ask caches on the way for a fresh answer
	known    *validators
}

// validators make a request conditional (RFC 9110, Section 13.1).
type validators struct{ etag, lastModified string }

// noAnswer is the error of a request that nobody has answered.
type noAnswer struct{ error }

func (e *noAnswer) Unwrap() error { return e.error }

// An answer is a response with status 200, 304 or 404.
type answer struct {
	status     int
	body       []byte // of a 200
	header     http.Header
	received   time.Time
	validators validators
}

// do makes the request. The error never holds anything of the response's body,
// and never matches [context.DeadlineExceeded], which a caller would take for
// the end of its own context.
func (f *fetcher) do(ctx context.Context, get fetch) (*answer, error) {
	target, err := url.Parse(get.url)
	if err == nil {
		err = f.allowed(target)
	}
	if err != nil {
		return nil, fmt.Errorf("the address of the %s: %w", get.what, err)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	a, err := f.get(ctx, get, target)
	switch {
	case err == nil:
		return a, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = sameKind(err, fmt.Errorf("no whole answer within %v", fetchTimeout))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		err = sameKind(err, errors.New(err.Error()))
	}
	return nil, fmt.Errorf("get the %s from %s: %w", get.what, address(target), err)
}

// sameKind is instead of err, and says as err does whether somebody answered.
func sameKind(err, instead error) error {
	if _, ok := errors.AsType[*noAnswer](err); ok {
		return &noAnswer{instead}
	}
	return instead
}

func (f *fetcher) get(ctx context.Context, get fetch, target *url.URL) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json;q=0.9, */*;q=0.1")
	req.Header.Set("User-Agent", userAgent())
	conditional := false
	if get.noCache {
		// CDNs serve sets from before a rotation. Without validators, so that the
		// answer is the set itself whatever a cache thinks of its own copy.
		req.Header.Set("Cache-Control", "no-cache")
	} else if get.known != nil {
		if get.known.etag != "" {
			req.Header.Set("If-None-Match", get.known.etag)
		}
		if get.known.lastModified != "" {
			req.Header.Set("If-Modified-Since", get.known.lastModified)
		}
		conditional = *get.known != validators{}
	}

	client := f.client // a copy, with redirects judged for this request
	theirs := client.CheckRedirect
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if err := f.mayFollow(next, via, get); err != nil {
			return err
		}
		if theirs != nil {
			return theirs(next, via)
		}
		return nil
	}

	sent := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err // its own text has the whole address, query included
		}
		if resp != nil { // a redirect that is not followed
			resp.Body.Close()
			return nil, err
		}
		return nil, &noAnswer{err}
	}
	received := time.Now()
	defer resp.Body.Close()
	// A body must not outlive the deadline, also not one that a RoundTripper made
	// that does not tie it to the request's context.
	stop := context.AfterFunc(ctx, func() { resp.Body.Close() })
	defer stop()

	// A response out of a cache carries the date of its first delivery.
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && resp.Header.Get("Age") == "" {
		f.clock.Observe(sent, received, date)
	}

	a := &answer{status: resp.StatusCode, header: resp.Header, received: received}
	switch {
	case resp.StatusCode == http.StatusOK:
		a.validators = validators{resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")}
		if a.body, err = read(resp, get.limit); err != nil {
			return nil, err
		}
		return a, ctx.Err()
	case resp.StatusCode == http.StatusNotModified && conditional:
		return a, nil
	case resp.StatusCode == http.StatusNotFound:
		return a, nil
	}
	return nil, fmt.Errorf("the answer is %d %s, not 200", resp.StatusCode, http.StatusText(resp.StatusCode))
}

// read takes a body of at most limit bytes, counted after decompression: one
// byte more is an error and no cut document.
func read(resp *http.Response, limit int64) ([]byte, error) {
	var body io.Reader = resp.Body
	// http.Transport unpacks what it asked for itself; an authority or a proxy may
	// pack unasked, and a RoundTripper may leave it packed.
	switch encoding := strings.ToLower(resp.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(resp.Body)
		if err != nil {
			return nil, fmt.Errorf("the answer is not the gzip it says it is: %w", err)
		}
		body = unpacked
	default:
		return nil, fmt.Errorf("the answer has the unknown Content-Encoding %s", quoted(encoding))
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("the answer is larger than %d bytes", limit)
	}
	if err != nil {
		return nil, fmt.Errorf("the answer breaks off after %d bytes: %w", len(data), err)
	}
	return data, nil
}

// allowed says whether an address may be fetched at all.
func (f *fetcher) allowed(u *url.URL) error {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%s is no https URL", quoted(u.Redacted()))
	case u.Scheme == "http" && !f.allowHTTP:
		return fmt.Errorf("%s is http, and only https is fetched unless InsecureAllowHTTP is set", address(u))
	case u.Hostname() == "":
		return fmt.Errorf("%s has no host", quoted(u.Redacted()))
	case u.User != nil:
		return fmt.Errorf("%s carries a user name", address(u))
	}
	return nil
}

func (f *fetcher) mayFollow(next *http.Request, via []*http.Request, get fetch) error {
	last := via[len(via)-1].URL
	switch err := f.allowed(next.URL); {
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case err != nil:
		return fmt.Errorf("a redirect: %w", err)
	case last.Scheme == "https" && next.URL.Scheme != "https":
		return fmt.Errorf("a redirect from https to %s", address(next.URL))
	case get.sameHost && !sameHost(next.URL, via[0].URL):
		return fmt.Errorf("a redirect of the %s to another host, %s", get.what, address(next.URL))
	}
	// Which would show the query of the address before, and what secret is in it.
	next.Header.Del("Referer")
	f.redirected(get.what, address(last), address(next.URL))
	return nil
}

// sameHost compares hosts with their ports.
func sameHost(a, b *url.URL) bool {
	return strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// address is the part of a URL that may be shown: a query may hold a key.
func address(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return shown.String()
}

func shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return address(u)
}
