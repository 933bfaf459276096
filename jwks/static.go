package jwks

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
)

// DefaultPoll is how often [NewFile] looks for a change.
const DefaultPoll = 5 * time.Second

// StaticOptions of [NewStatic] and [NewFile]. They must not be modified once
// passed in.
type StaticOptions struct {
	// Logger and Events are as in [Options].
	Logger *slog.Logger
	Events *Events
	// Poll is how often NewFile looks for a change. 0 means 5 s; the least is 10 ms.
	Poll time.Duration
}

// NewStatic returns a set whose keys are data, for programs without a network
// and for tests. Nothing is fetched and nothing goes stale; [Set.Close] makes it
// answer with [ErrClosed].
//
// data is a JWK Set (RFC 7517, Section 5), or PEM with blocks of the types
// PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE, of which the public key is taken
// and nothing else is looked at, not its validity either. A PEM block has no key
// id unless it has a header "kid". What applies to the keys of an authority
// applies to these: one that cannot be used is skipped.
//
// issuer is what tokens must carry as iss, any non-empty string. The error says
// what is wrong with issuer or data, or that data holds no usable key.
func NewStatic(issuer string, data []byte, opts *StaticOptions) (*Set, error) {
	s, err := newStatic(issuer, opts)
	if err != nil {
		return nil, err
	}
	doc, err := parseStatic(data)
	if err == nil {
		err = doc.usable()
	}
	if err != nil {
		return nil, fmt.Errorf("jwks: NewStatic: %w", err)
	}
	s.take(doc)
	close(s.done)
	return s, nil
}

// NewFile returns a set whose keys are read from a file, in a form that
// [NewStatic] takes, and read again when its content has changed. It looks every
// [StaticOptions.Poll], and when a token names a key that is not there. A file
// that is away, broken or without a usable key keeps the last good keys in use,
// for as long as it takes, and is shown in [Set.Status] and the log.
//
// To change the file, write another one and rename it over the first: a file
// that is read while it is being written is a broken one, until the next look.
//
// The error is about the configuration, the first reading of the file included.
// [Set.Close] ends the set.
func NewFile(issuer, path string, opts *StaticOptions) (*Set, error) {
	s, err := newStatic(issuer, opts)
	if err != nil {
		return nil, err
	}
	poll := DefaultPoll
	if opts != nil && opts.Poll != 0 {
		poll = opts.Poll
	}
	if poll < 10*time.Millisecond {
		return nil, fmt.Errorf("jwks: StaticOptions.Poll is %v, less than 10ms; raise it or leave it 0", poll)
	}
	f := &file{path: path, issuer: issuer}
	doc, _, err := f.load(context.Background(), scheduled, func() bool { return false })
	if err == nil {
		err = doc.usable()
	}
	if err != nil {
		return nil, fmt.Errorf("jwks: NewFile: %w", err)
	}
	s.schedule = schedule{poll, poll, true}
	s.source = f
	s.state.keysURL = path
	s.take(doc)
	go s.own()
	return s, nil
}

func newStatic(issuer string, opts *StaticOptions) (*Set, error) {
	if issuer == "" {
		return nil, errors.New(`jwks: the issuer is empty; pass what tokens carry as iss, such as "https://id.example.com"`)
	}
	if opts == nil {
		opts = &StaticOptions{}
	}
	s := newSet(issuer, opts.Logger, opts.Events)
	s.known = issuer
	return s, nil
}

// take puts the first keys into a set that nobody else has yet.
func (s *Set) take(doc *document) {
	labelled := *doc
	labelled.issuer = s.issuer
	var news news
	s.mu.Lock()
	now := time.Now()
	s.state.skipped = doc.skipped
	s.succeeded(now, &labelled, freshFor{}, &news)
	s.state.counts = Counts{}
	s.mu.Unlock()
	s.tellSkipped(doc.skipped)
}

// A file is a source of keys on disk.
type file struct {
	path   string
	issuer string
	sum    [sha256.Size]byte
	doc    *document
}

// load implements source.
func (f *file) load(_ context.Context, _ mode, sending func() bool) (*document, freshFor, error) {
	sending()
	data, err := f.read()
	if err != nil {
		return nil, freshFor{}, err
	}
	// By content: a file that is renamed into place may carry any time.
	sum := sha256.Sum256(data)
	if f.doc == nil || sum != f.sum {
		doc, err := parseStatic(data)
		if err != nil {
			return nil, freshFor{}, fmt.Errorf("%s: %w", f.path, err)
		}
		doc.issuer = f.issuer
		f.doc, f.sum = doc, sum
	}
	return f.doc, freshFor{}, nil
}

func (f *file) read() ([]byte, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would never end
		return nil, fmt.Errorf("%s is no regular file", f.path)
	}
	r, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxKeySetBytes+1)) // one byte too many is refused by the parser
}

// addresses implements source.
func (f *file) addresses() (metadata, keys string) { return "", f.path }

// close implements source.
func (f *file) close() {}
