package renew_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

func TestTokenStaysWithTheAPI(t *testing.T) {
	for _, target := range []string{
		"https://other.test/orders",
		"https://api.test.other.test/orders",
		"https://api.test:8443/orders",
		"http://api.test/orders",
		"http://api.test:443/orders",
	} {
		t.Run(target, func(t *testing.T) {
			w := newWorld(t)
			body := &closeRecorder{Reader: strings.NewReader("x")}
			_, err := w.client.Post(target, "text/plain", body)
			if !errors.Is(err, renew.ErrOtherOrigin) {
				t.Errorf("got %v, want %v", err, renew.ErrOtherOrigin)
			}
			if !body.closed {
				t.Error("the request's body was not closed")
			}
			if n := len(w.api.sent()); n != 0 {
				t.Errorf("got %d calls, want none", n)
			}
		})
	}
	for _, target := range []string{"https://api.test", "https://API.test:443/orders"} {
		t.Run(target, func(t *testing.T) {
			w := newWorld(t)
			if resp, err := w.client.Get(target); err != nil || resp.StatusCode != 200 {
				t.Errorf("got %v %v, want 200", resp, err)
			}
		})
	}
	t.Run("a redirect to another origin", func(t *testing.T) {
		w := newWorld(t)
		w.api.answer = func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "https://other.test/", http.StatusFound)
		}
		w.wantError(renew.ErrOtherOrigin)
		if n := len(w.api.sent()); n != 1 {
			t.Errorf("got %d calls, want 1", n)
		}
	})
}

func TestRequestIsNotChanged(t *testing.T) {
	w := newWorld(t)
	w.refuseOld()
	req, _ := http.NewRequest("GET", apiURL, nil)
	req.Header.Set("Authorization", "Basic abc")
	resp, err := w.client.Transport.RoundTrip(req)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("got %v %v", resp, err)
	}
	if got := req.Header.Get("Authorization"); got != "Basic abc" {
		t.Errorf("the request has Authorization %q now", got)
	}
}

func TestDiscardedResponsesAreDrainedAndClosed(t *testing.T) {
	for _, size := range []int{0, 100, 1 << 20} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			w := newWorld(t)
			w.api.answer = func(rw http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "Bearer access-0" {
					rw.Header().Set("WWW-Authenticate", refusal)
					rw.WriteHeader(401)
					io.WriteString(rw, strings.Repeat("x", size))
				}
			}
			w.wantStatus(200)
			first := w.base.bodies[0]
			if !first.closed.Load() || first.read < min(size, 16<<10) || first.read > 16<<10 {
				t.Errorf("closed: %v, read: %d of %d bytes", first.closed.Load(), first.read, size)
			}
		})
	}
	t.Run("also when the refresh fails", func(t *testing.T) {
		w := newWorld(t)
		w.refuseOld()
		w.authority.answer = func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(500) }
		w.wantError(renew.ErrRefreshFailed)
		if !w.base.bodies[0].closed.Load() {
			t.Error("the body of the 401 was not closed")
		}
		req, _ := http.NewRequest("POST", apiURL, io.NopCloser(strings.NewReader("x")))
		if _, err := w.client.Do(req); !errors.Is(err, renew.ErrRefreshFailed) {
			t.Fatalf("got %v", err)
		}
		if !w.base.bodies[1].closed.Load() {
			t.Error("the body of the 401 of a request that cannot be repeated was not closed")
		}
	})
}

