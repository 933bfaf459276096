package jwks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/bearerguard/bearerguard/jwks"
)

func benchSet(b *testing.B, n int) *jwks.Set {
	b.Helper()
	one := ecJWK("")
	keys := make([]jwk, n)
	for i := range keys {
		keys[i] = one.with("kid", fmt.Sprintf("key-%04d-of-the-authority", i))
	}
	a := newAuthority(keys...)
	s := newSet(b, a, &jwks.Options{HTTPClient: &http.Client{Transport: a}})
	ready(b, s)
	return s
}

// BenchmarkFind is the lookup for a first-seen token: by key id, in sets of
// growing size.
func BenchmarkFind(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		s := benchSet(b, n)
		ctx := context.Background()
		kid := fmt.Sprintf("key-%04d-of-the-authority", n/2)
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if keys, err := s.Find(ctx, kid, "ES256"); err != nil || len(keys) != 1 {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("keys=%d/parallel", n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if keys, err := s.Find(ctx, kid, "ES256"); err != nil || len(keys) != 1 {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkHolds is what each hit of a cache of verified tokens costs.
func BenchmarkHolds(b *testing.B) {
	s := benchSet(b, 10)
	key := s.Keys()[3]
	now := time.Now()
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Holds(key, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := s.Holds(key, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// BenchmarkUnknownKid is a flood: what each request with a key id that does not
// exist costs this process.
func BenchmarkUnknownKid(b *testing.B) {
	kids := make([]string, 1<<16)
	for i := range kids {
		kids[i] = fmt.Sprintf("junk-%016x", rand.Uint64())
	}
	ctx := context.Background()
	b.Run("one", func(b *testing.B) {
		s := benchSet(b, 10)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, err := s.Find(ctx, kids[i%len(kids)], "ES256"); err == nil {
				b.Fatal("found")
			}
			i++
		}
	})
	b.Run("parallel", func(b *testing.B) {
		s := benchSet(b, 10)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := rand.IntN(len(kids)); pb.Next(); i++ {
				if _, err := s.Find(ctx, kids[i%len(kids)], "ES256"); err == nil {
					b.Fatal("found")
				}
			}
		})
	})
}

// BenchmarkFindDuringFlood is a good request while eight clients flood.
func BenchmarkFindDuringFlood(b *testing.B) {
	s := benchSet(b, 10)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = s.Find(ctx, fmt.Sprintf("junk-%x", rand.Uint64()), "ES256")
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Find(ctx, "key-0003-of-the-authority", "ES256"); err != nil {
			b.Fatal(err)
		}
	}
	stop()
	<-done
}

// BenchmarkParse is one refresh of a key set.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{3, 1000} {
		keys := make([]jwk, n)
		one := jwkOf("", rsaKey())
		for i := range keys {
			keys[i] = one.with("kid", fmt.Sprint(i))
		}
		data := []byte(document(keys...))
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := jwks.NewStatic(testIssuer, data, &jwks.StaticOptions{Logger: discard})
				if err != nil {
					b.Fatal(err)
				}
				_ = s.Close()
			}
		})
	}
}

func TestFindDoesNotAllocate(t *testing.T) {
	s := static(t, document(ecJWK("a"), ecJWK("")))
	ctx := context.Background()
	key := s.Keys()[0]
	for name, f := range map[string]func(){
		"Find by kid":      func() { _, _ = s.Find(ctx, "a", "ES256") },
		"Find without kid": func() { _, _ = s.Find(ctx, "", "ES256") },
		"Find unknown":     func() { _, _ = s.Find(ctx, "b", "ES256") },
		"Holds":            func() { _ = s.Holds(key, time.Time{}) },
		"TokenIssuer":      func() { _ = s.TokenIssuer() },
	} {
		if got := testing.AllocsPerRun(1000, f); got != 0 {
			t.Errorf("%s: got %v allocations, want none", name, got)
		}
	}
}
