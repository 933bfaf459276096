package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
)

// What every contender is set up for.
const (
	audience = "api1"
	scope    = "orders.read"
)

// A member is one name of a JSON object with its value as it stands in the
// text. Objects are slices of members, so that they can have a name twice.
type member struct{ name, value string }

type object []member

func (o object) String() string {
	var text strings.Builder
	text.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, "%q:%s", m.name, m.value)
	}
	text.WriteByte('}')
	return text.String()
}

// with returns a copy in which name has value, at its place or at the end.
func (o object) with(name string, value any) object {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	out := append(object(nil), o...)
	for i := range out {
		if out[i].name == name {
			out[i].value = string(text)
			return out
		}
	}
	return append(out, member{name, string(text)})
}

// without returns a copy that lacks name.
func (o object) without(name string) object {
	var out object
	for _, m := range o {
		if m.name != name {
			out = append(out, m)
		}
	}
	return out
}

// twice returns a copy that has one more member called name, at the end.
func (o object) twice(name string, value any) object {
	return append(append(object(nil), o...), object{}.with(name, value)...)
}

func header(s *signer) object {
	return object{}.with("alg", s.alg).with("kid", s.kid).with("typ", "at+jwt")
}

// claims are the twelve of a realistic access token, unlike every other's.
func claims(issuer string) object {
	now := time.Now().Unix()
	return object{}.
		with("iss", issuer).
		with("sub", "auth|6b1f0d3c-"+nonce(6)).
		with("aud", []string{audience, "https://id.example.com/userinfo"}).
		with("exp", now+3600).
		with("nbf", now-5).
		with("iat", now-5).
		with("jti", nonce(16)).
		with("client_id", "shop-frontend").
		with("sid", nonce(16)).
		with("auth_time", now-600).
		with("scope", "openid profile email offline_access orders.read orders.write invoices.read").
		with("roles", []string{"sales", "support-level-2", "warehouse-north"})
}

func nonce(n int) string {
	buf := make([]byte, n)
	rand.Read(buf)
	return hex.EncodeToString(buf)
}

// compact signs a token with s by the algorithm that alg names.
func compact(s *signer, alg, header, payload string) (string, error) {
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	sig, err := s.sign(alg, input)
	if err != nil {
		return "", err
	}
	return input + "." + b64.EncodeToString(sig), nil
}

func good(s *signer, issuer string) (string, error) {
	return compact(s, s.alg, header(s).String(), claims(issuer).String())
}

// mint makes n good tokens, no two alike, on all cores.
func mint(s *signer, issuer string, n int) ([]string, error) {
	tokens := make([]string, n)
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for worker := range errs {
		wg.Go(func() {
			for i := worker; i < n && errs[worker] == nil; i += len(errs) {
				tokens[i], errs[worker] = good(s, issuer)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return tokens, nil
}
