package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed static page.html
var files embed.FS

// page renders the one page and serves what it loads.
type page struct {
	template *template.Template
	static   http.Handler
}

func newPage() (*page, error) {
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, err
	}
	// The address of a file changes with its content, so that a browser may keep
	// it for ever and still never shows an old one.
	versions := make(map[string]string)
	err = fs.WalkDir(static, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(static, name)
		sum := sha256.Sum256(data)
		versions[name] = hex.EncodeToString(sum[:6])
		return err
	})
	if err != nil {
		return nil, err
	}
	p := &page{}
	p.template, err = template.New("page.html").Funcs(template.FuncMap{
		"asset": func(name string) string { return "/static/" + name + "?v=" + versions[name] },
		"clock": func(t time.Time) string { return t.Format("15:04:05.000") },
		"took":  took,
		"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"class": func(status int) string { return string("?12345"[min(max(status/100, 0), 5)]) + "xx" },
		"lines": func(s string) []string { return strings.Split(s, "\n") },
	}).ParseFS(files, "page.html")
	if err != nil {
		return nil, err
	}
	server := http.FileServerFS(static)
	p.static = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Clean(r.URL.Path)
		if _, ok := versions[name]; !ok {
			http.NotFound(w, r) // no listings of directories
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		if r.URL.Query().Get("v") == versions[name] {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		server.ServeHTTP(w, r)
	})
	return p, nil
}

func took(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < time.Millisecond:
		return "<1 ms"
	default:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	}
}

// inWords writes a duration for people: "1 minute", "90 seconds".
func inWords(d time.Duration) string {
	n, unit := d.Seconds(), "second"
	if d >= time.Minute && d%time.Minute == 0 {
		n, unit = d.Minutes(), "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%g %s", n, unit)
}

// entry renders one line of the timeline.
func (p *page) entry(e entry) (string, error) {
	var out bytes.Buffer
	err := p.template.ExecuteTemplate(&out, "entry", e)
	return strings.TrimSpace(out.String()), err
}

// view is what the page is made of.
type view struct {
	Person    person
	Initial   string
	State     state
	StateJSON string
	Entries   []entry // newest first
	Last      int
	Problem   string // instead of an outcome, in words for the person
	Authority string
	API       string
	ClientID  string
	Ended     bool // a session of this visit has ended without a sign-out
	Skew      string
}

// home is the page.
func (a *App) home(w http.ResponseWriter, r *http.Request) {
	a.render(w, r, http.StatusOK, "")
}

// fail is the page with the words of what went wrong.
func (a *App) fail(w http.ResponseWriter, r *http.Request, status int, problem string) {
	a.render(w, r, status, problem)
}

func (a *App) render(w http.ResponseWriter, r *http.Request, status int, problem string) {
	v := visitFrom(r.Context())
	if v == nil {
		http.Error(w, problem, status)
		return
	}
	id, who, _, ok := a.signedIn(r)
	if !ok {
		id = ""
	}
	now, err := a.state(r, id, v)
	if err != nil {
		a.sessions.ErrorFunc(w, r, err)
		return
	}
	shown := view{
		Person: who, State: now, Problem: problem,
		Authority: a.cfg.Authority, API: a.cfg.API, ClientID: a.cfg.ClientID,
		Skew: inWords(a.cfg.ClockSkew),
	}
	for _, letter := range who.Name {
		shown.Initial = strings.ToUpper(string(letter))
		break
	}
	shown.Entries, _ = v.since(0)
	if n := len(shown.Entries); n > 0 {
		shown.Last = shown.Entries[n-1].ID
	}
	for _, e := range shown.Entries {
		switch e.Kind {
		case "ended":
			shown.Ended = !now.SignedIn
		case "signed-in", "signed-out":
			shown.Ended = false
		}
	}
	slices.Reverse(shown.Entries)
	data, err := json.Marshal(now)
	if err != nil {
		a.sessions.ErrorFunc(w, r, err)
		return
	}
	shown.StateJSON = string(data)
	var out bytes.Buffer
	if err := a.page.template.Execute(&out, shown); err != nil {
		a.log.ErrorContext(r.Context(), "page", "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(out.Bytes())
}
