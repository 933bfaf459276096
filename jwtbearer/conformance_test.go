package jwtbearer_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

var updateConformance = flag.Bool("update", false, "write CONFORMANCE.md and testdata/conformance anew from the table")

// conformanceCase is one row of the conformance table. It says how a token, or
// the request that carries it, differs from one that is accepted (its twin), and
// what the answer is.
//
// Both tokens are minted by one issuer from the options in with; then edit makes
// the row's token and mend the twin's. A row with want "" is itself accepted and
// has no twin.
type conformanceCase struct {
	name   string // what differs, for the document
	at     *conformanceSetup
	want   string // name of the Reason, "" for accepted
	source string // where it is demanded

	with    []jwtbearertest.TokenOption
	edit    []jwtbearertest.TokenOption
	mend    []jwtbearertest.TokenOption
	editFor func(*jwtbearertest.Issuer) []jwtbearertest.TokenOption
	mendFor func(*jwtbearertest.Issuer) []jwtbearertest.TokenOption

	// text and mendText change the finished token.
	text     func(string) string
	mendText func(string) string

	// send and mendSend put the token into the request; nil is the usual
	// Authorization field. A row with either is about requests only.
	send     func(*http.Request, string)
	mendSend func(*http.Request, string)
	method   string // "" is GET; with it, HEAD and OPTIONS are not tried besides

	// later and mendLater are how long after its minting a token is sent.
	later, mendLater time.Duration
	// disturb happens to the verifier after the twin was accepted.
	disturb func(*jwtbearer.Verifier)

	// inField is the reason for which a request is refused, where it is not want:
	// what the scheme does not allow in the field never gets to be a token.
	inField string
	scope   string // of the challenge
	// token is an assertion about the accepted token.
	token func(*jwtbearer.Token) error

	long bool // the payload is made longer than is read before the signature
}

// conformanceSetup is an API with its authority. The zero value is the default:
// an issuer with a key for every algorithm, nil Options, Require("api1").
type conformanceSetup struct {
	is       string // for the document
	issuer   jwtbearertest.Options
	keys     func(*jwtbearertest.Issuer)
	options  jwtbearer.Options
	audience string
	rules    []jwtbearer.Rule
	private  bool // answers are Cache-Control: private
}

// conformanceArea is a part of the table.
type conformanceArea struct {
	title, text string
	cases       []conformanceCase
}

// conformanceReason is what a refusal for a reason looks like from outside. It
// stands here a second time, apart from the code, on purpose.
type conformanceReason struct {
	reason      error // nil where package jwtbearer does not export it
	class       error
	status      int
	code        string
	description string
}

