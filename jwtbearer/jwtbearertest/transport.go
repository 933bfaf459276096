package jwtbearertest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// HandlerClient returns an HTTP client that calls handler directly, without
// sockets, whatever the URL of a request says. It is for tests of a whole
// exchange inside a testing/synctest bubble, where a real socket would keep the
// bubble's clock from moving.
//
// Bodies stream in both directions, the handler's context ends with the
// request's context and when the client closes the response body, a handler
// that panics breaks the connection, and the Date header is the bubble's time.
// A response body that nobody reads holds up its handler once 64 KiB are
// waiting, as a socket would.
func HandlerClient(handler http.Handler) *http.Client {
	return &http.Client{Transport: &inProcess{handler: handler}}
}

// inProcess is an http.RoundTripper that calls a handler.
type inProcess struct {
	handler http.Handler
	// host, if set, is the only host that there is: all others are unknown, as
	// names are to a resolver.
	host string
	// track, if set, is told of every exchange; what it returns is called when
	// the exchange is over.
	track func(cancel context.CancelFunc) (done func(), err error)
}

// errRefused is what a client sees when nothing listens at the address.
func errRefused() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

// RoundTrip implements http.RoundTripper.
func (t *inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	closeBody := func() {
		if req.Body != nil {
			req.Body.Close()
		}
	}
	if err := req.Context().Err(); err != nil {
		closeBody()
		return nil, err
	}
	if t.host != "" && req.URL.Host != t.host {
		closeBody()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: req.URL.Hostname(), IsNotFound: true}}
	}
	ctx, cancel := context.WithCancel(req.Context())
	done := func() {}
	if t.track != nil {
		var err error
		if done, err = t.track(cancel); err != nil {
			cancel()
			closeBody()
			return nil, err
		}
	}
	x := newExchange(req, cancel)
	go func() {
		defer done()
		defer cancel()
		defer closeBody()
		defer x.finish()
		t.handler.ServeHTTP(x, x.serverRequest(ctx))
	}()
	select {
	case <-x.started:
		return x.response()
	case <-req.Context().Done():
		x.abort(req.Context().Err())
		return nil, req.Context().Err()
	}
}

// maxBuffered is how many bytes of a response body may wait for the reader
// before the handler is held up.
const maxBuffered = 64 << 10

// exchange is one request and its response: the handler's ResponseWriter on one
// side, the client's response body on the other.
type exchange struct {
	req    *http.Request
	cancel context.CancelFunc

	header  http.Header   // the handler's
	started chan struct{} // closed when the status is known, or the exchange has failed
	once    sync.Once     // closes started

	mu      sync.Mutex
	changed *sync.Cond // on mu: buffer or state
	status  int
	sent    http.Header // copy of header when the status was written
	buffer  []byte
	over    bool  // the handler has returned
	err     error // what the reader sees after the buffer; nil: io.EOF
	failed  error // the exchange failed before a status was known
	closed  error // the client is gone: what writes return
}

func newExchange(req *http.Request, cancel context.CancelFunc) *exchange {
	x := &exchange{req: req, cancel: cancel, header: make(http.Header), started: make(chan struct{})}
	x.changed = sync.NewCond(&x.mu)
	return x
}

// serverRequest is the request as a server would hand it to a handler.
func (x *exchange) serverRequest(ctx context.Context) *http.Request {
	r := x.req.Clone(ctx)
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = "192.0.2.1:49152" // TEST-NET-1 (RFC 5737)
	if r.URL.Scheme == "https" {
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: r.URL.Hostname()}
	}
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	return r
}

// Header implements http.ResponseWriter.
func (x *exchange) Header() http.Header { return x.header }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.writeHeader(status)
}

