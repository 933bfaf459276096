package jwks_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

// once starts a set whose key set is answered by f and returns how the first
// refresh ended.
func once(t *testing.T, f fault) error {
	t.Helper()
	var err error
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.keySet = f
		_, err = newSet(t, a, nil).Find(context.Background(), "a", "ES256")
	})
	return err
}

func padded(doc string, size int) string { return strings.Repeat(" ", size-len(doc)) + doc }

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func TestBodies(t *testing.T) {
	const limit = 1 << 20
	doc := document(ecJWK("a"))
	encoded := func(encoding, text string) fault {
		return func(req *http.Request) (*http.Response, error) {
			resp := reply(req, 200, "application/json", text)
			resp.Header.Set("Content-Encoding", encoding)
			return resp, nil
		}
	}
	tests := []struct {
		name string
		f    fault
		want string // part of the error; "": accepted
	}{
		{"as it is", body("application/json", doc), ""},
		{"at the limit", body("application/json", padded(doc, limit)), ""},
		{"one byte above", body("application/json", padded(doc, limit+1)), "larger than 1048576 bytes"},
		{"gzip", encoded("gzip", packed(doc)), ""},
		{"gzip at the limit", encoded("gzip", packed(padded(doc, limit))), ""},
		{"gzip one byte above", encoded("gzip", packed(padded(doc, limit+1))), "larger than 1048576 bytes"},
		{"gzip bomb", bomb(doc), "larger than 1048576 bytes"},
		{"gzip that is none", encoded("gzip", doc), "not the gzip"},
		{"gzip cut off", encoded("gzip", packed(doc)[:40]), "breaks off"},
		{"identity", encoded("identity", doc), ""},
		{"unknown encoding", encoded("br", doc), `"br"`},
		{"cut off", body("application/json", doc[:len(doc)-1]), "ends too early"},
		{"two documents", body("application/json", doc+doc), "follows"},
		{"another content type", body("text/html", doc), ""},
		{"no content type", body("", doc), ""},
		{"body that fails", func(req *http.Request) (*http.Response, error) {
			resp := reply(req, 200, "", "")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(doc[:20]), failing{}))
			return resp, nil
		}, "breaks off after 20 bytes"},
		{"500", status(500), "500 Internal Server Error"},
		{"302 without a place", status(302), "302"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := once(t, test.f)
			if test.want == "" && err != nil || test.want != "" && !errors.Is(err, jwks.ErrUnavailable) {
				t.Fatalf("got %v, want an error: %v", err, test.want != "")
			}
			if test.want != "" && !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error %q does not have %q", err, test.want)
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// What an error says goes to logs: nothing of a body, a query or a password.
func TestErrorsTellNoSecrets(t *testing.T) {
	const secret = "hunter2"
	faults := map[string]fault{
		"body":               body("application/json", "<"+secret),
		"body of a 500":      func(req *http.Request) (*http.Response, error) { return reply(req, 500, "", secret), nil },
		"redirect":           redirect("http://user:" + secret + "@id.example.com/x?key=" + secret),
		"redirect in a ring": redirect(testIssuer + "/keys?key=" + secret),
		"refused":            refusing,
		"hanging":            hanging,
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority()
				a.fail(f)
				var log logged
				s := newSet(t, a, &jwks.Options{JWKSURL: testIssuer + "/keys?key=" + secret, Logger: log.logger()})
				time.Sleep(30 * time.Second)
				err := s.Ready()
				if err == nil || strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows the secret: %v", err)
				}
				if status := s.Status(); strings.Contains(status.LastError+status.KeysURL+status.MetadataURL, secret) {
					t.Errorf("the status shows the secret: %+v", status)
				}
				if strings.Contains(log.String(), secret) {
					t.Errorf("the log shows the secret: %s", log.String())
				}
			})
		})
	}
}

func TestRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		ready(t, newSet(t, a, nil))
		for _, req := range a.seen {
			if req.Method != http.MethodGet {
				t.Errorf("%s: method %s", req.URL, req.Method)
			}
			if got := req.UserAgent(); !strings.HasPrefix(got, "bearerguard/") || !strings.Contains(got, "github.com/bearerguard/bearerguard") {
				t.Errorf("%s: User-Agent %q", req.URL, got)
			}
			if got := req.Header.Get("Accept"); !strings.Contains(got, "application/json") {
				t.Errorf("%s: Accept %q", req.URL, got)
			}
			if deadline, ok := req.Context().Deadline(); !ok || time.Until(deadline) > 10*time.Second {
				t.Errorf("%s: no deadline of 10s", req.URL)
			}
		}
	})
}

// The caller's client is used, and left as it was.
func TestCallersClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(ecJWK("a"))
		a.keySet = func(req *http.Request) (*http.Response, error) {
			if req.URL.Path == "/keys" {
				return redirect(testIssuer + "/elsewhere")(req)
			}
			return body("", document(ecJWK("a")))(req)
		}
		var asked []string
		var refuse bool
		client := &http.Client{
			Transport: a,
			CheckRedirect: func(req *http.Request, via []*http.Request) error {
				asked = append(asked, req.URL.Path)
				if refuse {
					return errors.New("not for us")
				}
				return nil
			},
		}
		s := newSet(t, a, &jwks.Options{HTTPClient: client})
		ready(t, s)
		if len(asked) != 1 || asked[0] != "/elsewhere" {
			t.Errorf("its CheckRedirect was asked about %q", asked)
		}
		refuse = true
		if err := s.Refresh(context.Background()); err == nil || !strings.Contains(err.Error(), "not for us") {
			t.Errorf("its refusal: got %v", err)
		}
		client.Transport = nil // ours is a copy
		refuse = false
		if err := s.Refresh(context.Background()); err != nil {
			t.Errorf("after the caller changed its client: %v", err)
		}
		if client.CheckRedirect == nil || client.Timeout != 0 || client.Jar != nil {
			t.Error("the caller's client was changed")
		}
	})
}

// Whatever the answer, its body is closed, or connections would leak.
func TestBodiesAreClosed(t *testing.T) {
	for name, f := range map[string]fault{
		"200": body("", document(ecJWK("a"))), "404": status(404), "500": status(500), "304": status(304),
		"redirect": redirect("http://id.example.com/"), "endless": endless, "HTML": body("text/html", "<"), "loris": slowLoris,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				open := 0
				a := newAuthority()
				a.fail(func(req *http.Request) (*http.Response, error) {
					resp, err := f(req)
					mu.Lock()
					open++
					mu.Unlock()
					resp.Body = &counted{ReadCloser: resp.Body, closed: func() { mu.Lock(); open--; mu.Unlock() }}
					return resp, err
				})
				s := newSet(t, a, &jwks.Options{JWKSURL: testIssuer + "/keys"})
				time.Sleep(time.Minute)
				_ = s.Close()
				if open != 0 {
					t.Errorf("%d bodies were not closed", open)
				}
			})
		})
	}
}

type counted struct {
	io.ReadCloser
	once   sync.Once
	closed func()
}

func (c *counted) Close() error { c.once.Do(c.closed); return c.ReadCloser.Close() }
