package jwks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// object takes a JSON object apart, one level deep. Member names match exactly,
// unlike those of a struct, which encoding/json also fills from "KTY" or "Kty".
// A name that stands twice is an error: two readers of one document must not
// see two different keys (RFC 7517, Section 4: names "MUST be unique").
func object(data []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	switch token, err := dec.Token(); {
	case err != nil:
		return nil, notJSON(err)
	case token != json.Delim('{'):
		return nil, errors.New("not a JSON object")
	}
	members := make(map[string]json.RawMessage)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		name, _ := token.(string) // the decoder admits nothing else here
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("member %s stands twice", quoted(name))
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, notJSON(err)
		}
		members[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	return members, nil
}

func notJSON(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("not JSON: it ends too early")
	}
	return fmt.Errorf("not JSON: %w", err)
}

// text returns the string in a member. It is false if the member is there and
// no string; null is no string.
func text(members map[string]json.RawMessage, name string) (value string, ok bool) {
	raw, there := members[name]
	if !there {
		return "", true
	}
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return value, json.Unmarshal(raw, &value) == nil
}

// list returns the elements of an array.
func list(raw json.RawMessage) ([]json.RawMessage, error) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil, errors.New("not an array")
	}
	var elements []json.RawMessage
	err := json.Unmarshal(raw, &elements)
	return elements, err
}

// quoted prepares what a document says for an error or a log line: bounded, on
// one line.
func quoted(s string) string {
	const most = 100
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
