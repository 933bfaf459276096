package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

const (
	// recheck is how often a running stream's token and session are judged again.
	recheck = time.Second
	// writeTimeout is how long one event may take to leave: a reader who has
	// stopped reading must not hold a stream for ever.
	writeTimeout = 10 * time.Second
)

// streams is an API with one stream of events for each caller:
//
//	GET  /events                  server-sent events; the first one names the stream
//	POST /events/{stream}/token   the request's own token takes the place of the stream's
type streams struct {
	every time.Duration // between two events

	mu   sync.Mutex
	open map[string]context.Context // by the name of the stream
}

// newStreams returns the API, which sends an event at every interval.
func newStreams(verifier *jwtbearer.Verifier, audience string, every time.Duration) http.Handler {
	s := &streams{every: every, open: make(map[string]context.Context)}
	mux := http.NewServeMux()
	// This rule is all that a stream needs: its context ends with its token.
	mux.Handle("GET /events", verifier.Require(audience, jwtbearer.Recheck(recheck))(http.HandlerFunc(s.serve)))
	mux.Handle("POST /events/{stream}/token", verifier.Require(audience)(http.HandlerFunc(s.renew)))
	return mux
}

func (s *streams) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	name := rand.Text()
	s.add(name, r.Context())
	defer s.remove(name)

	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	if send(w, "stream", name) != nil {
		return
	}
	for {
		select {
		case now := <-ticker.C:
			if send(w, "time", now.UTC().Format(time.RFC3339)) != nil {
				return
			}
		case <-r.Context().Done():
			_ = send(w, "end", reason(r.Context())) // fails if it is the client who has gone
			return
		}
	}
}

// reason is the short name of why the stream ends, such as "expired" or
// "session_ended": a client renews its token, or asks its user to sign in.
func reason(ctx context.Context) string {
	var refused *jwtbearer.Error
	if errors.As(context.Cause(ctx), &refused) {
		return refused.Reason.String()
	}
	return "closed"
}

func send(w http.ResponseWriter, event, data string) error {
	control := http.NewResponseController(w)
	// Not every ResponseWriter has deadlines; the stream works without.
	_ = control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data); err != nil {
		return err
	}
	return control.Flush()
}

// renew hands a renewed token to a stream, which lives for as long as it does
// from then on. Extend refuses a token of another subject.
func (s *streams) renew(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	stream := s.open[r.PathValue("stream")]
	s.mu.Unlock()
	if stream == nil {
		http.NotFound(w, r)
		return
	}
	if err := jwtbearer.Extend(stream, jwtbearer.TokenFrom(r.Context()).Raw()); err != nil {
		http.Error(w, "the stream cannot go on with this token", http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *streams) add(name string, ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[name] = ctx
}

func (s *streams) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, name)
}