var conformanceReasons = map[string]conformanceReason{
	"no_token": {nil, jwtbearer.ErrNoToken, 401, "", "no bearer token was sent"},

	"several_tokens":        {jwtbearer.ErrSeveralTokens, jwtbearer.ErrInvalidRequest, 400, "invalid_request", "more than one token was sent"},
	"malformed_credentials": {jwtbearer.ErrMalformedCredentials, jwtbearer.ErrInvalidRequest, 400, "invalid_request", "the credentials are malformed"},
	"oversized_request":     {jwtbearer.ErrOversizedRequest, jwtbearer.ErrInvalidRequest, 400, "invalid_request", "the cookies or the query are too long"},

	"too_large":     {jwtbearer.ErrTooLarge, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is too large"},
	"malformed":     {jwtbearer.ErrMalformed, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is malformed"},
	"encrypted":     {jwtbearer.ErrEncrypted, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is encrypted"},
	"serialization": {jwtbearer.ErrSerialization, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is not in compact serialization"},
	"detached":      {jwtbearer.ErrDetached, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token has no payload"},
	"unencoded":     {jwtbearer.ErrUnencoded, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token's payload is not encoded"},
	"critical":      {jwtbearer.ErrCritical, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token has a critical header parameter"},
	"algorithm":     {jwtbearer.ErrAlgorithm, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token's algorithm is not allowed"},
	"claim":         {jwtbearer.ErrClaim, jwtbearer.ErrInvalidToken, 401, "invalid_token", "a claim of the token is missing or has the wrong type"},
	"issuer":        {jwtbearer.ErrIssuer, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is from another issuer"},
	"type":          {jwtbearer.ErrTokenType, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is of another type"},
	"audience":      {jwtbearer.ErrAudience, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is not meant for this API"},
	"no_expiry":     {jwtbearer.ErrNoExpiry, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token has no expiration time"},
	"expired":       {jwtbearer.ErrExpired, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token has expired"},
	"not_yet_valid": {jwtbearer.ErrNotYetValid, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is not valid yet"},
	"too_old":       {jwtbearer.ErrTooOld, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is too old"},
	"unknown_key":   {jwtbearer.ErrUnknownKey, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is signed with an unknown key"},
	"signature":     {jwtbearer.ErrSignature, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token's signature is not valid"},
	"bound":         {jwtbearer.ErrBound, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is bound to a key and not a bearer token"},
	"session_ended": {jwtbearer.ErrSessionEnded, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the session has ended"},
	"revoked":       {jwtbearer.ErrRevoked, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token has been revoked"},
	"inactive":      {jwtbearer.ErrInactive, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is not active"},
	"refused":       {nil, jwtbearer.ErrInvalidToken, 401, "invalid_token", "the token is not accepted"},

	"scope":     {jwtbearer.ErrScope, jwtbearer.ErrInsufficientScope, 403, "insufficient_scope", "the token lacks a scope"},
	"forbidden": {jwtbearer.ErrForbidden, jwtbearer.ErrInsufficientScope, 403, "insufficient_scope", "the token does not allow this request"},

	"keys_unavailable":  {jwtbearer.ErrKeysUnavailable, jwtbearer.ErrUnavailable, 503, "", "the keys of the authority are unavailable"},
	"check_unavailable": {jwtbearer.ErrCheckUnavailable, jwtbearer.ErrUnavailable, 503, "", "the state of the token is unavailable"},
	"closed":            {jwtbearer.ErrClosed, jwtbearer.ErrUnavailable, 503, "", "the verifier is closed"},
}

// conformanceClasses are all classes: an error matches exactly one.
var conformanceClasses = []error{
	jwtbearer.ErrNoToken, jwtbearer.ErrInvalidRequest, jwtbearer.ErrInvalidToken,
	jwtbearer.ErrInsufficientScope, jwtbearer.ErrUnavailable,
}

// challenge is the WWW-Authenticate field, "" for none.
func (r conformanceReason) challenge(realm, scope string) string {
	switch {
	case r.status == 503:
		return ""
	case r.code == "" && realm == "":
		return "Bearer"
	case r.code == "":
		return fmt.Sprintf(`Bearer realm="%s"`, realm)
	}
	s := "Bearer "
	if realm != "" {
		s += fmt.Sprintf(`realm="%s", `, realm)
	}
	s += fmt.Sprintf(`error="%s", error_description="%s"`, r.code, r.description)
	if scope != "" {
		s += fmt.Sprintf(`, scope="%s"`, scope)
	}
	return s
}

func (r conformanceReason) body() string {
	title := map[int]string{400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}[r.status]
	s := fmt.Sprintf(`{"title":%q,"status":%d,"detail":%q`, title, r.status, r.description)
	if r.code != "" {
		s += fmt.Sprintf(`,"error":%q`, r.code)
	}
	return s + "}"
}

// canary is in every token, and nowhere else: an answer or a log line that has
// it has repeated what was in a token.
const canary = "canary-3f9ac1"

func (c *conformanceCase) setup() *conformanceSetup {
	if c.at != nil {
		return c.at
	}
	return &conformanceSetup{}
}

func (s *conformanceSetup) api() string {
	if s.audience != "" {
		return s.audience
	}
	return "api1"
}

// tokens mints the row's token and its twin.
func (c *conformanceCase) tokens(issuer *jwtbearertest.Issuer) (token, twin string) {
	mint := func(options []jwtbearertest.TokenOption, more func(*jwtbearertest.Issuer) []jwtbearertest.TokenOption, text func(string) string) string {
		all := []jwtbearertest.TokenOption{jwtbearertest.Claim("note", canary)}
		all = append(append(all, c.with...), options...)
		if more != nil {
			all = append(all, more(issuer)...)
		}
		token := issuer.Token("api1", all...)
		if c.long {
			token = issuer.Token("api1", append(all, lengthened(token))...)
		}
		if text != nil {
			token = text(token)
		}
		return token
	}
	twin = mint(c.mend, c.mendFor, c.mendText)
	if c.later > 0 {
		return twin, twin // the same token, at another time
	}
	return mint(c.edit, c.editFor, c.text), twin
}

// conformanceRun is a verifier with what it told.
type conformanceRun struct {
	t        *testing.T
	c        *conformanceCase
	verifier *jwtbearer.Verifier
	policy   *jwtbearer.Policy
	log      lockedBuffer
	accepted int
	refused  []*jwtbearer.Error

	allMethods bool // HEAD and OPTIONS besides
}

// lockedBuffer is a log that the background work of a verifier writes to as well.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newConformanceRun(t *testing.T, c *conformanceCase, issuer *jwtbearertest.Issuer, disabled bool) *conformanceRun {
	run := &conformanceRun{t: t, c: c}
	setup := c.setup()
	options := setup.options
	options.Cache.Disabled = disabled
	options.Logger = slog.New(slog.NewTextHandler(&run.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	options.Events = &jwtbearer.Events{
		Accepted: func(context.Context, *http.Request, *jwtbearer.Token) { run.accepted++ },
		Refused:  func(_ context.Context, _ *http.Request, err *jwtbearer.Error) { run.refused = append(run.refused, err) },
	}
	run.verifier = issuer.Verifier(t, &options)
	policy, err := run.verifier.Policy(setup.api(), setup.rules...)
	if err != nil {
		t.Fatal(err)
	}
	run.policy = policy
	return run
}

// overHTTP reports whether the row is about requests and not about tokens.
func (c *conformanceCase) overHTTP() bool {
	return c.send != nil || c.mendSend != nil || c.method != ""
}

func (c *conformanceCase) request(method string, token string, send func(*http.Request, string)) *http.Request {
	r := httptest.NewRequest(method, "https://api.test/orders", nil)
	if send == nil {
		r.Header.Set("Authorization", "Bearer "+token)
	} else {
		send(r, token)
	}
	return r
}

// expect sends the token in every way and compares the answers with want.
func (run *conformanceRun) expect(token string, send func(*http.Request, string), want string) {
	run.t.Helper()
	c := run.c
	methods := []string{http.MethodGet}
	if run.allMethods {
		methods = append(methods, http.MethodHead, http.MethodOptions)
	}
	if c.method != "" {
		methods = []string{c.method}
	}
	field := want
	if want != "" && c.inField != "" {
		field = c.inField
	}
	for _, method := range methods {
		run.expectRequire(method, token, send, field)
	}
	if run.allMethods {
		run.expectOptional(methods[0], token, send, field)
	}
	got, err := run.policy.Check(c.request(methods[0], token, send))
	run.expectResult("Check", got, err, token, field)
	if field != "" {
		w := httptest.NewRecorder()
		run.policy.WriteError(w, c.request(methods[0], token, send), err)
		run.expectAnswer("WriteError", w, field)
	}
	if !c.overHTTP() {
		got, err := run.policy.Verify(context.Background(), token)
		run.expectResult("Verify", got, err, token, want)
	}
	run.expectSilence(token)
}

func (run *conformanceRun) expectRequire(method, token string, send func(*http.Request, string), want string) {
	run.t.Helper()
	t := run.t
	run.accepted, run.refused = 0, nil
	called := 0
	handler := run.verifier.Require(run.c.setup().api(), run.c.setup().rules...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called++
		if got := jwtbearer.TokenFrom(r.Context()); got == nil || got.Raw() != token {
			t.Errorf("%s: the handler was called with another token", method)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, run.c.request(method, token, send))
	if want == "" {
		if w.Code != http.StatusNoContent || called != 1 || run.accepted != 1 || len(run.refused) != 0 {
			t.Errorf("%s: want it accepted, got %d %q %s", method, w.Code, w.Header().Get("WWW-Authenticate"), refusals(run.refused))
		}
		want := ""
		if run.c.setup().private {
			want = "private"
		}
		if got := w.Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: got Cache-Control %q, want %q", method, got, want)
		}
		return
	}
	if called != 0 || run.accepted != 0 || len(run.refused) != 1 {
		t.Errorf("%s: handler called %d times, %d accepted, refused: %s; want one refusal", method, called, run.accepted, refusals(run.refused))
	}
	if len(run.refused) == 1 && run.refused[0].Reason.String() != want {
		t.Errorf("%s: refused for %s, want %s", method, refusals(run.refused), want)
	}
	run.expectAnswer(method, w, want)
}

// expectOptional holds that Optional lets nothing pass that Require does not,
// but for a request without a token.
func (run *conformanceRun) expectOptional(method, token string, send func(*http.Request, string), want string) {
	run.t.Helper()
	called := false
	handler := run.verifier.Optional(run.c.setup().api(), run.c.setup().rules...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called = true
		if got := jwtbearer.TokenFrom(r.Context()); (got == nil) != (want == "no_token") {
			run.t.Errorf("Optional: the handler was called with the token %v", got)
		}
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, run.c.request(method, token, send))
	if pass := want == "" || want == "no_token"; called != pass {
		run.t.Errorf("Optional: the handler was called: %v, want %v", called, pass)
	} else if !pass {
		run.expectAnswer("Optional", w, want)
	}
}

// expectAnswer compares all of a refusal.
func (run *conformanceRun) expectAnswer(method string, w *httptest.ResponseRecorder, want string) {
	run.t.Helper()
	t, reason := run.t, conformanceReasons[want]
	if w.Code != reason.status {
		t.Errorf("%s: got status %d, want %d", method, w.Code, reason.status)
	}
	if got, want := w.Body.String(), reason.body(); got != want {
		t.Errorf("%s: got body %s, want %s", method, got, want)
	}
	header := http.Header{
		"Cache-Control":  {"no-store"},
		"Content-Type":   {"application/problem+json"},
		"Content-Length": {fmt.Sprint(len(reason.body()))},
	}
	if challenge := reason.challenge(run.c.setup().options.Realm, run.c.scope); challenge != "" {
		header["Www-Authenticate"] = []string{challenge}
	}
	if reason.status == http.StatusServiceUnavailable {
		header["Retry-After"] = []string{"5"}
	}
	// All of them, and no other: nothing can be reflected by what is constant.
	if got, want := fmt.Sprint(w.Header()), fmt.Sprint(header); got != want {
		t.Errorf("%s: got header %s\nwant %s", method, got, want)
	}
}

func (run *conformanceRun) expectResult(how string, got *jwtbearer.Token, err error, token, want string) {
	run.t.Helper()
	t := run.t
	if want == "" {
		switch {
		case err != nil:
			t.Errorf("%s: want it accepted, got %v", how, err)
		case got == nil || got.Raw() != token:
			t.Errorf("%s: got another token", how)
		case run.c.token != nil && run.c.want == "":
			if err := run.c.token(got); err != nil {
				t.Errorf("%s: %v", how, err)
			}
		}
		return
	}
	reason := conformanceReasons[want]
	if got != nil {
		t.Errorf("%s: a refusal came with a token", how)
	}
	var e *jwtbearer.Error
	if !errors.As(err, &e) || e.Reason.String() != want {
		t.Errorf("%s: got error %v, want reason %s", how, err, want)
		return
	}
	if reason.reason != nil && !errors.Is(err, reason.reason) {
		t.Errorf("%s: errors.Is(%v, %v) is false", how, err, reason.reason)
	}
	for _, class := range conformanceClasses {
		if errors.Is(err, class) != (class == reason.class) {
			t.Errorf("%s: errors.Is(%v, %v) is %v", how, err, class, class != reason.class)
		}
	}
	if status := jwtbearer.StatusCode(err); status != reason.status {
		t.Errorf("%s: StatusCode is %d, want %d", how, status, reason.status)
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("%s: the error repeats what the token says: %v", how, err)
	}
}

// expectSilence looks for the token, or a part of it, in the log.
func (run *conformanceRun) expectSilence(token string) {
	run.t.Helper()
	log := run.log.String()
	for _, secret := range append(strings.FieldsFunc(token, func(r rune) bool { return r == '.' || r <= ' ' }), canary) {
		if len(secret) >= 12 && strings.Contains(log, secret) {
			run.t.Errorf("the log has a part of the token: %s", log)
		}
	}
}

func refusals(list []*jwtbearer.Error) string {
	var texts []string
	for _, e := range list {
		texts = append(texts, e.Error())
	}
	return fmt.Sprintf("%q", texts)
}

// run proves the row with a cold memory of verified tokens, with a warm one, and
// without one.
func (c *conformanceCase) run(t *testing.T) {
	issuer := jwtbearertest.NewIssuer(t, &c.setup().issuer)
	if c.setup().keys != nil {
		c.setup().keys(issuer)
	}
	token, twin := c.tokens(issuer)
	minted := time.Now()
	until := func(d time.Duration) { time.Sleep(time.Until(minted.Add(d))) }
	if c.want == "" {
		for _, disabled := range []bool{false, true} {
			run := newConformanceRun(t, c, issuer, disabled)
			run.allMethods = !disabled
			for range 2 {
				run.expect(token, c.send, "")
			}
			if status := run.verifier.Status().Cache; !disabled && status.Entries > 0 && status.Misses > 1 {
				t.Errorf("the token was verified again every time: %+v", status)
			}
		}
		return
	}
	if token == twin && c.later == c.mendLater && c.send == nil && c.mendSend == nil && c.disturb == nil && c.method == "" {
		t.Fatal("the row does not differ from its twin")
	}
	var runs [3]*conformanceRun
	for i, mode := range []string{"cold", "warm", "no memory"} {
		runs[i] = newConformanceRun(t, c, issuer, mode == "no memory")
	}
	cold, warm, disabled := runs[0], runs[1], runs[2]
	cold.allMethods = true
	until(c.mendLater)
	warm.expect(twin, c.mendSend, "")
	if c.later > 0 || c.disturb != nil {
		disabled.expect(twin, c.mendSend, "")
	}
	if c.disturb != nil {
		for _, run := range runs {
			c.disturb(run.verifier)
		}
	}
	entries := warm.verifier.Status().Cache.Entries
	until(c.later)
	for i, run := range runs {
		run.expect(token, c.send, c.want)
		if t.Failed() {
			t.Fatalf("failed with the memory %s", []string{"cold", "warm", "disabled"}[i])
		}
	}
	if got := warm.verifier.Status().Cache.Entries; got > entries {
		// Unless it is good in itself, and a rule or a checker refuses it.
		if class := conformanceReasons[c.want].class; class == jwtbearer.ErrInvalidToken && c.setup().options.Checkers == nil && c.setup().rules == nil {
			t.Errorf("the refused token was remembered: %d entries, %d before", got, entries)
		}
	}
	if c.later > 0 || c.disturb != nil {
		return
	}
	for _, run := range []*conformanceRun{cold, warm, disabled} {
		run.expect(twin, c.mendSend, "")
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	total := 0
	for _, area := range conformanceTable() {
		t.Run(strings.ReplaceAll(area.title, " ", "-"), func(t *testing.T) {
			seen := make(map[string]bool)
			for i := range area.cases {
				c := &area.cases[i]
				total++
				if seen[c.name] {
					t.Errorf("two rows are called %q", c.name)
				}
				seen[c.name] = true
				if _, ok := conformanceReasons[c.want]; c.want != "" && !ok {
					t.Fatalf("%s: unknown reason %q", c.name, c.want)
				}
				if _, ok := conformanceReasons[c.inField]; c.inField != "" && !ok {
					t.Fatalf("%s: unknown reason %q", c.name, c.inField)
				}
				if c.source == "" {
					t.Errorf("%s: no source", c.name)
				}
				t.Run(c.name, func(t *testing.T) { synctest.Test(t, c.run) })
			}
		})
	}
	if total < 250 {
		t.Errorf("the table has %d rows, want 250 at least", total)
	}
}

// TestConformanceOfLongTokens holds that the answers are the same where the claims
// are so long that the signature is checked before they are read.
func TestConformanceOfLongTokens(t *testing.T) {
	t.Parallel()
	for _, area := range conformanceTable() {
		t.Run(strings.ReplaceAll(area.title, " ", "-"), func(t *testing.T) {
			for _, c := range area.cases {
				c.long = true
				if strings.HasPrefix(c.name, "a token of ") && strings.Contains(c.name, "iB") || c.name == "4,096 members" {
					continue // the row has the length that it is about
				}
				t.Run(c.name, func(t *testing.T) { synctest.Test(t, c.run) })
			}
		})
	}
}

// lengthened puts a long claim before those of the token, if it has any.
func lengthened(token string) jwtbearertest.TokenOption {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil || !strings.HasPrefix(string(payload), "{") {
		return jwtbearertest.Claim("note", canary)
	}
	return jwtbearertest.RawPayload(longer(string(payload)))
}

// longer returns a JSON object with a member more, which is longer than claims are
// read before the signature is checked.
func longer(object string) string {
	rest := strings.TrimLeft(object[1:], " \t\r\n")
	if rest != "}" {
		rest = "," + rest
	}
	return `{"padding-3f9ac1":"` + strings.Repeat("x", 2<<10) + `"` + rest
}

// TestEveryReasonIsInTheTable: a reason without a row is one that nobody has
// seen.
func TestEveryReasonIsInTheTable(t *testing.T) {
	seen := make(map[string]bool)
	for _, area := range conformanceTable() {
		for _, c := range area.cases {
			seen[c.want] = true
		}
	}
	for name := range conformanceReasons {
		// The authority's outages have tests of their own, over time.
		if !seen[name] && name != "keys_unavailable" {
			t.Errorf("no row is refused for %q", name)
		}
	}
}

// TestConformanceDocument compares the rendered table with what is committed.
func TestConformanceDocument(t *testing.T) {
	for path, content := range map[string]string{
		"CONFORMANCE.md": conformanceDocument(),
		filepath.Join("testdata", "conformance", "table.json"): conformanceJSON(),
	} {
		if *updateConformance {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		committed, err := os.ReadFile(path)
		if err != nil || strings.ReplaceAll(string(committed), "\r\n", "\n") != content {
			t.Errorf("%s is out of date (error: %v): run go test ./jwtbearer -run ConformanceDocument -update", path, err)
		}
	}
}

// conformanceDocument renders the table for people.
func conformanceDocument() string {
	var b strings.Builder
	introduction, err := os.ReadFile(filepath.Join("testdata", "conformance", "introduction.md"))
	if err != nil {
		panic(err)
	}
	rows, accepted := 0, 0
	areas := conformanceTable()
	for _, area := range areas {
		for _, c := range area.cases {
			rows++
			if c.want == "" {
				accepted++
			}
		}
	}
	b.WriteString(strings.NewReplacer(
		"{rows}", fmt.Sprint(rows), "{accepted}", fmt.Sprint(accepted), "{refused}", fmt.Sprint(rows-accepted),
	).Replace(string(introduction)))
	b.WriteString("\n## The answers\n\n")
	b.WriteString("| reason | status | `error` | `error_description` |\n|---|---|---|---|\n")
	for _, name := range conformanceReasonNames() {
		r := conformanceReasons[name]
		code := "`" + r.code + "`"
		description := r.description
		if r.code == "" {
			code, description = "none", "none"
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", name, r.status, code, description)
	}
	n := 0
	for _, area := range areas {
		fmt.Fprintf(&b, "\n## %s\n\n", area.title)
		if area.text != "" {
			fmt.Fprintf(&b, "%s\n\n", area.text)
		}
		b.WriteString("| # | what differs | answer | reason | source |\n|---|---|---|---|---|\n")
		for _, c := range area.cases {
			n++
			answer := "accepted"
			if c.want != "" {
				answer = fmt.Sprint(conformanceReasons[c.want].status)
				if code := conformanceReasons[c.want].code; code != "" {
					answer += " `" + code + "`"
				}
			}
			if c.inField != "" {
				answer += fmt.Sprintf("; in the field %d `%s`", conformanceReasons[c.inField].status, conformanceReasons[c.inField].code)
			}
			name := c.name
			if is := c.setup().is; is != "" {
				name += " *(" + is + ")*"
			}
			fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", n, strings.ReplaceAll(name, "|", `\|`), answer, c.want, c.source)
		}
	}
	return b.String()
}

// conformanceReasonNames are the reasons in the order of the document: that of
// their status, then by name.
func conformanceReasonNames() []string {
	var names []string
	for _, status := range []int{400, 401, 403, 503} {
		var some []string
		for name, r := range conformanceReasons {
			if r.status == status {
				some = append(some, name)
			}
		}
		names = append(names, sortedStrings(some)...)
	}
	return names
}

// conformanceJSON renders the table for programs.
func conformanceJSON() string {
	type row struct {
		Area   string `json:"area"`
		Case   string `json:"case"`
		Setup  string `json:"setup,omitempty"`
		Status int    `json:"status"`
		Error  string `json:"error,omitempty"`
		Reason string `json:"reason,omitempty"`
		Field  string `json:"in_field,omitempty"` // the reason in an Authorization field, where it is another
		Source string `json:"source"`
	}
	var rows []row
	for _, area := range conformanceTable() {
		for _, c := range area.cases {
			r := row{Area: area.title, Case: c.name, Setup: c.setup().is, Status: 200, Reason: c.want, Field: c.inField, Source: c.source}
			if c.want != "" {
				r.Status, r.Error = conformanceReasons[c.want].status, conformanceReasons[c.want].code
			}
			rows = append(rows, r)
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(rows); err != nil {
		panic(err)
	}
	return b.String()
}
