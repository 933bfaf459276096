//go:build integration

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// patience bounds each step in the browser. It is generous: the machine may be
// busy, and a step that works does not use it up.
const patience = 30 * time.Second

// startProgram runs the program with these flags until the test ends, and
// returns the address to open.
func startProgram(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var log syncBuffer
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-listen", "127.0.0.1:0"}, args...), os.Getenv, in, &log)
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the program ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("the program does not end")
		}
		if secret := regexp.MustCompile(`eyJ[\w-]{20}`); secret.MatchString(log.String()) {
			t.Error("there is a token in the log")
		}
		if t.Failed() {
			t.Logf("the program's log:\n%s", log.String())
		}
	})
	line := make([]byte, 256)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("the program did not start: %v\n%s", err, log.String())
	}
	go io.Copy(io.Discard, out)
	return strings.TrimSpace(strings.TrimPrefix(string(line[:n]), "Open "))
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// browser is one tab of a headless Chromium.
type browser struct {
	t     *testing.T
	ctx   context.Context
	shots int
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		path = "/usr/bin/chromium"
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no Chromium: %v; install Debian's package chromium, or set CHROMIUM to the path of one", err)
	}
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless,
		chromedp.NoSandbox, // needed as root; the pages are our own
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.WindowSize(1440, 1000),
	}
	for _, name := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage", "hide-scrollbars"} {
		opts = append(opts, chromedp.Flag(name, true))
	}
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancelAllocator)
	ctx, cancel := chromedp.NewContext(allocator)
	b := &browser{t: t, ctx: ctx}
	for _, err := range []error{
		os.RemoveAll(filepath.Join("screenshots", t.Name())),
		os.MkdirAll(filepath.Join("screenshots", t.Name()), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	// The first action starts the browser and must have no limit of its own.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	messages, read := chromedp.Console(ctx), make(chan struct{})
	go func() {
		defer close(read)
		for m, err := range messages {
			if err != nil {
				return
			}
			// A 401 for a button of an ended session is no mistake.
			if m.IsException() || m.Type == chromedp.ConsoleError && m.Source != "network" {
				t.Errorf("the browser complains: %s", m)
			}
		}
	}()
	t.Cleanup(func() {
		closing, stop := context.WithTimeout(ctx, patience)
		defer stop()
		if err := chromedp.Cancel(closing); err != nil {
			t.Logf("closing Chromium: %v", err)
		}
		cancel()
		<-read
	})
	return b
}

// run does the actions within the patience, or ends the test with a picture.
func (b *browser) run(step string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := b.try(actions...); err != nil {
		b.shot("failed")
		b.t.Fatalf("%s: %v\nthe page says: %s", step, err, b.text("body"))
	}
}

func (b *browser) try(actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

// text returns what an element shows, "" if it is not there.
func (b *browser) text(selector string) string {
	text, _ := eval[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
	return text
}

func eval[T any](b *browser, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

// mustEval is eval for expressions that cannot fail.
func mustEval[T any](b *browser, expression string) T {
	b.t.Helper()
	value, err := eval[T](b, expression)
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

func (b *browser) count(selector string) int {
	b.t.Helper()
	return mustEval[int](b, fmt.Sprintf("document.querySelectorAll(%q).length", selector))
}

// until waits until the element shows the text.
func (b *browser) until(selector, want string) {
	b.t.Helper()
	b.when(fmt.Sprintf("waiting for %q in %s", want, selector),
		fmt.Sprintf("((e) => !!e && e.checkVisibility() && e.innerText.includes(%q))(document.querySelector(%q))", want, selector))
}

// when waits until an expression is true. The page may be replaced meanwhile.
func (b *browser) when(step, expression string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		if ok, err := eval[bool](b, expression); err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			b.shot("failed")
			b.t.Fatalf("%s: in vain\nthe page says: %s", step, b.text("body"))
		}
		time.Sleep(50 * time.Millisecond) // a real browser
	}
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.run("clicking "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// shot keeps a picture of the whole page in screenshots, a folder that git
// ignores, for somebody to look at.
func (b *browser) shot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Logf("screenshot: %v", err)
		return
	}
	b.shots++
	file := filepath.Join("screenshots", b.t.Name(), fmt.Sprintf("%02d-%s.png", b.shots, name))
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		b.t.Error(err)
	}
}

// signIn goes from the page through the sign-in form of our own authority.
func (b *browser) signIn(button string) {
	b.t.Helper()
	b.click(button)
	b.atAuthority()
}

// atAuthority signs in with the authority's form, and waits for the page.
func (b *browser) atAuthority() {
	b.t.Helper()
	b.when("waiting for the authority", "!!document.querySelector('#username') || !!document.querySelector('#who')?.checkVisibility()")
	if b.count("#username") > 0 {
		b.run("signing in", chromedp.SetValue(chromedp.CSS("#username"), "alice"), chromedp.Click(chromedp.CSS("button.first")))
	}
	b.when("waiting for the page", "!!document.querySelector('#who')?.checkVisibility()")
	b.until("#live", "live")
}

func TestBrowser(t *testing.T) {
	address := startProgram(t, "-lifetime", "4s", "-skew", "4s", "-leeway", "1s")
	b := startBrowser(t)

	b.run("opening", chromedp.Navigate(address))
	b.until("main", "token being renewed")
	b.shot("welcome")

	// Sign-in.
	b.signIn("#sign-in")
	if who := b.text("#who"); who == "" {
		t.Error("the page does not say who is signed in")
	}
	b.cookies()

	// A call.
	b.click("#call")
	b.until("#outcome", "The API answered 200")
	b.until("#entries", "GET /orders")
	b.shot("called")

	// Expiry, and a renewal that nobody notices.
	renewals := b.count(".entry.k-renewed")
	b.click("#wait")
	b.until("#outcome", "renewed on the way")
	b.until("#access", fmt.Sprint("A", 2+renewals))
	if got := b.count(".entry.k-renewed"); got != renewals+1 {
		t.Errorf("got %d renewals, want %d", got, renewals+1)
	}
	b.until("#entries", "was rotated")
	b.shot("renewed")

	// The skew zone, and ten refusals that share one refresh.
	b.click("#mode input[value=on-401]")
	b.until("#outcome", "when the API refuses it")
	b.when("waiting for the skew zone", "document.querySelector('#life').dataset.phase === 'skew'")
	b.click("#call")
	b.until("#outcome", "The API answered 200.")
	b.shot("skew")
	b.when("waiting for the end of the skew zone", "document.querySelector('#life').dataset.phase === 'dead'")
	b.shot("expired")
	renewals = b.count(".entry.k-renewed")
	b.click("#call-ten")
	b.until("#outcome", "10 × 200. They shared one refresh.")
	if got := b.count(".entry.k-renewed"); got != renewals+1 {
		t.Errorf("got %d renewals, want %d", got, renewals+1)
	}
	if got := b.count(".entry.to-api .s4xx"); got != 10 {
		t.Errorf("the timeline shows %d refusals, want 10", got)
	}
	b.until("#entries", `error="invalid_token"`)
	b.shot("ten-at-once")
	b.secrets()

	// A spent refresh token, replayed: the chain dies, and with the access token
	// the session ends.
	b.click("#mode input[value=early]")
	b.until("#outcome", "shortly before it expires")
	b.click("#replay")
	b.until("#outcome", "was refused with invalid_grant")
	b.shot("replayed")
	b.click("#wait")
	b.when("waiting for the end of the session", "document.querySelector('#ended')?.checkVisibility()")
	b.until("#outcome", "The session has ended")
	b.until("#outcome", "The sign-in starts in 10 seconds")
	b.until("#soon", "The sign-in starts in")
	b.shot("ended-by-replay")

	// Whoever wants to read the timeline stops the sign-in that starts by itself.
	b.click("#stay")
	b.until("#outcome", "The sign-in waits for you")
	if focused := mustEval[string](b, "document.activeElement.id"); focused != "sign-in-again" {
		t.Errorf("the focus is on %q, want the way to sign in", focused)
	}
	b.shot("stayed")
	eleven := mustEval[float64](b, "performance.now()") + 11_000
	b.when("waiting for longer than the notice", fmt.Sprintf("performance.now() > %f", eleven))
	if b.count("#ended") == 0 {
		t.Error("the sign-in started although it was stopped")
	}
	b.run("reloading", chromedp.Reload())
	b.until("main h1", "The session has ended")

	// A session revoked behind the page's back. The sign-in starts by itself, and
	// the timeline is still there after it.
	b.signIn("#sign-in")
	b.click("#revoke")
	b.until("#outcome", "revoked at the authority")
	b.click("#call")
	b.when("waiting for the end of the session", "document.querySelector('#ended')?.checkVisibility()")
	b.until("#entries", "the session has ended")
	b.shot("ended-by-revocation")
	b.atAuthority()
	b.until("#entries", "the session has ended")
	b.shot("signed-in-again")

	// Sign-out, here and at the authority.
	b.click("#sign-out")
	b.until("#nobody", "Nobody is signed in")
	b.shot("signed-out")
	b.click("#sign-in")
	b.when("waiting for the authority", "!!document.querySelector('#username')")
}

// TestBrowserLooks takes pictures of the page on a narrow screen and in the
// dark, and checks what can be checked without eyes.
func TestBrowserLooks(t *testing.T) {
	address := startProgram(t, "-lifetime", "60s")
	b := startBrowser(t)
	for _, test := range []struct {
		name          string
		width, height int64
		scheme        string
	}{
		{"light-wide", 1440, 1000, "light"},
		{"dark-wide", 1440, 1000, "dark"},
		{"light-narrow", 390, 844, "light"},
		{"dark-narrow", 390, 844, "dark"},
	} {
		b.run(test.name,
			chromedp.EmulateViewport(test.width, test.height),
			chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
				_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{
						{Name: "prefers-color-scheme", Value: test.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
					},
				})
				return err
			}),
			chromedp.Navigate(address))
		if b.count("#sign-in") > 0 {
			b.until("main", "token being renewed")
			b.shot(test.name + "-welcome")
			b.signIn("#sign-in")
		}
		b.until("#live", "live")
		b.click("#call-ten")
		b.until("#outcome", "10 × 200")
		b.click("#replay")
		b.until("#outcome", " was ")
		b.shot(test.name)
		if overflow := mustEval[int](b, "document.documentElement.scrollWidth - innerWidth"); overflow > 0 {
			t.Errorf("%s: the page is %d pixels too wide", test.name, overflow)
		}
		small := mustEval[[]string](b, `[...document.querySelectorAll("button, .button, .mode label")]
			.filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 24).map((e) => e.outerHTML)`)
		if len(small) > 0 {
			t.Errorf("%s: too small to hit: %q", test.name, small)
		}
		for _, text := range mustEval[[]string](b, contrast) {
			t.Errorf("%s: contrast below 4.5: %s", test.name, text)
		}
		if test.name == "dark-wide" {
			b.click("#sign-out")
			b.until("#nobody", "Nobody")
		}
	}
}

