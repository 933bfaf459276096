package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// Revocations is a [session.RevocationStore] and a [session.Watcher] that
// shares the server, the subscription and the options of its Store. All methods
// are safe for concurrent use.
type Revocations struct{ store *Store }

// Revocations returns the store's revocations of tokens.
func (s *Store) Revocations() *Revocations { return &Revocations{s} }

func (v *Revocations) key(kind session.RevocationKind, issuer, value string) string {
	return v.store.name("r"+strconv.Itoa(int(kind)), issuer, value)
}

// Revoke implements [session.RevocationStore].
func (v *Revocations) Revoke(ctx context.Context, r session.Revocation) error {
	s := v.store
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	life := time.Until(r.Until).Milliseconds()
	if life <= 0 {
		return nil
	}
	err := addRevocationScript.Run(ctx, s.client, []string{v.key(r.Kind, r.Issuer, r.Value)},
		micros(r.Before), life, s.channel(), messageRevoked).Err()
	s.watchers.revoked()
	return wrap(err)
}

// Revoked implements [session.RevocationStore], in one round trip.
func (v *Revocations) Revoked(ctx context.Context, p session.Presented) (bool, error) {
	s := v.store
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.trusted(ctx); err != nil {
		return false, err
	}
	keys := []string{s.marker()}
	kinds := make([]session.RevocationKind, 1, 4)
	for kind, value := range [...]string{session.RevokedToken: p.ID, session.RevokedSubject: p.Subject, session.RevokedClient: p.ClientID} {
		if value != "" {
			kinds = append(kinds, session.RevocationKind(kind))
			keys = append(keys, v.key(session.RevocationKind(kind), p.Issuer, value))
		}
	}
	values, err := s.client.MGet(ctx, keys...).Result()
	if err != nil {
		return false, wrap(err)
	}
	if len(values) != len(keys) {
		return false, errors.New("redisstore: the server answered MGET with something else")
	}
	for i, value := range values {
		text, ok := value.(string)
		if i == 0 || !ok {
			continue
		}
		before, err := instant(text)
		if err != nil {
			return false, err
		}
		if kinds[i] == session.RevokedToken || p.IssuedAt.Before(before) {
			return true, nil
		}
	}
	return false, v.complete(ctx, values[0], p)
}

// complete returns an error if a revocation of p may have been lost.
func (v *Revocations) complete(ctx context.Context, marker any, p session.Presented) error {
	s := v.store
	text, ok := marker.(string)
	if !ok {
		if !s.auto {
			return session.ErrDataLost
		}
		text = strconv.FormatInt(micros(p.At), 10)
		if err := s.client.SetArgs(ctx, s.marker(), text, redis.SetArgs{Mode: "NX"}).Err(); err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("redisstore: %w", err)
		}
	}
	since, err := instant(text)
	if err != nil {
		return err
	}
	if p.IssuedAt.Before(since) && p.At.Sub(since) < s.remember {
		return session.ErrDataLost
	}
	return nil
}

// Watch implements [session.Watcher].
func (v *Revocations) Watch(w session.Watch) (stop func()) { return v.store.Watch(w) }
