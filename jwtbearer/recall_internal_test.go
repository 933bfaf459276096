package jwtbearer

import (
	"crypto/ed25519"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
	"github.com/bearerguard/bearerguard/jwtbearer/internal/jose"
)

// TestRecallEnds: a signature check is believed for an hour and no longer, even of
// a key that is still there. From outside, the second check looks like the first.
func TestRecallEnds(t *testing.T) {
	_, keys := someKey(t)
	set, err := jwks.NewStatic("https://issuer.test", []byte(someKeySet), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	v, err := New("https://issuer.test", &Options{Keys: set})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	a, refused := v.route("https://issuer.test")
	if refused != nil {
		t.Fatal(refused)
	}
	now := time.Now()
	held := set.Keys()[0]
	remember := func(raw string, a *authority, key *jwks.Key) {
		token := &Token{raw: raw, issuer: "https://issuer.test", authority: a, key: key}
		v.cache.Put(raw, &verified{token: token, until: now.Add(maxVerifiedAge)}, 100, now)
	}
	unloaded := *a
	unloaded.tenant = &tenant{name: "t1", of: &tenants{listed: map[string]bool{"t1": true}}}
	unloaded.tenant.gone.Store(true)
	remember("held", a, held)
	remember("gone", a, keys[0])
	remember("unloaded", &unloaded, held)
	for _, tt := range []struct {
		raw   string
		after time.Duration
		want  bool
	}{
		{"held", 0, true},
		{"held", maxVerifiedAge - 1, true},
		{"held", maxVerifiedAge, false},
		{"gone", 0, false},
		{"unloaded", 0, false}, // its keys may be closed, which is no outage
		{"unknown", 0, false},
	} {
		token, refused := v.recall(tt.raw, now.Add(tt.after))
		if (token != nil) != tt.want || refused != nil {
			t.Errorf("%s after %v: recalled %v, error %v, want %v", tt.raw, tt.after, token != nil, refused, tt.want)
		}
	}
}

// someKeySet is the key of RFC 8037, Appendix A.2.
const someKeySet = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

// TestFailedFlightsOfOtherKeys: that a signature did not hold with the keys of
// another request says nothing where this one has newer ones.
func TestFailedFlightsOfOtherKeys(t *testing.T) {
	input := []byte("header.payload")
	_, withdrawn := someKey(t)
	signer, current := someKey(t)
	both := append(current[:1:1], withdrawn...)
	for _, tt := range []struct {
		name       string
		sharedWith []*jwks.Key // of the check that failed
		keys       []*jwks.Key // of the request that waits for it
		good       bool
	}{
		{"another key", withdrawn, current, true},
		{"one key more", withdrawn, both, true},
		{"the same keys", current, current, false}, // what has failed is believed
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, err := newVerifier(&Options{Cache: CacheOptions{Disabled: true}})
				if err != nil {
					t.Fatal(err)
				}
				finish := make(chan struct{})
				go v.flight.Do("raw", func() (any, error) {
					<-finish
					return tt.sharedWith, nil
				})
				synctest.Wait()
				var found *Token
				go func() {
					token := &Token{raw: "raw", header: &jose.Header{Algorithm: "EdDSA"}}
					found, _ = v.checkSignature(nil, token, &signature{input: input, value: ed25519.Sign(signer, input)}, tt.keys, time.Now())
				}()
				synctest.Wait()
				close(finish)
				synctest.Wait()
				if (found != nil) != tt.good {
					t.Errorf("accepted: %v, want %v", found != nil, tt.good)
				}
			})
		})
	}
}

// TestFlightsOfClaimsThatAreNoGood: that the authority itself has signed what cannot
// be accepted is found out once, and each request has an error of its own.
func TestFlightsOfClaimsThatAreNoGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, keys := someKey(t)
		v, err := newVerifier(&Options{Cache: CacheOptions{Disabled: true}})
		if err != nil {
			t.Fatal(err)
		}
		finish, shared := make(chan struct{}), refuse(ErrClaim)
		go v.flight.Do("raw", func() (any, error) {
			<-finish
			return shared, nil
		})
		synctest.Wait()
		var found *Token
		var refused *Error
		go func() {
			// Its signature does not hold: to check it again would tell.
			token := &Token{raw: "raw", header: &jose.Header{Algorithm: "EdDSA"}}
			found, refused = v.checkSignature(nil, token, &signature{value: make([]byte, 64)}, keys, time.Now())
		}()
		synctest.Wait()
		close(finish)
		synctest.Wait()
		if found != nil || refused == nil || refused.Reason != ErrClaim || refused == shared {
			t.Errorf("got %v and %v, want another error for the same reason", found != nil, refused)
		}
	})
}