// newStalled returns a body of which the beginning comes and no more, until it
// is closed.
func newStalled() io.ReadCloser {
	out, in := io.Pipe()
	go io.WriteString(in, "{")
	return out
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestStalledBodiesDoNotHoldARequestUp(t *testing.T) {
	t.Run("of the API", func(t *testing.T) {
		for _, length := range []int64{-1, 100} {
			synctest.Test(t, func(t *testing.T) {
				var base *handlerTransport
				w := newWorld(t, func(o *renew.Options) {
					base = o.Base.(*handlerTransport)
					o.Base = roundTripper(func(req *http.Request) (*http.Response, error) {
						resp, err := base.RoundTrip(req)
						if err == nil && resp.StatusCode == 401 {
							resp.Body, resp.ContentLength = newStalled(), length
						}
						return resp, err
					})
				})
				w.refuseOld()
				start := time.Now()
				w.wantStatus(200)
				if took := time.Since(start); took > time.Second {
					t.Errorf("length %d: the request took %v", length, took)
				}
			})
		}
	})
	t.Run("of the authority", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(o *renew.Options) {
				authority := o.HTTPClient.Transport
				o.HTTPClient = &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
					resp, err := authority.RoundTrip(req)
					if err == nil && resp.StatusCode == 503 {
						resp.Body = newStalled()
					}
					return resp, err
				})}
			})
			w.refuseOld()
			w.authority.answer = func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(503) }
			start := time.Now()
			w.wantError(renew.ErrRefreshFailed)
			if took := time.Since(start); took > time.Second {
				t.Errorf("the request took %v", took)
			}
		})
	})
}

func TestWithoutARefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		tokens := renew.NewTokens("access-0", "", "id-0", time.Now(), time.Minute)
		w.store.put(sessionID, tokens)
		w.refuseOld()
		time.Sleep(time.Hour)
		w.wantStatus(401)
		if w.store.loads != 1 {
			t.Errorf("got %d reads of the store, want 1: there is nothing to renew", w.store.loads)
		}
		if _, err := w.renewer.Renew(t.Context(), sessionID, tokens); !errors.Is(err, renew.ErrNoRefreshToken) {
			t.Errorf("got %v, want %v", err, renew.ErrNoRefreshToken)
		}
		if w.authority.discovery != 0 {
			t.Error("the authority was asked")
		}
	})
}

func TestClientAuthentication(t *testing.T) {
	for _, test := range []struct {
		name         string
		methods      []string
		secret       string
		basic        string
		formID, form string
	}{
		{"nothing said", nil, "hush hush", "shop:hush+hush", "", ""},
		{"basic offered", []string{"client_secret_post", "client_secret_basic"}, "hush hush", "shop:hush+hush", "", ""},
		{"post only", []string{"client_secret_post"}, "hush hush", ":", "shop", "hush hush"},
		{"a public client", []string{"client_secret_basic", "none"}, "", ":", "shop", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, func(o *renew.Options) { o.ClientSecret = test.secret; o.Resource = "urn:orders" })
			if test.methods != nil {
				w.authority.metadata = map[string]any{"token_endpoint_auth_methods_supported": test.methods}
			}
			w.refuseOld()
			w.wantStatus(200)
			form := w.authority.forms[0]
			if got := w.authority.basic[0]; got != test.basic {
				t.Errorf("got basic %q, want %q", got, test.basic)
			}
			if form.Get("client_id") != test.formID || form.Get("client_secret") != test.form || form.Get("resource") != "urn:orders" {
				t.Errorf("got the form %v", form)
			}
		})
	}
}

func TestTokenEndpointWithoutTLS(t *testing.T) {
	for _, test := range []struct {
		issuer string
		good   bool
	}{{"https://id.test", false}, {"http://id.test", true}} {
		w := newWorld(t, func(o *renew.Options) { o.Issuer, o.InsecureAllowHTTP = test.issuer, true })
		w.authority.metadata = map[string]any{"issuer": test.issuer, "token_endpoint": "http://id.test/token"}
		w.refuseOld()
		if status, _, err := w.get(); (status == 200) != test.good {
			t.Errorf("%s: got %d %v", test.issuer, status, err)
		}
	}
}

