package jwtbearertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Endpoint is one of the issuer's URLs.
type Endpoint string

// The endpoints.
const (
	// EndpointAll stands for all of them.
	EndpointAll Endpoint = ""
	// EndpointDiscovery is the document of OpenID Connect Discovery 1.0.
	EndpointDiscovery Endpoint = "discovery"
	// EndpointMetadata is the document of RFC 8414.
	EndpointMetadata Endpoint = "metadata"
	// EndpointKeys is the key set, jwks_uri.
	EndpointKeys Endpoint = "keys"
	// EndpointAuthorize is the authorization endpoint.
	EndpointAuthorize Endpoint = "authorize"
	// EndpointToken is the token endpoint.
	EndpointToken Endpoint = "token"
	// EndpointRevoke is the revocation endpoint (RFC 7009).
	EndpointRevoke Endpoint = "revoke"
	// EndpointIntrospect is the introspection endpoint (RFC 7662).
	EndpointIntrospect Endpoint = "introspect"
	// EndpointUserInfo is the UserInfo endpoint.
	EndpointUserInfo Endpoint = "userinfo"
	// EndpointEndSession is the end session endpoint.
	EndpointEndSession Endpoint = "end_session"
)

// Fault is a way to answer wrongly, or not at all. The zero Fault answers well.
type Fault struct {
	delay time.Duration
	times int
	serve func(*faulty) // nil: the good answer
}

// faulty is one request that a fault answers.
type faulty struct {
	w    http.ResponseWriter
	r    *http.Request
	good http.HandlerFunc
	// refuse ends the connection without an answer.
	refuse func()
}

// After waits for delay before the fault happens, by the clock of the bubble in
// a testing/synctest bubble. The wait ends with the request's context.
func (f Fault) After(delay time.Duration) Fault {
	f.delay = delay
	return f
}

// Times limits the fault to the next n requests of its endpoint; then all is
// well again. n less than one means no limit.
func (f Fault) Times(n int) Fault {
	f.times = max(n, 0)
	return f
}

// Down refuses the connection. In-process the error is the one of a port where
// nobody listens. Over a socket the connection is reset instead, since giving up
// the port could lose it.
func Down() Fault { return Fault{serve: func(f *faulty) { f.refuse() }} }

// Hang accepts the request and never answers; it ends with the request's context.
func Hang() Fault {
	return Fault{serve: func(f *faulty) {
		f.keepBody()
		<-f.r.Context().Done()
		panic(http.ErrAbortHandler)
	}}
}

// HangInBody sends the header and half of the body, and nothing after that until
// the request's context ends.
func HangInBody() Fault {
	return Fault{serve: func(f *faulty) {
		res := f.record()
		res.copyHeader(f.w)
		f.w.WriteHeader(res.status)
		f.w.Write(res.body.Bytes()[:res.body.Len()/2])
		http.NewResponseController(f.w).Flush()
		<-f.r.Context().Done()
		panic(http.ErrAbortHandler)
	}}
}

// CutBody breaks the connection in the middle of the body.
func CutBody() Fault {
	return Fault{serve: func(f *faulty) {
		res := f.record()
		res.copyHeader(f.w)
		f.w.WriteHeader(res.status)
		f.w.Write(res.body.Bytes()[:res.body.Len()/2])
		http.NewResponseController(f.w).Flush()
		panic(http.ErrAbortHandler)
	}}
}

// Slow gives the good answer, after delay.
func Slow(delay time.Duration) Fault { return Fault{}.After(delay) }

// Status answers with status and a short JSON body.
func Status(status int) Fault {
	return Respond(status, "application/json", fmt.Sprintf("{\"error\":%q}\n", http.StatusText(status)))
}

// HTML answers 200 with a web page, as a captive portal or a maintenance page
// does.
func HTML() Fault {
	return Respond(http.StatusOK, "text/html; charset=utf-8",
		"<!doctype html>\n<title>Maintenance</title>\n<h1>We will be back soon</h1>\n")
}

// Respond answers with status, content type and body as they are.
func Respond(status int, contentType, body string) Fault {
	return Fault{serve: func(f *faulty) {
		f.w.Header().Set("Content-Type", contentType)
		f.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		f.w.WriteHeader(status)
		io.WriteString(f.w, body)
	}}
}

// Truncated answers with the first half of the good body and a length that fits:
// sound HTTP, broken JSON.
func Truncated() Fault {
	return Fault{serve: func(f *faulty) {
		res := f.record()
		body := res.body.Bytes()[:res.body.Len()/2]
		res.copyHeader(f.w)
		f.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		f.w.WriteHeader(res.status)
		f.w.Write(body)
	}}
}

// Oversized answers with the good JSON behind size bytes of white space, which
// JSON allows: only a bound on the body can refuse it.
func Oversized(size int) Fault {
	return Fault{serve: func(f *faulty) {
		res := f.record()
		res.copyHeader(f.w)
		f.w.Header().Set("Content-Length", strconv.Itoa(size+res.body.Len()))
		f.w.WriteHeader(res.status)
		io.Copy(f.w, io.LimitReader(spaces{}, int64(size)))
		f.w.Write(res.body.Bytes())
	}}
}

// Endless answers with a JSON document that never ends, as fast as it is read.
func Endless() Fault {
	return Fault{serve: func(f *faulty) {
		f.w.Header().Set("Content-Type", "application/json")
		io.WriteString(f.w, `{"keys":[`)
		io.Copy(f.w, contextReader{f.r, spaces{}})
		panic(http.ErrAbortHandler)
	}}
}

