package jwtbearertest

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// SignInPolicy says what becomes of a user's other sessions at a new sign-in.
type SignInPolicy int

// The policies.
const (
	// ConcurrentSignIns leaves them alone.
	ConcurrentSignIns SignInPolicy = iota
	// OneSignInPerDevice ends those on devices of the same type.
	OneSignInPerDevice
	// OneSignIn ends all.
	OneSignIn
)

// Session is the time from a sign-in to a sign-out. It is a copy: it does not
// change when the session does.
type Session struct {
	// ID is the sid claim of its tokens.
	ID string
	// Subject is the user.
	Subject string
	// Device is the type of device that the user signed in on, such as "desktop",
	// "mobile" or whatever the parameter "device" of the request said.
	Device string
	// SignedInAt is when the user proved who they are; the auth_time claim.
	SignedInAt time.Time
	// Clients are the ids of the clients that got tokens of the session.
	Clients []string
}

// session is guarded by Issuer.mu; what ends is taken out of Issuer.sessions.
type session struct {
	id, subject, device, browser string
	signedInAt                   time.Time
	clients                      []string
	order                        int
}

func (s *session) snapshot() Session {
	return Session{s.id, s.subject, s.device, s.signedInAt, slices.Clone(s.clients)}
}

// newSession signs subject in, and ends what the policy does not allow beside it.
func (i *Issuer) newSession(subject, device string) (*session, error) {
	i.mu.Lock()
	if i.users[subject] == nil {
		i.mu.Unlock()
		return nil, InvalidGrant("The user is unknown.")
	}
	i.signIns++
	s := &session{id: rand.Text(), subject: subject, device: cmp.Or(device, "desktop"), browser: rand.Text(), signedInAt: i.now(), order: i.signIns}
	var displaced []*session
	for id, other := range i.sessions {
		if other.subject == subject && (i.opts.SignInPolicy == OneSignIn || i.opts.SignInPolicy == OneSignInPerDevice && other.device == s.device) {
			delete(i.sessions, id)
			displaced = append(displaced, other)
		}
	}
	i.sessions[s.id] = s
	i.mu.Unlock()
	// Failed deliveries are logged; they are no reason to refuse the sign-in.
	i.notifyLogout(displaced)
	return s, nil
}

// alive tells whether s has not ended. The caller holds i.mu.
func (i *Issuer) alive(s *session) bool { return s != nil && i.sessions[s.id] == s }

// joins notes that client gets tokens of s.
func (s *session) joins(client *Client) {
	if !slices.Contains(s.clients, client.ID) {
		s.clients = append(s.clients, client.ID)
	}
}

// deviceOf tells the type of device from what a client says, else from its
// User-Agent.
func deviceOf(r *http.Request, said string) string {
	switch {
	case said != "":
		return said
	case r.Header.Get("Sec-CH-UA-Mobile") == "?1", strings.Contains(r.UserAgent(), "Mobile"):
		return "mobile"
	}
	return "desktop"
}

// Sessions returns the sessions of subject, or all if it is "", in the order of
// their sign-in.
func (i *Issuer) Sessions(subject string) []Session {
	i.mu.Lock()
	defer i.mu.Unlock()
	var list []*session
	for _, s := range i.sessions {
		if subject == "" || s.subject == subject {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b *session) int { return cmp.Compare(a.order, b.order) })
	snapshots := make([]Session, 0, len(list))
	for _, s := range list {
		snapshots = append(snapshots, s.snapshot())
	}
	return snapshots
}

// HasSession tells whether the session with this id is alive.
func (i *Issuer) HasSession(id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.sessions[id] != nil
}

// EndSession ends a session, as its user's sign-out does: refreshing with its
// refresh tokens is refused, its tokens are not active any more, and every client
// with a back-channel logout URI that got tokens of it is sent a logout token.
// It returns when all of them have answered, after 5 seconds at the latest.
//
// The error says that there is no such session, or which clients could not be
// told; the session has ended then as well.
func (i *Issuer) EndSession(id string) error {
	i.mu.Lock()
	s := i.sessions[id]
	delete(i.sessions, id)
	i.mu.Unlock()
	if s == nil {
		return errors.New("jwtbearertest: no such session")
	}
	return i.notifyLogout([]*session{s})
}

// EndSessions ends all sessions of subject, as [Issuer.EndSession] does. It is no
// error if there are none.
func (i *Issuer) EndSessions(subject string) error {
	var ended []*session
	i.mu.Lock()
	for id, s := range i.sessions {
		if s.subject == subject {
			delete(i.sessions, id)
			ended = append(ended, s)
		}
	}
	i.mu.Unlock()
	slices.SortFunc(ended, func(a, b *session) int { return cmp.Compare(a.order, b.order) })
	return i.notifyLogout(ended)
}

// SignIn says who signs in, and where; see [Issuer.SignIn].
type SignIn struct {
	// Subject is the user; "" is the first one.
	Subject string
	// ClientID is the client that gets the tokens; "" is the first one.
	ClientID string
	// Scopes are what it asks for; nil is openid profile offline_access.
	Scopes []string
	// Audience is which API the access token is for; "" leaves it to the scopes.
	Audience string
	// Device is the type of device; "" is "desktop".
	Device string
}

// SignIn signs a user in and returns what the client's token request would have
// got after the authorization code flow, without any HTTP. nil signs the first
// user in at the first client. It panics if there is no such user or client.
func (i *Issuer) SignIn(who *SignIn) *Tokens {
	if who == nil {
		who = new(SignIn)
	}
	client := i.clientByID(cmp.Or(who.ClientID, i.defaultClientID()))
	if client == nil {
		panic(fmt.Sprintf("jwtbearertest: SignIn: there is no client %q: name it in Options.Clients", who.ClientID))
	}
	s, err := i.newSession(cmp.Or(who.Subject, i.defaultSubject()), who.Device)
	if err != nil {
		panic(fmt.Sprintf("jwtbearertest: SignIn: there is no user %q: name it in Options.Users", who.Subject))
	}
	scopes := who.Scopes
	if scopes == nil {
		scopes = []string{"openid", "profile", "offline_access"}
	}
	return i.issue(client, &issuance{subject: s.subject, session: s, scopes: client.narrow(scopes), audience: nonEmpty(who.Audience), refreshable: true, user: true})
}
