package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

// state is what the page shows beside the timeline.
type state struct {
	SignedIn   bool      `json:"signed_in"`
	Now        time.Time `json:"now"` // the server's clock, which the times below are of
	ObtainedAt time.Time `json:"obtained_at,omitzero"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	Early      float64   `json:"early"` // seconds before ExpiresAt; 0: on a 401 only
	Skew       float64   `json:"skew"`  // seconds
	OnlyOn401  bool      `json:"only_on_401"`
	Access     string    `json:"access"`  // A2
	Refresh    string    `json:"refresh"` // R2
	Message    message   `json:"message"`
}

func (a *App) state(r *http.Request, id string, v *visit) (state, error) {
	s := state{Now: time.Now().UTC(), Skew: a.cfg.ClockSkew.Seconds()}
	s.OnlyOn401, s.Message = v.settings()
	if id == "" {
		return s, nil
	}
	tokens, err := a.store.Load(r.Context(), id)
	if errors.Is(err, renew.ErrSessionEnded) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.SignedIn = true
	s.ObtainedAt, s.ExpiresAt = tokens.ObtainedAt, tokens.ExpiresAt
	s.Access, s.Refresh = v.label('A', tokens.AccessToken).Name, v.label('R', tokens.RefreshToken).Name
	if early := tokens.Early(a.early()); !s.OnlyOn401 && tokens.RefreshToken != "" {
		s.Early = early.Seconds()
	}
	return s, nil
}

// early is the margin of the renewer.
func (a *App) early() time.Duration {
	if a.cfg.Early > 0 {
		return a.cfg.Early
	}
	return renew.DefaultEarly
}

const (
	heartbeat    = 15 * time.Second
	writeTimeout = 10 * time.Second
)

// events streams the timeline and the state as server-sent events: "entry" with
// a line as HTML, and "state" as JSON.
func (a *App) events(w http.ResponseWriter, r *http.Request) {
	v := visitFrom(r.Context())
	if v == nil || !v.openStream() {
		http.Error(w, "Open the page first.", http.StatusTooManyRequests)
		return
	}
	defer v.closeStream()
	id, _, _, ok := a.signedIn(r)
	if !ok {
		id = ""
	}
	// A page knows the entries that it was made with; EventSource repeats the
	// id of the last one it got when it connects again.
	last, err := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	if err != nil {
		last, _ = strconv.Atoi(r.URL.Query().Get("after"))
	}

	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	for {
		entries, changed := v.since(last)
		var out bytes.Buffer
		for _, e := range entries {
			html, err := a.page.entry(e)
			if err != nil {
				a.log.ErrorContext(r.Context(), "timeline", "error", err)
				return
			}
			last = e.ID
			data, _ := json.Marshal(html) // a JSON string has no line breaks
			fmt.Fprintf(&out, "id: %d\nevent: entry\ndata: %s\n\n", e.ID, data)
		}
		now, err := a.state(r, id, v)
		if err != nil {
			a.log.ErrorContext(r.Context(), "timeline", "error", err)
			return
		}
		data, _ := json.Marshal(now)
		fmt.Fprintf(&out, "event: state\ndata: %s\n\n", data)

		control.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := w.Write(out.Bytes()); err != nil {
			return
		}
		if control.Flush() != nil {
			return
		}
		beat := time.NewTimer(heartbeat)
		select {
		case <-changed:
		case <-beat.C:
		case <-v.moved:
			beat.Stop()
			return
		case <-r.Context().Done():
			beat.Stop()
			return
		case <-a.closing:
			beat.Stop()
			return
		}
		beat.Stop()
	}
}
