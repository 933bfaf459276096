package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/bearerguard/bearerguard/examples/api/orders"
	"github.com/bearerguard/bearerguard/jwtbearer"
	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// revokeScope is the scope that ending other people's sessions needs.
const revokeScope = "sessions.revoke"

// routes are those of package orders, and what is about sessions.
func routes(verifier *jwtbearer.Verifier, store session.Store, c config) (http.Handler, error) {
	api, err := orders.New(verifier, c.audience)
	if err != nil {
		return nil, err
	}
	// Where the store remembers used logout tokens, as Redis does, a token that
	// was sent to one replica is refused by all.
	logout, err := session.NewLogoutHandler(verifier, c.clientID, &session.LogoutOptions{Sessions: store})
	if err != nil {
		return nil, err
	}
	own, err := verifier.Policy(c.audience)
	if err != nil {
		return nil, err
	}
	admin, err := verifier.Policy(c.audience, jwtbearer.Scope(revokeScope))
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	mux.Handle("/", api)
	// All methods, so that the handler answers 405 by itself.
	mux.Handle("/backchannel-logout", logout)
	mux.Handle("GET /sessions", own.Handler(list(store)))
	mux.Handle("DELETE /sessions/{id}", admin.Handler(revoke(store)))
	return mux, nil
}

// entry is a session as its user sees it. The identifier stays out: it is the
// name of the session at every API.
type entry struct {
	Client     string    `json:"client,omitempty"`
	Device     string    `json:"device,omitempty"`
	Address    string    `json:"address,omitempty"`
	Created    time.Time `json:"created"`
	LastAccess time.Time `json:"last_access"`
	This       bool      `json:"this"`
}

func list(store session.Store) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := jwtbearer.TokenFrom(r.Context())
		sessions, err := store.List(r.Context(), token.Issuer(), token.Subject())
		if err != nil {
			unavailable(w)
			return
		}
		entries := make([]entry, 0, len(sessions))
		for _, s := range sessions {
			entries = append(entries, entry{s.ClientID, s.Device, s.Address, s.Created, s.LastAccess, s.ID == token.SessionID()})
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(entries) // an error means that the client is gone
	})
}

func revoke(store session.Store) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := session.Key{Issuer: jwtbearer.TokenFrom(r.Context()).Issuer(), ID: r.PathValue("id")}
		if err := store.Revoke(r.Context(), key); err != nil {
			unavailable(w)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "sessions are not available now", http.StatusServiceUnavailable)
}
