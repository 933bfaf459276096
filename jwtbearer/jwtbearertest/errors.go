package jwtbearertest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// Error is an answer by RFC 6749, Section 5.2.
type Error struct {
	// Code is the error code, such as "invalid_grant".
	Code string
	// Description is for the developer of a client.
	Description string
	// Status is the HTTP status; 0 means 400.
	Status int
}

// Error implements error.
func (e *Error) Error() string { return "jwtbearertest: " + e.Code + ": " + e.Description }

// InvalidGrant is the refusal of a grant: what the client presented is invalid,
// expired, revoked or somebody else's.
func InvalidGrant(description string) *Error {
	return &Error{Code: "invalid_grant", Description: description}
}

func invalidRequest(description string) *Error {
	return &Error{Code: "invalid_request", Description: description}
}

func invalidClient(description string) *Error {
	return &Error{Code: "invalid_client", Description: description, Status: http.StatusUnauthorized}
}

// writeError answers with an error of an endpoint that clients call directly.
func (i *Issuer) writeError(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		// Only extension grants come here; their texts are not for clients.
		e = InvalidGrant("The grant was refused.")
	}
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="`+i.base+`", charset="UTF-8"`)
	}
	writeJSON(w, status, map[string]any{"error": e.Code, "error_description": e.Description})
}

// writeJSON answers with something that no cache may keep (RFC 6749, Section 5.1).
func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "a claim is no JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	noStore(w)
	w.WriteHeader(status)
	w.Write(body)
}

func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}
