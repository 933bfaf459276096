package jwks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

func TestFindWithoutKid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var keys []jwk
		keys = append(keys, jwkOf("ed", newEd()))
		for i := range 6 {
			kid := fmt.Sprint(i)
			if i%2 == 1 {
				kid = ""
			}
			keys = append(keys, ecJWK(kid))
		}
		keys = append(keys, jwkOf("rs", rsaKey()).with("alg", "RS256"))
		a := newAuthority(keys...)
		s := newSet(t, a, nil)
		ready(t, s)
		before := a.requests("")

		got, err := s.Find(context.Background(), "", "ES256")
		all := s.Keys()
		if err != nil || !slices.Equal(got, all[1:5]) {
			t.Errorf("ES256: got %d keys, %v, want the first four in document order", len(got), err)
		}
		got, err = s.Find(context.Background(), "", "Ed25519")
		if err != nil || !slices.Equal(got, all[:1]) {
			t.Errorf("Ed25519: got %d keys, %v, want the one", len(got), err)
		}
		got, err = s.Find(context.Background(), "", "RS256")
		if err != nil || !slices.Equal(got, all[7:]) {
			t.Errorf("RS256: got %d keys, %v, want the one", len(got), err)
		}
		if got := a.requests("") - before; got != 0 {
			t.Errorf("they caused %d requests", got)
		}
		if got, err := s.Find(context.Background(), "", "PS256"); !errors.Is(err, jwks.ErrKeyNotFound) {
			t.Errorf("PS256 with a key for RS256 only: got %d keys, %v, want ErrKeyNotFound", len(got), err)
		}
	})
}

func TestKeysWithoutKidServeNoTokenWithOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, newAuthority(ecJWK("")), nil)
		ready(t, s)
		expect(t, s, "a", result{401, 0})
		expect(t, s, "", result{200, 0})
	})
}

func TestFindNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		one, two, three := ecJWK(""), ecJWK(""), ecJWK("")
		a := newAuthority(one, two)
		s := newSet(t, a, nil)
		tried, err := s.Find(ctx, "", "ES256")
		if err != nil || len(tried) != 2 {
			t.Fatalf("got %d keys, %v, want 2", len(tried), err)
		}

		t.Log("nothing new: one fetch, and the error of Find")
		before := a.requests("/keys")
		if got, err := s.FindNew(ctx, "ES256", tried); !errors.Is(err, jwks.ErrKeyNotFound) {
			t.Errorf("got %d keys, %v, want ErrKeyNotFound", len(got), err)
		}
		if got := a.requests("/keys") - before; got != 1 {
			t.Errorf("got %d fetches, want 1", got)
		}

		t.Log("a new key, and only that")
		a.rotate(one, two, three)
		got, err := s.FindNew(ctx, "ES256", tried)
		if err != nil || len(got) != 1 || slices.Contains(tried, got[0]) {
			t.Errorf("got %d keys, %v, want the new one", len(got), err)
		}

		t.Log("there already: no fetch")
		before = a.requests("/keys")
		if got, err := s.FindNew(ctx, "ES256", tried); err != nil || len(got) != 1 {
			t.Errorf("got %d keys, %v, want the new one", len(got), err)
		}
		if got := a.requests("/keys") - before; got != 0 {
			t.Errorf("got %d fetches, want none", got)
		}

		t.Log("never more than four keys in all")
		a.rotate(ecJWK(""), ecJWK(""), ecJWK(""), ecJWK(""))
		if got, err := s.FindNew(ctx, "ES256", append(tried, got...)); err != nil || len(got) != 1 {
			t.Errorf("after three others: got %d keys, %v, want 1", len(got), err)
		}
		four, _ := s.Find(ctx, "", "ES256")
		a.rotate(ecJWK(""))
		if got, err := s.FindNew(ctx, "ES256", four); !errors.Is(err, jwks.ErrKeyNotFound) {
			t.Errorf("after four others: got %d keys, %v, want ErrKeyNotFound", len(got), err)
		}

		t.Log("but the next token finds it")
		if got, err := s.Find(ctx, "", "ES256"); err != nil || len(got) != 1 || slices.Contains(four, got[0]) {
			t.Errorf("got %d keys, %v, want the new one", len(got), err)
		}
	})
}

func TestFindNewWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		a := newAuthority(ecJWK("a"))
		s := newSet(t, a, nil)
		tried, err := s.Find(ctx, "", "ES256")
		if err != nil {
			t.Fatal(err)
		}
		before := a.requests("")
		for range 10_000 {
			took := timed(func() {
				if _, err := s.FindNew(ctx, "ES256", tried); !errors.Is(err, jwks.ErrKeyNotFound) {
					t.Errorf("got %v, want ErrKeyNotFound", err)
				}
			})
			if took != 0 {
				t.Errorf("it waited %v", took)
			}
			time.Sleep(3 * time.Millisecond)
		}
		if got := a.requests("") - before; got > 10 {
			t.Errorf("10,000 bad signatures in 30s cost %d requests, want at most 10", got)
		}
		a.fail(refusing)
		time.Sleep(time.Minute)
		if _, err := s.FindNew(ctx, "ES256", tried); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("while the authority is down: got %v, want ErrUnavailable", err)
		}
	})
}