// contrast lists the texts whose colour is too close to what is behind them
// (WCAG 2.2, Success Criterion 1.4.3).
const contrast = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const paint = (color, below) => {
		canvas.globalCompositeOperation = "source-over";
		canvas.fillStyle = "rgb(" + below.join() + ")"; canvas.fillRect(0, 0, 1, 1);
		canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
		return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
	};
	const behind = (e) => e ? paint(getComputedStyle(e).backgroundColor, behind(e.parentElement)) : [255, 255, 255];
	const luminance = (c) => {
		const [r, g, b] = c.map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
		return .2126 * r + .7152 * g + .0722 * b;
	};
	const found = new Set();
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility() || e.matches("script, .sr, .skip, noscript *") || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
		const back = behind(e), front = paint(getComputedStyle(e).color, back);
		const [a, b] = [luminance(back), luminance(front)].sort((x, y) => y - x);
		const ratio = (a + .05) / (b + .05);
		if (ratio < 4.5) found.add(ratio.toFixed(2) + " " + e.className + " " + e.textContent.trim().slice(0, 40));
	}
	return [...found];
})()`

// cookies checks what the browser was given to keep.
func (b *browser) cookies() {
	b.t.Helper()
	all, err := chromedp.CallBrowser(b.ctx, storage.GetCookies, storage.GetCookiesParams{})
	if err != nil {
		b.t.Fatal(err)
	}
	if visible := mustEval[string](b, "document.cookie"); visible != "" {
		b.t.Errorf("scripts can read cookies: %q", visible)
	}
	var names []string
	for _, c := range all.Cookies {
		if !strings.HasPrefix(c.Name, "webclient_") {
			continue
		}
		names = append(names, c.Name)
		if !c.HTTPOnly || c.SameSite != network.CookieSameSiteLax || c.Path != "/" {
			b.t.Errorf("cookie %s: HttpOnly %v, SameSite %s, path %s", c.Name, c.HTTPOnly, c.SameSite, c.Path)
		}
		if len(c.Value) > 64 {
			b.t.Errorf("cookie %s has %d bytes; it should be an identifier", c.Name, len(c.Value))
		}
	}
	if !slices.Contains(names, "webclient_session") {
		b.t.Errorf("got cookies %q, without a session", names)
	}
}

// secrets checks that no token got into the page.
func (b *browser) secrets() {
	b.t.Helper()
	html := mustEval[string](b, "document.documentElement.outerHTML")
	if found := regexp.MustCompile(`eyJ[\w-]{10,}`).FindString(html); found != "" {
		b.t.Errorf("the page shows a token: %.20s…", found)
	}
}