func TestCheckOfTheRenewedIdentity(t *testing.T) {
	t.Run("another person ends the session", func(t *testing.T) {
		w := newWorld(t, func(o *renew.Options) {
			o.Check = func(_ context.Context, session string, old, renewed renew.Tokens) error {
				return fmt.Errorf("%w: in %s, %s became %s", renew.ErrSessionEnded, session, old.IDToken, renewed.IDToken)
			}
		})
		w.refuseOld()
		w.wantError(renew.ErrSessionEnded)
		if _, err := w.store.Load(t.Context(), sessionID); !errors.Is(err, renew.ErrSessionEnded) {
			t.Error("the session is still there")
		}
	})
	t.Run("another person's tokens are never stored, even if the session cannot be ended", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(o *renew.Options) {
				o.Store = endless{o.Store.(*sessions)}
				o.Check = func(context.Context, string, renew.Tokens, renew.Tokens) error { return renew.ErrSessionEnded }
			})
			w.refuseOld()
			for range 3 {
				w.get()
				if got := w.held().RefreshToken; got != "refresh-0" {
					t.Fatalf("the store holds %q", got)
				}
				time.Sleep(2 * time.Second)
			}
		})
	})
	t.Run("a check that cannot be made keeps the old identity", func(t *testing.T) {
		w := newWorld(t, func(o *renew.Options) {
			o.Check = func(context.Context, string, renew.Tokens, renew.Tokens) error { return errors.New("no keys") }
		})
		w.refuseOld()
		w.wantStatus(200)
		if got := w.held(); got.IDToken != "id-0" || got.RefreshToken != "refresh-1" {
			t.Errorf("the store holds %q and %q", got.IDToken, got.RefreshToken)
		}
	})
}

// endless is a store that cannot end a session.
type endless struct{ *sessions }

func (endless) End(context.Context, string, renew.Tokens) error { return errors.New("disk full") }

func TestCloseWaitsForTheRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.refuseOld()
		w.authority.delay = 5 * time.Second
		ctx, cancel := context.WithCancel(t.Context())
		go w.renewer.Renew(ctx, sessionID, w.held())
		synctest.Wait()
		cancel()
		w.renewer.Close()
		if got := w.held().RefreshToken; got != "refresh-1" {
			t.Errorf("the store holds %q after Close", got)
		}
		if _, err := w.renewer.Renew(t.Context(), sessionID, w.held()); !errors.Is(err, renew.ErrClosed) {
			t.Errorf("got %v, want %v", err, renew.ErrClosed)
		}
		w.renewer.Close()
	})
}

func TestNoRefreshForACallerThatHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		if _, err := w.renewer.Renew(ctx, sessionID, w.held()); err != gone {
			t.Errorf("got %v, want %v", err, gone)
		}
		synctest.Wait()
		if w.authority.discovery != 0 {
			t.Error("the authority was asked")
		}
	})
}

// The functions of a program run on a goroutine of the Renewer, where nobody
// would recover for them.
func TestPanicsAreFailedRefreshes(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*renew.Options, *bool)
		held   string // the refresh token after the panic
	}{
		{"of Check", func(o *renew.Options, on *bool) {
			o.Check = func(context.Context, string, renew.Tokens, renew.Tokens) error { return boom(on) }
		}, "refresh-0"},
		{"of an event function", func(o *renew.Options, on *bool) {
			o.Events.Renewed = func(context.Context, string, renew.Tokens, renew.Tokens) { boom(on) }
		}, "refresh-1"},
		{"of the Store", func(o *renew.Options, on *bool) {
			o.Store = panicking{o.Store.(*sessions), on}
		}, "refresh-0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := true
				w := newWorld(t, func(o *renew.Options) { test.change(o, &on) })
				w.refuseOld()
				err := w.wantError(renew.ErrRefreshFailed)
				if e, ok := errors.AsType[*renew.Error](err); !ok || e.Step != "panic" || e.Cause.Error() != "boom" {
					t.Errorf("got %v, want the panic", err)
				}
				if got := w.held().RefreshToken; got != test.held {
					t.Errorf("the store holds %q, want %q", got, test.held)
				}
				// And the session lives, without a second use of refresh-0.
				on = false
				time.Sleep(2 * time.Second)
				w.wantStatus(200)
				w.wantRefreshes(1)
				if got := w.held().RefreshToken; got != "refresh-1" {
					t.Errorf("the store holds %q, want refresh-1", got)
				}
			})
		})
	}
}

func boom(on *bool) error {
	if *on {
		panic("boom")
	}
	return nil
}

type panicking struct {
	*sessions
	on *bool
}

