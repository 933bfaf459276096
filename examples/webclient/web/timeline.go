package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

// Whom a line of the timeline is about.
const (
	laneAuthority = "authority"
	laneAPI       = "api"
	laneNote      = "note" // what the client made of it
)

// entry is one line of the timeline. It holds nothing secret.
type entry struct {
	ID     int
	At     time.Time
	Took   time.Duration // 0: not a request
	Lane   string
	Kind   string // request, renewed, failed, ended, signed-in, signed-out, note
	Title  string // "GET /orders"
	Status int    // 0: none
	Detail string
	Header string // a WWW-Authenticate or Retry-After field, as it came
	Tokens []token
	Arrow  bool // the first token became the second
}

// token is a token as the page shows it: a name that says which of its kind it
// is, and a few characters to compare with a log.
type token struct {
	Kind  string // A or R
	Name  string // A1, A2, … access tokens; R1, R2, … refresh tokens
	Short string // eyJh…x9Qk
	Hue   int    // 0 to 5
}

const (
	visitCookie = "webclient_visit"
	maxVisits   = 200
	maxEntries  = 200
	maxLabels   = 400
	maxSpent    = 16
)

// visit is what one browser sees: its timeline and its settings. It outlives
// sign-ins, so that the end of a session can be read after the fact, and nothing
// depends on it but the page.
type visit struct {
	id    string        // its cookie
	moved chan struct{} // closed by move; ends the streams

	mu        sync.Mutex // guards the fields below
	last      int        // id of the newest entry
	entries   []entry
	labels    map[[sha256.Size]byte]token
	counts    map[byte]int
	spent     []renew.Tokens // replaced by renewals, oldest first
	onlyOn401 bool
	message   message
	changed   chan struct{} // closed and replaced at each change
	streams   int
	used      time.Time
}

// message is the outcome of the last action.
type message struct {
	Text string `json:"text"`
	Tone string `json:"tone"` // good, warn, bad
}

// visits are the visits, by cookie.
type visits struct {
	mu  sync.Mutex // guards the field below
	all map[string]*visit
}

func (v *visits) init() { v.all = make(map[string]*visit) }

type visitKey struct{}

// visitFrom returns the visit that ctx belongs to, or nil.
func visitFrom(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// handler puts the visit into the context: from there, the recorders below the
// HTTP clients find it, also during a refresh, which keeps the values of the
// request that began it.
func (v *visits) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := ""
		if c, err := r.Cookie(visitCookie); err == nil {
			id = c.Value
		}
		found, ok := v.find(id)
		if !ok {
			if r.Method != http.MethodGet || r.URL.Path == "/events" || strings.HasPrefix(r.URL.Path, "/static/") {
				next.ServeHTTP(w, r) // only a page begins a visit
				return
			}
			found = newVisit()
			v.add(found)
			found.setCookie(w)
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, found)))
	})
}

func (v *visits) find(id string) (*visit, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found, ok := v.all[id]
	if ok {
		found.mu.Lock()
		found.used = time.Now()
		found.mu.Unlock()
	}
	return found, ok
}

func newVisit() *visit {
	return &visit{
		id: rand.Text(), used: time.Now(), changed: make(chan struct{}), moved: make(chan struct{}),
		labels: make(map[[sha256.Size]byte]token), counts: make(map[byte]int),
	}
}

func (v *visit) setCookie(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: visitCookie, Value: v.id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (v *visits) add(begun *visit) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.all) >= maxVisits {
		oldest, at := "", time.Now()
		for id, other := range v.all {
			other.mu.Lock()
			if !other.used.After(at) {
				oldest, at = id, other.used
			}
			other.mu.Unlock()
		}
		delete(v.all, oldest)
	}
	v.all[begun.id] = begun
}

// move puts what a visit holds into a new one, for a browser that has just
// signed in: somebody who planted the cookie of the old visit would read along
// otherwise.
func (v *visits) move(old *visit) *visit {
	begun := newVisit()
	old.mu.Lock()
	begun.last, begun.entries, begun.labels, begun.counts = old.last, old.entries, old.labels, old.counts
	begun.onlyOn401 = old.onlyOn401
	old.entries, old.spent, old.message = nil, nil, message{}
	old.labels, old.counts = make(map[[sha256.Size]byte]token), make(map[byte]int)
	select {
	case <-old.moved: // by another sign-in at the same time
	default:
		close(old.moved)
	}
	old.mu.Unlock()
	v.mu.Lock()
	delete(v.all, old.id)
	v.mu.Unlock()
	v.add(begun)
	return begun
}

func (v *visit) add(e entry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last++
	e.ID, e.At = v.last, time.Now()
	if len(v.entries) >= maxEntries {
		v.entries = slices.Delete(v.entries, 0, 1)
	}
	v.entries = append(v.entries, e)
	v.notify()
}

// notify wakes the streams. The caller holds the lock.
func (v *visit) notify() {
	close(v.changed)
	v.changed = make(chan struct{})
}

// since returns the entries after the one with the id last, and a channel that
// is closed when there is more.
func (v *visit) since(last int) ([]entry, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i, _ := slices.BinarySearchFunc(v.entries, last+1, func(e entry, id int) int { return e.ID - id })
	return slices.Clone(v.entries[i:]), v.changed
}

// label names a token. The same token has the same name; the text of a token
// that the visit has not seen yet makes the next name of its kind.
func (v *visit) label(kind byte, raw string) token {
	if raw == "" {
		return token{Name: "none"}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	sum := sha256.Sum256([]byte(raw))
	if t, ok := v.labels[sum]; ok {
		return t
	}
	if len(v.labels) >= maxLabels {
		clear(v.labels)
	}
	v.counts[kind]++
	n := v.counts[kind]
	t := token{Kind: string(kind), Name: fmt.Sprintf("%c%d", kind, n), Short: shorten(raw), Hue: (n - 1) % 6}
	v.labels[sum] = t
	return t
}

// shorten returns the ends of a token that is long enough for them to say
// nothing.
func shorten(raw string) string {
	if len(raw) < 24 {
		return "…"
	}
	return raw[:4] + "…" + raw[len(raw)-4:]
}

// remember keeps a spent refresh token, to replay it when asked.
func (v *visit) remember(old, renewed renew.Tokens) {
	if old.RefreshToken == renewed.RefreshToken {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.spent) < maxSpent {
		v.spent = append(v.spent, old)
	}
}

// oldest returns the refresh token that was spent first.
func (v *visit) oldest() (string, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.spent) == 0 {
		return "", false
	}
	return v.spent[0].RefreshToken, true
}

func (v *visit) settings() (onlyOn401 bool, last message) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.onlyOn401, v.message
}

func (v *visit) setMode(onlyOn401 bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.onlyOn401 = onlyOn401
	v.notify()
}

func (v *visit) say(m message) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.message = m
	v.notify()
}

// openStream reports whether the visit may have one more stream of events.
func (v *visit) openStream() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.streams >= 8 {
		return false
	}
	v.streams++
	return true
}

func (v *visit) closeStream() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.streams--
}
