package introspection_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/introspection"
)

// answering is a transport that answers with a body of its own.
type answering func() (io.Reader, error)

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := f()
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// TestAnswersThatAreNotWhole: what was read so far may say yes, and is no answer.
func TestAnswersThatAreNotWhole(t *testing.T) {
	const yes = `{"active":true}`
	for name, test := range map[string]struct {
		body io.Reader
		good bool
	}{
		"whole":                         {strings.NewReader(yes), true},
		"spaces up to the bound":        {strings.NewReader(yes + strings.Repeat(" ", 1<<16-1-len(yes))), true},
		"one space more":                {strings.NewReader(yes + strings.Repeat(" ", 1<<16-len(yes))), false},
		"spaces, and more behind":       {strings.NewReader(yes + strings.Repeat(" ", 1<<17) + "x"), false},
		"a connection that breaks":      {io.MultiReader(strings.NewReader(yes), broken{errors.New("reset")}), false},
		"an expiry that is out of time": {strings.NewReader(`{"active":true,"exp":1e20}`), false},
		"an expiry that is null":        {strings.NewReader(`{"active":true,"exp":null}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, introspection.Options{HTTPClient: &http.Client{Transport: answering(func() (io.Reader, error) { return test.body, nil })}})
			body, err := c.Introspect(t.Context(), "t")
			if test.good && (err != nil || string(body) != yes) || !test.good && !isUnknown(err) {
				t.Errorf("got %q, error %v, want it accepted: %v", body, err, test.good)
			}
		})
	}
}

// TestErrorsOfTheTransport: they are text only. An address may hold a key, and what
// became of the request's own time says nothing about the caller's.
func TestErrorsOfTheTransport(t *testing.T) {
	for name, wrapped := range map[string]error{
		"a deadline":     context.DeadlineExceeded,
		"a cancellation": context.Canceled,
		"anything":       errors.New("reset"),
	} {
		c, err := introspection.New(endpoint+"?key=hunter2", &introspection.Options{
			ClientID: "api1", ClientSecret: "s", Logger: quiet,
			HTTPClient: &http.Client{Transport: answering(func() (io.Reader, error) { return nil, wrapped })},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Introspect(t.Context(), "the-token")
		if !isUnknown(err) || errors.Is(err, wrapped) {
			t.Errorf("%s: got %v, want an error that is nothing else", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "the-token") || !strings.Contains(err.Error(), wrapped.Error())) {
			t.Errorf("%s: the error tells too much, or not why: %v", name, err)
		}
		c.Close()
	}
}

// TestTimeoutIsNotTheCallers: who has time left is not told that it is over.
func TestTimeoutIsNotTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, introspection.Options{HTTPClient: authority(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })})
		start := time.Now()
		_, err := c.Introspect(t.Context(), "t")
		if !isUnknown(err) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want an error that is not the end of the caller's time", err)
		}
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("took %v, want 5s", d)
		}
	})
}

// TestWhoIsGoneAsksNobody: a request that has ended costs the authority nothing.
func TestWhoIsGoneAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := newClient(t, introspection.Options{HTTPClient: authority(func(w http.ResponseWriter, r *http.Request) {
			asked++
			says(`{"active":true}`)(w, r)
		})})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Introspect(ctx, "t"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want its context's error", err)
		}
		synctest.Wait()
		if asked != 0 {
			t.Errorf("the authority was asked %d times, want never", asked)
		}
	})
}