func (p panicking) Replace(ctx context.Context, session string, used, renewed renew.Tokens) error {
	boom(p.on)
	return p.sessions.Replace(ctx, session, used, renewed)
}

type idle struct {
	http.RoundTripper
	closed int
}

func (i *idle) CloseIdleConnections() { i.closed++ }

func TestIdleConnectionsAreThoseOfTheBase(t *testing.T) {
	base := &idle{RoundTripper: http.DefaultTransport}
	w := newWorld(t, func(o *renew.Options) { o.Base = base })
	w.client.CloseIdleConnections()
	if base.closed != 1 {
		t.Errorf("got %d calls, want 1", base.closed)
	}
	newWorld(t).client.CloseIdleConnections() // a base without any
}

func TestNewRefusesMistakes(t *testing.T) {
	good := renew.Options{Issuer: issuerURL, ClientID: "shop", API: apiURL, Store: &sessions{}}
	for _, test := range []struct {
		name   string
		change func(*renew.Options)
		want   string // part of the error, "" for none
	}{
		{"nothing wrong", func(*renew.Options) {}, ""},
		{"no issuer", func(o *renew.Options) { o.Issuer = "" }, "Issuer"},
		{"relative issuer", func(o *renew.Options) { o.Issuer = "id.test" }, "Issuer"},
		{"issuer with a query", func(o *renew.Options) { o.Issuer += "?x" }, "Issuer"},
		{"issuer with a password", func(o *renew.Options) { o.Issuer = "https://u:hidden@id.test" }, "Issuer"},
		{"issuer without TLS", func(o *renew.Options) { o.Issuer = "http://id.test" }, "InsecureAllowHTTP"},
		{"API without TLS", func(o *renew.Options) { o.API = "http://api.test" }, "InsecureAllowHTTP"},
		{"without TLS on purpose", func(o *renew.Options) { o.API, o.InsecureAllowHTTP = "http://api.test", true }, ""},
		{"another scheme", func(o *renew.Options) { o.API, o.InsecureAllowHTTP = "ftp://api.test", true }, "API"},
		{"no API", func(o *renew.Options) { o.API = "" }, "API"},
		{"no client", func(o *renew.Options) { o.ClientID = "" }, "ClientID"},
		{"no store", func(o *renew.Options) { o.Store = nil }, "Store"},
		{"negative margin", func(o *renew.Options) { o.Early = -1 }, "Early"},
		{"negative timeout", func(o *renew.Options) { o.Timeout = -1 }, "Timeout"},
		{"endless timeout", func(o *renew.Options) { o.Timeout = time.Hour }, "Timeout"},
		{"negative pause", func(o *renew.Options) { o.Pause = -1 }, "Pause"},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := good
			test.change(&opts)
			_, err := renew.New(opts)
			if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error about %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

func TestTokensDoNotPrint(t *testing.T) {
	tokens := renew.NewTokens("secret-a", "secret-r", "secret-i", time.Now(), time.Minute)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, tokens); strings.Contains(got, "secret") {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

// TestManySessions is for the race detector: real goroutines, real time.
func TestManySessions(t *testing.T) {
	w := newWorld(t)
	w.authority.answer = func(rw http.ResponseWriter, r *http.Request) {
		writeJSON(rw, 200, map[string]any{"access_token": "new-" + r.PostFormValue("refresh_token"), "token_type": "Bearer"})
	}
	w.api.answer = func(rw http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer new-") {
			rw.Header().Set("WWW-Authenticate", refusal)
			rw.WriteHeader(401)
		}
	}
	const sessions = 20
	var wg sync.WaitGroup
	for i := range sessions {
		id := fmt.Sprint("session-", i)
		w.store.put(id, renew.NewTokens("old", "refresh-"+id, "", time.Now(), time.Minute))
		client := &http.Client{Transport: &renew.Transport{Renewer: w.renewer, Session: id}}
		for range 10 {
			wg.Go(func() {
				if resp, err := client.Get(apiURL); err != nil || resp.StatusCode != 200 {
					t.Errorf("got %v %v, want 200", resp, err)
				}
			})
		}
	}
	wg.Wait()
	w.wantRefreshes(sessions)
}
