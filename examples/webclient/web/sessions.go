package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/bearerguard/bearerguard/examples/webclient/renew"
)

// The values of a session. Both are JSON, so that each is one value that is
// written as a whole.
const (
	valueTokens = "tokens" // renew.Tokens
	valuePerson = "person" // person
)

// maxSessions bounds the memory that sign-ins can take.
const maxSessions = 10_000

// person is who signed in. It is read from the identity token at sign-in and
// does not change afterwards, whatever a renewal brings.
type person struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	Name    string `json:"name"`
}

// sessionStore keeps the cookie sessions in memory. It is two stores in one,
// under one lock: that of scs, which writes a session when a person signs in and
// deletes it when they sign out, and that of renew, which replaces the tokens
// within it. A refresh that ends after a sign-out therefore finds no session to
// write to, and cannot bring one back.
//
// scs writes a session as a whole, from a copy that was read when its request
// began; tokens renewed since would be lost. Commit therefore refuses to
// overwrite: what changes during a session goes through Replace.
type sessionStore struct {
	mu       sync.Mutex // guards the field below
	sessions map[string]stored
	codec    scs.GobCodec
}

type stored struct {
	data   []byte
	expiry time.Time
}

var (
	_ scs.Store   = (*sessionStore)(nil)
	_ renew.Store = (*sessionStore)(nil)
)

func newSessionStore() *sessionStore {
	return &sessionStore{sessions: make(map[string]stored)}
}

// Find implements scs.Store.
func (s *sessionStore) Find(id string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.find(id)
	return found.data, ok, nil
}

func (s *sessionStore) find(id string) (stored, bool) {
	found, ok := s.sessions[id]
	if ok && !time.Now().Before(found.expiry) {
		delete(s.sessions, id)
		return stored{}, false
	}
	return found, ok
}

// Commit implements scs.Store for new sessions.
func (s *sessionStore) Commit(id string, data []byte, expiry time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.find(id); ok {
		return errors.New("web: a session is written once, at sign-in")
	}
	if len(s.sessions) >= maxSessions {
		for other := range s.sessions {
			s.find(other) // which deletes it once it has expired
		}
		if len(s.sessions) >= maxSessions {
			return errors.New("web: too many sessions")
		}
	}
	s.sessions[id] = stored{data, expiry}
	return nil
}

// Delete implements scs.Store.
func (s *sessionStore) Delete(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, id)
	return nil
}

// Load implements renew.Store.
func (s *sessionStore) Load(_ context.Context, id string) (renew.Tokens, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, tokens, err := s.open(id)
	return tokens, err
}

// Replace implements renew.Store: the person and the session's absolute expiry
// stay as they were at sign-in, and so does the cookie.
func (s *sessionStore) Replace(_ context.Context, id string, used, renewed renew.Tokens) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	deadline, values, held, err := s.open(id)
	if err != nil {
		return err
	}
	if held.AccessToken != used.AccessToken {
		return renew.ErrReplaced
	}
	if values[valueTokens], err = json.Marshal(renewed); err != nil {
		return err
	}
	data, err := s.codec.Encode(deadline, values)
	if err != nil {
		return err
	}
	s.sessions[id] = stored{data, s.sessions[id].expiry}
	return nil
}

// End implements renew.Store.
func (s *sessionStore) End(_ context.Context, id string, used renew.Tokens) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, held, err := s.open(id)
	if err != nil {
		return err
	}
	if held.AccessToken != used.AccessToken {
		return renew.ErrReplaced
	}
	delete(s.sessions, id)
	return nil
}

// person returns who a session belongs to.
func (s *sessionStore) person(id string) (person, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var who person
	_, values, _, err := s.open(id)
	if err != nil {
		return who, err
	}
	data, _ := values[valuePerson].([]byte)
	return who, json.Unmarshal(data, &who)
}

// open decodes a session. The caller holds the lock.
func (s *sessionStore) open(id string) (time.Time, map[string]any, renew.Tokens, error) {
	var tokens renew.Tokens
	found, ok := s.find(id)
	if !ok {
		return time.Time{}, nil, tokens, renew.ErrSessionEnded
	}
	deadline, values, err := s.codec.Decode(found.data)
	if err != nil {
		return time.Time{}, nil, tokens, fmt.Errorf("web: decoding a session: %w", err)
	}
	data, _ := values[valueTokens].([]byte)
	if err := json.Unmarshal(data, &tokens); err != nil {
		return time.Time{}, nil, tokens, fmt.Errorf("web: decoding a session: %w", err)
	}
	return deadline, values, tokens, nil
}

// signedIn returns the session of the request: its key, who it belongs to and
// the tokens it holds now. ok is false if nobody is signed in.
func (a *App) signedIn(r *http.Request) (id string, who person, tokens renew.Tokens, ok bool) {
	ctx := r.Context()
	data, _ := a.sessions.Get(ctx, valuePerson).([]byte)
	if len(data) == 0 || json.Unmarshal(data, &who) != nil {
		return "", person{}, renew.Tokens{}, false
	}
	id = a.sessions.Token(ctx)
	// From the store and not from the request's copy, which may be older than
	// a renewal.
	tokens, err := a.store.Load(ctx, id)
	return id, who, tokens, err == nil
}
