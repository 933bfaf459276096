package redisstore

import (
	"slices"
	"testing"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

func TestMessages(t *testing.T) {
	keys := []session.Key{{Issuer: "https://a", ID: "s1"}, {Issuer: "https://b", ID: "\xff\x00\""}, {Issuer: "", ID: ""}}
	got, revoked, err := decodeMessage(encodeEnded(keys))
	if err != nil || revoked || !slices.Equal(got, keys) {
		t.Errorf("got %q, %v, error %v, want %q", got, revoked, err, keys)
	}
	if got, revoked, err := decodeMessage(messageRevoked); err != nil || !revoked || got != nil {
		t.Errorf("got %q, %v, error %v, want a revocation", got, revoked, err)
	}
	for _, bad := range []string{"", "{}", "[]", "null", `["other"]`, `["ended","aQ=="]`, `["ended","aQ==",7]`, `["ended","aQ==","!"]`, `[7]`, `["ended"`} {
		if got, revoked, err := decodeMessage(bad); err == nil {
			t.Errorf("%q: got %q, %v, want an error", bad, got, revoked)
		}
	}
}

func TestInfoField(t *testing.T) {
	const info = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n# Persistence\r\naof_enabled:1\r\n"
	for name, want := range map[string]string{"run_id": "abc", "aof_enabled": "1", "run": "", "id": ""} {
		if got := infoField(info, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
