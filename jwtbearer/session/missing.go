package session

import (
	"fmt"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

// Missing says what becomes of tokens that name no session, such as those of
// the client credentials grant.
type Missing int

const (
	// RefuseMissing refuses them (401). It is the zero value.
	RefuseMissing Missing = iota
	// RefuseMissingExcept refuses them, except those of the clients in
	// [Options.Clients].
	RefuseMissingExcept
	// RefuseMissingOf refuses only those of the clients in [Options.Clients].
	// A token that names no client is refused as well: it cannot be told from
	// one of theirs.
	RefuseMissingOf
	// SkipMissing lets all of them pass. A stolen token without a session is
	// then ended by nothing but its expiry, unless [Revocations] does.
	SkipMissing
)

// errMissing refuses a token that names no session.
var errMissing = fmt.Errorf("session: the token names no session: %w", jwtbearer.ErrClaim)

// missingPolicy is a checked Missing with its clients.
type missingPolicy struct {
	missing Missing
	clients map[string]bool
}

func newMissingPolicy(missing Missing, clients []string) (missingPolicy, error) {
	p := missingPolicy{missing: missing, clients: make(map[string]bool, len(clients))}
	for _, client := range clients {
		if client == "" {
			return p, fmt.Errorf("session: Options.Clients holds an empty client identifier: remove it")
		}
		p.clients[client] = true
	}
	switch missing {
	case RefuseMissing, SkipMissing:
		if len(clients) > 0 {
			return p, fmt.Errorf("session: Options.Clients is set, but Options.Missing does not use it: set Missing to RefuseMissingExcept or RefuseMissingOf")
		}
	case RefuseMissingExcept, RefuseMissingOf:
		if len(clients) == 0 {
			return p, fmt.Errorf("session: Options.Missing names clients, but Options.Clients is empty: list them")
		}
	default:
		return p, fmt.Errorf("session: Options.Missing is %d: use one of the constants", int(missing))
	}
	return p, nil
}

// passes reports whether a token of client that names no session may pass.
func (p missingPolicy) passes(client string) bool {
	switch p.missing {
	case SkipMissing:
		return true
	case RefuseMissingExcept:
		return p.clients[client]
	case RefuseMissingOf:
		return client != "" && !p.clients[client]
	}
	return false
}
