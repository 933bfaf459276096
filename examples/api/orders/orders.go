// Package orders is a small API protected by [jwtbearer]: a list of orders
// that belong to the caller. It is an example made to be read and copied; the
// other examples run it as the API that they talk to.
package orders

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

// WriteScope is the scope that POST /orders needs.
const WriteScope = "orders.write"

// maxBody bounds the body of POST /orders, in bytes.
const maxBody = 4 << 10

// New returns the API:
//
//	GET  /healthz   public: the process is up
//	GET  /readyz    public: 200 once tokens can be checked, else 503
//	GET  /orders    any good token for audience
//	POST /orders    a good token for audience with the scope [WriteScope]
//
// The rules are added to both protected routes. New returns an error if the
// audience or a rule is not usable; it is a mistake of the configuration.
// The handler keeps its orders in memory. The caller keeps verifier open for as
// long as the handler serves, and closes it.
func New(verifier *jwtbearer.Verifier, audience string, rules ...jwtbearer.Rule) (http.Handler, error) {
	read, err := verifier.Policy(audience, rules...)
	if err != nil {
		return nil, err
	}
	write, err := verifier.Policy(audience, append([]jwtbearer.Rule{jwtbearer.Scope(WriteScope)}, rules...)...)
	if err != nil {
		return nil, err
	}

	var s store
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, status{"up"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		// The reason is in the log and in Status: this route is public.
		if verifier.Ready() != nil {
			answer(w, http.StatusServiceUnavailable, status{"not ready"})
			return
		}
		answer(w, http.StatusOK, status{"ready"})
	})
	mux.Handle("GET /orders", read.Handler(http.HandlerFunc(s.list)))
	mux.Handle("POST /orders", write.Handler(http.HandlerFunc(s.create)))
	return mux, nil
}

// status is the body of the public routes.
type status struct {
	Status string `json:"status"`
}

// page is the body of GET /orders.
type page struct {
	Subject string  `json:"sub"`
	Scope   string  `json:"scope"`
	Expiry  int64   `json:"exp"` // seconds since 1970, as in the token
	Orders  []Order `json:"orders"`
}

func (s *store) list(w http.ResponseWriter, r *http.Request) {
	token := jwtbearer.TokenFrom(r.Context())
	answer(w, http.StatusOK, page{
		Subject: token.Subject(),
		Scope:   strings.Join(token.Scopes(), " "),
		Expiry:  token.Expiry().Unix(),
		Orders:  s.of(ownerOf(token)),
	})
}

func (s *store) create(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Item string `json:"item"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
	case err != nil || body.Item == "":
		http.Error(w, `the body must be a JSON object such as {"item": "tea"}`, http.StatusBadRequest)
	default:
		answer(w, http.StatusCreated, s.add(ownerOf(jwtbearer.TokenFrom(r.Context())), body.Item))
	}
}

// answer writes v as JSON. What a token opened belongs in no cache.
func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // an error means that the client is gone
}
