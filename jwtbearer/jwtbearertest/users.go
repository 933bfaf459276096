package jwtbearertest

import (
	"crypto/subtle"
	"fmt"
)

// User is a person who can sign in.
type User struct {
	// Subject is the sub claim, and the name to sign in with; required, unique.
	Subject string
	// Password is what the sign-in page and the password grant ask for. "" means
	// that any will do.
	Password string
	// Claims are what the UserInfo endpoint and ID tokens tell: email,
	// email_verified, address, phone_number and phone_number_verified by the scope
	// of their name (email, address, phone), everything else by the scope profile.
	Claims map[string]any
	// TokenClaims go into every access token for this user, roles for example.
	TokenClaims map[string]any
}

// defaultUsers are two, so that there is somebody who must not notice.
var defaultUsers = []*User{
	{Subject: "alice", Claims: map[string]any{"name": "Alice", "preferred_username": "alice", "email": "alice@example.com", "email_verified": true}},
	{Subject: "bob", Claims: map[string]any{"name": "Bob", "preferred_username": "bob", "email": "bob@example.com", "email_verified": true}},
}

func (o *Options) prepareUsers() error {
	if o.Users == nil {
		o.Users = defaultUsers
	}
	if len(o.Users) == 0 {
		return fmt.Errorf("jwtbearertest: Options.Users is empty: use nil for alice and bob")
	}
	subjects := make(map[string]bool)
	for n, user := range o.Users {
		if user == nil || user.Subject == "" || subjects[user.Subject] {
			return fmt.Errorf("jwtbearertest: Options.Users[%d] has no Subject or one used twice: give every user its own", n)
		}
		subjects[user.Subject] = true
	}
	return nil
}

func (i *Issuer) defaultSubject() string  { return i.opts.Users[0].Subject }
func (i *Issuer) defaultClientID() string { return i.opts.Clients[0].ID }

// user returns the user with this subject, nil if there is none or no longer.
func (i *Issuer) user(subject string) *User {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.users[subject]
}

func (i *Issuer) clientByID(id string) *Client {
	for _, client := range i.opts.Clients {
		if client.ID == id {
			return client
		}
	}
	return nil
}

// signsInWith tells whether password is the user's.
func (u *User) signsInWith(password string) bool {
	return u.Password == "" || subtle.ConstantTimeCompare([]byte(u.Password), []byte(password)) == 1
}

// claimsFor returns what scopes let a client know of the user.
func (u *User) claimsFor(scopes []string) map[string]any {
	told := make(map[string]any)
	for name, value := range u.Claims {
		if has(scopes, scopeOfClaim(name)) {
			told[name] = value
		}
	}
	return told
}

// scopeOfClaim follows OpenID Connect Core 1.0, Section 5.4.
func scopeOfClaim(name string) string {
	switch name {
	case "email", "email_verified":
		return "email"
	case "phone_number", "phone_number_verified":
		return "phone"
	case "address":
		return "address"
	}
	return "profile"
}

// HasUser tells whether a user with this subject can sign in.
func (i *Issuer) HasUser(subject string) bool { return i.user(subject) != nil }

// DeleteUser removes a user. All sessions end, back-channel logout included, and
// no token for the user is active any more. The error is that of
// [Issuer.EndSession].
func (i *Issuer) DeleteUser(subject string) error {
	i.mu.Lock()
	delete(i.users, subject)
	i.deleted[subject] = true
	i.mu.Unlock()
	return i.EndSessions(subject)
}
