package redisstore

import (
	"encoding/json"
	"errors"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// A message on the channel is a JSON array: of a kind, and for ended sessions of
// their issuers and identifiers in turn. Strings that are no UTF-8 travel as
// the bytes they are.
const (
	kindEnded   = "ended"
	kindRevoked = "revoked"
)

var messageRevoked = `["` + kindRevoked + `"]`

func (s *Store) channel() string { return s.prefix + "events" }

func encodeEnded(keys []session.Key) string {
	parts := make([]any, 1, 1+2*len(keys))
	parts[0] = kindEnded
	for _, key := range keys {
		parts = append(parts, []byte(key.Issuer), []byte(key.ID))
	}
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // strings and bytes can always be encoded
	}
	return string(text)
}

var errMessage = errors.New("redisstore: a message on the channel cannot be read")

// decodeMessage returns what was ended; revoked says that it was tokens.
func decodeMessage(text string) (keys []session.Key, revoked bool, err error) {
	var parts []json.RawMessage
	if json.Unmarshal([]byte(text), &parts) != nil || len(parts) == 0 || len(parts)%2 == 0 {
		return nil, false, errMessage
	}
	var kind string
	if json.Unmarshal(parts[0], &kind) != nil {
		return nil, false, errMessage
	}
	switch kind {
	case kindRevoked:
		return nil, true, nil
	case kindEnded:
	default:
		return nil, false, errMessage
	}
	for i := 1; i < len(parts); i += 2 {
		var issuer, id []byte
		if json.Unmarshal(parts[i], &issuer) != nil || json.Unmarshal(parts[i+1], &id) != nil {
			return nil, false, errMessage
		}
		keys = append(keys, session.Key{Issuer: string(issuer), ID: string(id)})
	}
	return keys, false, nil
}