// RedirectTo answers 302 with url, which may be relative.
func RedirectTo(url string) Fault {
	return Fault{serve: func(f *faulty) {
		f.w.Header().Set("Location", url)
		f.w.WriteHeader(http.StatusFound)
	}}
}

// ContentType gives the good answer under another media type.
func ContentType(contentType string) Fault {
	return Fault{serve: func(f *faulty) {
		res := f.record()
		res.copyHeader(f.w)
		f.w.Header().Set("Content-Type", contentType)
		f.w.WriteHeader(res.status)
		f.w.Write(res.body.Bytes())
	}}
}

// SetFault makes endpoint answer by fault until the next call for it; the zero
// Fault heals it. A fault of one endpoint stands over one of [EndpointAll].
// Healing EndpointAll heals every endpoint.
func (i *Issuer) SetFault(endpoint Endpoint, fault Fault) {
	endpoint.check()
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case fault.serve != nil || fault.delay != 0:
		i.faults[endpoint] = &fault
	case endpoint == EndpointAll:
		clear(i.faults)
	default:
		delete(i.faults, endpoint)
	}
}

// SetHeader makes endpoint send a header field with this value, whatever else it
// would have sent, faults included: Cache-Control, Age, ETag, Date. An empty
// value removes the field. A field of one endpoint stands over one of
// [EndpointAll].
func (i *Issuer) SetHeader(endpoint Endpoint, name, value string) {
	endpoint.check()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.headers[endpoint] == nil {
		i.headers[endpoint] = make(http.Header)
	}
	i.headers[endpoint].Set(name, value)
}

// Requests returns how many requests came to endpoint, including those that a
// fault answered or refused. For [EndpointAll] it counts requests to paths that
// are no endpoint as well.
func (i *Issuer) Requests(endpoint Endpoint) int {
	endpoint.check()
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests[endpoint]
}

// check catches misspelt endpoints, which would otherwise make a test pass for
// the wrong reason.
func (e Endpoint) check() {
	switch e {
	case EndpointAll, EndpointDiscovery, EndpointMetadata, EndpointKeys, EndpointAuthorize, EndpointToken,
		EndpointRevoke, EndpointIntrospect, EndpointUserInfo, EndpointEndSession:
	default:
		panic(fmt.Sprintf("jwtbearertest: there is no endpoint %q: use one of the Endpoint constants", string(e)))
	}
}

// takeFault returns what endpoint is to suffer now, nil if nothing.
func (i *Issuer) takeFault(endpoint Endpoint) *Fault {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, e := range []Endpoint{endpoint, EndpointAll} {
		fault := i.faults[e]
		if fault == nil {
			continue
		}
		taken := *fault
		if fault.times > 0 {
			if fault.times--; fault.times == 0 {
				delete(i.faults, e)
			}
		}
		return &taken
	}
	return nil
}

func (f *Fault) answer(q *faulty) {
	if f.delay > 0 {
		q.keepBody()
		timer := time.NewTimer(f.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-q.r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	if f.serve == nil {
		q.good(q.w, q.r)
		return
	}
	f.serve(q)
}

// keepBody reads the request's body before a wait: net/http notices that a client
// has gone only after that.
func (f *faulty) keepBody() {
	body, err := io.ReadAll(f.r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	f.r.Body = io.NopCloser(bytes.NewReader(body))
}

// refuseConnection ends the exchange behind w as Down says.
func refuseConnection(w http.ResponseWriter) {
	if x, ok := w.(*exchange); ok {
		x.refuse()
		return
	}
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			// Pending data is dropped and the peer sees a reset, not an orderly end.
			tcp.SetLinger(0)
		}
		conn.Close()
		return
	}
	panic(http.ErrAbortHandler)
}

// record runs the good handler and keeps what it says.
func (f *faulty) record() *recording {
	res := &recording{header: make(http.Header)}
	f.good(res, f.r)
	if res.status == 0 {
		res.status = http.StatusOK
	}
	return res
}

// recording is an http.ResponseWriter that sends nothing.
type recording struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recording) Header() http.Header { return r.header }

func (r *recording) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recording) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

func (r *recording) copyHeader(w http.ResponseWriter) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
}

// overriding is an http.ResponseWriter that puts the header fields of SetHeader
// over what a handler says.
type overriding struct {
	http.ResponseWriter
	fields http.Header
	wrote  bool
}

func (o *overriding) WriteHeader(status int) {
	if !o.wrote {
		o.wrote = true
		for name, values := range o.fields {
			if strings.Join(values, "") == "" {
				// net/http sends no Date field for a nil value, and no Content-Type.
				o.ResponseWriter.Header()[name] = nil
				continue
			}
			o.ResponseWriter.Header()[name] = values
		}
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *overriding) Write(p []byte) (int, error) {
	if !o.wrote {
		o.WriteHeader(http.StatusOK)
	}
	return o.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (o *overriding) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// spaces is a reader of blanks without end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for n := range p {
		p[n] = ' '
	}
	return len(p), nil
}

// contextReader stops when the request is over.
type contextReader struct {
	r *http.Request
	io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if c.r.Context().Err() != nil {
		return 0, errors.New("the request is over")
	}
	return c.Reader.Read(p)
}