func (x *exchange) writeHeader(status int) {
	if x.status != 0 || status >= 100 && status < 200 {
		return
	}
	x.status = status
	x.sent = x.header.Clone()
	// As in net/http, a nil value suppresses the field.
	if _, said := x.sent["Date"]; !said {
		x.sent.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	maps.DeleteFunc(x.sent, func(_ string, values []string) bool { return len(values) == 0 })
	x.once.Do(func() { close(x.started) })
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.status == 0 {
		if x.header.Get("Content-Type") == "" {
			x.header.Set("Content-Type", http.DetectContentType(p))
		}
		x.writeHeader(http.StatusOK)
	}
	if x.req.Method == http.MethodHead {
		return len(p), nil
	}
	if !bodyAllowed(x.status) {
		return 0, http.ErrBodyNotAllowed
	}
	n := 0
	for n < len(p) {
		for x.closed == nil && len(x.buffer) >= maxBuffered {
			x.changed.Wait()
		}
		if x.closed != nil {
			return n, x.closed
		}
		m := min(len(p)-n, maxBuffered-len(x.buffer))
		x.buffer = append(x.buffer, p[n:n+m]...)
		n += m
		x.changed.Broadcast()
	}
	return n, nil
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// Flush implements http.Flusher.
func (x *exchange) Flush() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.status == 0 {
		x.writeHeader(http.StatusOK)
	}
}

// refuse makes the exchange fail as if nothing listened at the address.
func (x *exchange) refuse() { x.fail(errRefused()) }

func (x *exchange) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.status == 0 && x.failed == nil {
		x.failed = err
	}
	if x.err == nil {
		x.err = io.ErrUnexpectedEOF
	}
	x.once.Do(func() { close(x.started) })
}

// finish runs when the handler has returned, or panicked.
func (x *exchange) finish() {
	// As in net/http, a panic breaks the connection and takes no program down;
	// http.ErrAbortHandler says so in as many words.
	if p := recover(); p != nil {
		err := io.ErrUnexpectedEOF
		if e, ok := p.(error); !ok || !errors.Is(e, http.ErrAbortHandler) {
			err = fmt.Errorf("jwtbearertest: the handler panicked: %v", p)
		}
		x.fail(err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failed == nil {
		x.writeHeaderAtEnd()
	}
	x.over = true
	x.changed.Broadcast()
}

func (x *exchange) writeHeaderAtEnd() {
	if x.status == 0 {
		x.header.Set("Content-Length", "0")
		x.writeHeader(http.StatusOK)
	}
}

// abort ends the exchange from the client's side.
func (x *exchange) abort(err error) {
	x.mu.Lock()
	if x.closed == nil {
		x.closed = err
		x.buffer = nil
	}
	x.changed.Broadcast()
	x.mu.Unlock()
	x.cancel()
}

// response is what the client gets.
func (x *exchange) response() (*http.Response, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failed != nil {
		return nil, cmp.Or(x.req.Context().Err(), x.failed)
	}
	length := int64(-1)
	if s := x.sent.Get("Content-Length"); s != "" {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
			length = n
		}
	}
	res := &http.Response{
		Status:        fmt.Sprintf("%d %s", x.status, http.StatusText(x.status)),
		StatusCode:    x.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        x.sent,
		Request:       x.req,
		TLS:           nil,
		ContentLength: length,
	}
	if x.req.URL.Scheme == "https" {
		res.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: x.req.URL.Hostname()}
	}
	if x.req.Method == http.MethodHead || !bodyAllowed(x.status) {
		res.Body = http.NoBody
		return res, nil
	}
	body := &responseBody{x: x}
	// The request's context rules the body as well, after RoundTrip has returned.
	body.stop = context.AfterFunc(x.req.Context(), func() { x.abort(x.req.Context().Err()) })
	res.Body = body
	return res, nil
}

// responseBody is the client's end of a response body.
type responseBody struct {
	x    *exchange
	stop func() bool
}

// Read implements io.Reader.
func (b *responseBody) Read(p []byte) (int, error) {
	x := b.x
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		switch {
		case x.closed != nil:
			return 0, x.closed
		case len(x.buffer) > 0:
			n := copy(p, x.buffer)
			x.buffer = x.buffer[n:]
			x.changed.Broadcast()
			return n, nil
		case x.over:
			// A handler may break off because the client's context ended; that is
			// then what the client is told.
			return 0, cmp.Or(x.req.Context().Err(), x.err, io.EOF)
		case len(p) == 0:
			return 0, nil
		}
		x.changed.Wait()
	}
}

// Close implements io.Closer: the handler's context ends.
func (b *responseBody) Close() error {
	b.stop()
	b.x.abort(errBodyClosed)
	return nil
}

var errBodyClosed = errors.New("http: read on closed response body")
