package jwtbearertest

import (
	"crypto"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// What Options that name no clients give: one client that may do everything.
const (
	// DefaultClientID is the id of the default client, "client".
	DefaultClientID = "client"
	// DefaultClientSecret is its password, "secret".
	DefaultClientSecret = "secret"
)

// Client is an application that the issuer knows (RFC 6749, Section 2).
type Client struct {
	// ID is its client_id; required, unique.
	ID string

	// Secret is its password, sent by HTTP Basic or in the body. A client with
	// neither Secret nor KeySet is a public one, which sends its client_id only.
	Secret string

	// KeySet is the JWK Set with the public keys that it signs client assertions
	// with (private_key_jwt; RFC 7523, Section 2.2).
	KeySet []byte

	// RedirectURIs are where authorization answers may go; compared exactly
	// (RFC 9700, Section 2.1).
	RedirectURIs []string

	// PostLogoutRedirectURIs are where a browser may go after signing out; compared
	// exactly.
	PostLogoutRedirectURIs []string

	// InsecureAnyRedirectURI allows every redirect URI, so that whoever makes up a
	// link gets the code. The default client has it, since the port of a test server
	// is not known beforehand.
	InsecureAnyRedirectURI bool

	// InsecureNoPKCE lets the client leave PKCE out. A challenge that is sent is
	// checked nevertheless.
	InsecureNoPKCE bool

	// BackChannelLogoutURI, if not "", is sent a logout token when a session of this
	// client ends (OpenID Connect Back-Channel Logout 1.0).
	BackChannelLogoutURI string

	// Scopes are those that it may ask for. nil means all; offline_access must be
	// named in a list as well.
	Scopes []string

	// Grants are the grant types that it may use. nil means authorization_code,
	// refresh_token and client_credentials; the legacy password grant, token
	// exchange and extension grants must be named.
	Grants []string

	// Lifetimes of what the client gets. Zero fields mean the issuer's.
	Lifetimes Lifetimes

	// RefreshUsage says whether a refresh token is good once. The zero value is
	// OneTimeRefresh.
	RefreshUsage RefreshUsage

	// RefreshExpiry says whether refreshing prolongs. The zero value is
	// SlidingExpiry.
	RefreshExpiry RefreshExpiry

	// ReuseLeeway is how long a refresh token that was used works again under
	// OneTimeRefresh, for a client whose answer was lost or that refreshed twice at
	// once. 0 means 30 seconds, NoReuseLeeway none; at most 10 minutes.
	ReuseLeeway time.Duration

	// RevokeOneToken makes the revocation endpoint revoke just the refresh token
	// that it is sent. Otherwise everything from the same sign-in is revoked with it
	// (RFC 7009, Section 2.1).
	RevokeOneToken bool

	// OpaqueTokens gives access tokens that are no JWTs and say nothing to anybody
	// but the introspection endpoint.
	OpaqueTokens bool

	keys []clientKey
}

// NoReuseLeeway as Client.ReuseLeeway means that a used refresh token never works
// again.
const NoReuseLeeway time.Duration = -1

// RefreshUsage says how often one refresh token is good.
type RefreshUsage int

// The usages.
const (
	// OneTimeRefresh answers every refresh with a new refresh token and takes each
	// one once, Client.ReuseLeeway apart. Using it again after that means that
	// somebody has stolen it, and revokes the whole chain (RFC 9700, Section 4.14.2).
	OneTimeRefresh RefreshUsage = iota
	// ReusableRefresh answers with the same refresh token until it expires.
	ReusableRefresh
)

// RefreshExpiry says when refreshing ends.
type RefreshExpiry int

// The expiries.
const (
	// SlidingExpiry gives a full Lifetimes.RefreshToken at every refresh, up to
	// Lifetimes.RefreshTokenAbsolute after the sign-in.
	SlidingExpiry RefreshExpiry = iota
	// AbsoluteExpiry ends Lifetimes.RefreshTokenAbsolute after the sign-in, used or
	// not.
	AbsoluteExpiry
)

// clientKey is a public key of a client.
type clientKey struct {
	id, use, alg string // "" if the set does not say
	public       crypto.PublicKey
}

func (c *Client) public() bool { return c.Secret == "" && len(c.KeySet) == 0 }

func (c *Client) mayUse(grant string) bool { return slices.Contains(c.Grants, grant) }

func (c *Client) mayAsk(scope string) bool {
	return c.Scopes == nil || slices.Contains(c.Scopes, scope)
}

// redirectTo returns where to send the answer to a request for uri, "" if nowhere.
func (c *Client) redirectTo(uri string) string {
	switch {
	case uri == "" && len(c.RedirectURIs) == 1:
		return c.RedirectURIs[0]
	case slices.Contains(c.RedirectURIs, uri):
		return uri
	case c.InsecureAnyRedirectURI && checkURI(uri) == nil:
		return uri
	}
	return ""
}

func (c *Client) mayReturnTo(uri string) bool {
	return slices.Contains(c.PostLogoutRedirectURIs, uri) || c.InsecureAnyRedirectURI && checkURI(uri) == nil
}

// checkURI refuses what RFC 6749, Section 3.1.2, does.
func checkURI(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return err
	case u.Scheme == "" || u.Scheme == "javascript" || u.Scheme == "data":
		return fmt.Errorf("%q is not an absolute URI", uri)
	case strings.Contains(uri, "#"):
		return fmt.Errorf("%q has a fragment", uri)
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host == "":
		return fmt.Errorf("%q has no host", uri)
	}
	return nil
}

