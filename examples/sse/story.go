package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// life is that of the access tokens.
const life = 4 * time.Second

// story opens streams and tells how they end.
type story struct {
	out      io.Writer
	api      string
	client   *http.Client
	issuer   *jwtbearertest.Issuer
	sessions session.Store

	began time.Time
	mu    sync.Mutex // guards out
}

// scene is one stream: what is done to it after a while, and how it must end.
type scene struct {
	name   string
	plan   string
	after  time.Duration
	do     func(ctx context.Context, stream string) error // nil: nothing
	reason string                                         // of the end
	from   time.Duration                                  // when the end may come
	until  time.Duration
}

var errDiffers = errors.New("a stream did not end as it should")

// tell plays all scenes at once, and returns an error if one goes another way.
func (s *story) tell(ctx context.Context) error {
	scenes := []scene{
		{"expiry", "nothing is done to it", 0, nil, "expired", life - 2*time.Second, life + time.Second},
		{"sign-out", "its session ends after 1.5 s", 1500 * time.Millisecond, func(ctx context.Context, _ string) error {
			return s.sessions.Revoke(ctx, session.Key{Issuer: s.issuer.URL(), ID: "sign-out"})
		}, "session_ended", 1500 * time.Millisecond, 1500*time.Millisecond + recheck + time.Second},
		{"renewal", "it is handed a renewed token after 2 s", 2 * time.Second, func(ctx context.Context, stream string) error {
			return s.renew(ctx, stream, s.token("renewal", "renewal"))
		}, "expired", life + time.Second, life + 3*time.Second},
		{"theft", "it is handed another subject's token after 2 s", 2 * time.Second, func(ctx context.Context, stream string) error {
			if err := s.renew(ctx, stream, s.token("mallory", "mallory")); err == nil {
				return errors.New("the token of another subject was taken")
			}
			return nil
		}, "expired", life - 2*time.Second, life + time.Second},
	}
	fmt.Fprintf(s.out, "Tokens live %v, streams are judged again every %v.\n\n", life, recheck)
	s.began = time.Now()
	failures := make([]error, len(scenes))
	var group sync.WaitGroup
	for i, scene := range scenes {
		group.Go(func() { failures[i] = s.play(ctx, scene) })
	}
	group.Wait()
	err := errors.Join(failures...)
	if err == nil {
		fmt.Fprintf(s.out, "\nAll %d streams ended as they should.\n", len(scenes))
	}
	return err
}

// say writes a line of the timeline.
func (s *story) say(name, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%5.1f s  %-9s %s\n", time.Since(s.began).Seconds(), name, what)
}

func (s *story) token(subject, sid string) string {
	return s.issuer.Token("api1", jwtbearertest.Subject(subject), jwtbearertest.Claim("sid", sid), jwtbearertest.ExpiresIn(life))
}

func (s *story) play(ctx context.Context, c scene) error {
	ctx, cancel := context.WithTimeout(ctx, 5*life)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+"/events", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.token(c.name, c.name))
	res, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s: %s", errDiffers, c.name, res.Status)
	}
	s.say(c.name, "opens; "+c.plan)
	opened := time.Now()

	events := 0
	acted := make(chan error, 1)
	var stream string
	for event, data := range readEvents(res.Body) {
		switch event {
		case "stream":
			stream = data
			if c.do == nil {
				acted <- nil
				continue
			}
			timer := time.AfterFunc(c.after, func() {
				acted <- c.do(ctx, stream)
				s.say(c.name, "is acted upon")
			})
			defer timer.Stop()
		case "time":
			events++
		case "end":
			took := time.Since(opened)
			s.say(c.name, fmt.Sprintf("ends after %d events: %s", events, data))
			if err := <-acted; err != nil {
				return fmt.Errorf("%w: %s: %w", errDiffers, c.name, err)
			}
			if data != c.reason || took < c.from || took > c.until {
				return fmt.Errorf("%w: %s: ended after %v by %q, want %q after %v to %v", errDiffers, c.name, took, data, c.reason, c.from, c.until)
			}
			return nil
		}
	}
	return fmt.Errorf("%w: %s: it was cut off", errDiffers, c.name)
}

// renew hands a token to a stream.
func (s *story) renew(ctx context.Context, stream, token string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.api+"/events/"+stream+"/token", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		return errors.New(res.Status)
	}
	return nil
}

// readEvents yields the events of a stream, as this program's own API writes them.
func readEvents(body io.Reader) func(yield func(event, data string) bool) {
	return func(yield func(event, data string) bool) {
		lines := bufio.NewScanner(body)
		event := ""
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = name
			} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && !yield(event, data) {
				return
			}
		}
	}
}
