package jwks

import (
	"log/slog"
	"testing"
)

// TestDemandOfAKeyThatHasCome: a key that a refresh has brought since the caller
// looked is there, and nothing is asked for. Nothing outside the package can get in
// between the two looks.
func TestDemandOfAKeyThatHasCome(t *testing.T) {
	const set = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	s, err := NewStatic("https://id.example.com", []byte(set), &StaticOptions{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := slot{"a", edDSA}
	keys, underway, asked, err := s.demand(at, func(snap *snapshot) []*Key { return snap.find(at.id, at.alg) })
	if len(keys) != 1 || underway != nil || asked != nil || err != nil {
		t.Errorf("got %d keys, waits for %v and %v, error %v, want the key", len(keys), underway, asked, err)
	}
	if n := s.state.counts.Demands; n != 0 {
		t.Errorf("%d refreshes were asked for, want none", n)
	}
}