// prepareClients checks the clients and fills in what their zero values mean.
func (o *Options) prepareClients() error {
	if o.Clients == nil {
		o.Clients = []*Client{{
			ID:                     DefaultClientID,
			Secret:                 DefaultClientSecret,
			InsecureAnyRedirectURI: true,
			Grants:                 o.grantTypes(),
		}}
	}
	if len(o.Clients) == 0 {
		return fmt.Errorf("jwtbearertest: Options.Clients is empty: use nil for the default client")
	}
	clients := make([]*Client, len(o.Clients))
	ids := make(map[string]bool)
	for n, given := range o.Clients {
		if given == nil {
			return fmt.Errorf("jwtbearertest: Options.Clients[%d] is nil: remove it", n)
		}
		client := *given
		where := fmt.Sprintf("Options.Clients[%d]", n)
		if client.ID == "" || ids[client.ID] {
			return fmt.Errorf("jwtbearertest: %s.ID %q is empty or used twice: give every client its own", where, client.ID)
		}
		ids[client.ID] = true
		if err := client.prepare(where, o); err != nil {
			return err
		}
		clients[n] = &client
	}
	o.Clients = clients
	return nil
}

func (c *Client) prepare(where string, o *Options) error {
	for _, list := range []struct {
		name string
		uris []string
	}{{"RedirectURIs", c.RedirectURIs}, {"PostLogoutRedirectURIs", c.PostLogoutRedirectURIs}, {"BackChannelLogoutURI", nonEmpty(c.BackChannelLogoutURI)}} {
		for _, uri := range list.uris {
			if err := checkURI(uri); err != nil {
				return fmt.Errorf("jwtbearertest: %s.%s: %w: use an absolute URI without fragment", where, list.name, err)
			}
		}
	}
	if c.Grants == nil {
		c.Grants = []string{grantCode, grantRefresh, grantClientCredentials}
	}
	for _, grant := range c.Grants {
		if !slices.Contains(o.grantTypes(), grant) {
			return fmt.Errorf("jwtbearertest: %s.Grants: %q is no grant type: use one of %s, or register it in Options.Grants", where, grant, strings.Join(o.grantTypes(), ", "))
		}
	}
	c.Lifetimes = c.Lifetimes.over(o.Lifetimes)
	if err := c.Lifetimes.check(where + ".Lifetimes"); err != nil {
		return err
	}
	if c.RefreshExpiry == SlidingExpiry {
		if err := c.Lifetimes.checkSliding(where + ".Lifetimes"); err != nil {
			return err
		}
	}
	switch {
	case c.ReuseLeeway == 0:
		c.ReuseLeeway = 30 * time.Second
	case c.ReuseLeeway == NoReuseLeeway:
	case c.ReuseLeeway < 0 || c.ReuseLeeway > 10*time.Minute:
		return fmt.Errorf("jwtbearertest: %s.ReuseLeeway is %v: use 0 for 30s, NoReuseLeeway for none, or up to 10m", where, c.ReuseLeeway)
	}
	if c.KeySet != nil {
		set, err := jwk.Parse(c.KeySet)
		if err != nil || set.Len() == 0 {
			return fmt.Errorf("jwtbearertest: %s.KeySet is no JWK Set with keys: %v", where, err)
		}
		for n := range set.Len() {
			key, _ := set.Key(n)
			public, err := jwk.PublicRawKeyOf(key)
			if err != nil {
				return fmt.Errorf("jwtbearertest: %s.KeySet: key %d: %w", where, n, err)
			}
			c.keys = append(c.keys, clientKey{key.KeyID(), key.KeyUsage(), key.Algorithm().String(), derefPublic(public)})
		}
	}
	return nil
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
