package main

import (
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A provider is an authority on loopback: metadata and a key set.
type provider struct {
	issuer  string
	server  *http.Server
	fetches atomic.Int64 // of the key set
	lag     atomic.Int64 // nanoseconds that the key set takes

	mu   sync.Mutex
	keys []byte
}

func newProvider(keys ...publicKey) (*provider, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &provider{issuer: "http://" + listener.Addr().String(), keys: keySet(keys...)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{
			"issuer":                                p.issuer,
			"jwks_uri":                              p.jwksURL(),
			"id_token_signing_alg_values_supported": []string{"RS256", "PS256", "ES256", "EdDSA"},
		})
	})
	mux.HandleFunc("GET /jwks.json", func(w http.ResponseWriter, r *http.Request) {
		p.fetches.Add(1)
		if lag := time.Duration(p.lag.Load()); lag > 0 {
			time.Sleep(lag)
		}
		p.mu.Lock()
		keys := p.keys
		p.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.Write(keys)
	})
	p.server = &http.Server{Handler: mux}
	go p.server.Serve(listener) // ends with Close
	return p, nil
}

func (p *provider) jwksURL() string { return p.issuer + "/jwks.json" }

// publish replaces the key set.
func (p *provider) publish(keys ...publicKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keySet(keys...)
}

func (p *provider) Close() error { return p.server.Close() }
