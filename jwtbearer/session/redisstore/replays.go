package redisstore

import (
	"context"
	"time"
)

// Used implements [session.Replays].
func (s *Store) Used(ctx context.Context, issuer, id string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	n, err := s.client.Exists(ctx, s.name("j", issuer, id)).Result()
	return n > 0, wrap(err)
}

// MarkUsed implements [session.Replays].
func (s *Store) MarkUsed(ctx context.Context, issuer, id string, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	life := time.Until(until)
	if life < time.Millisecond {
		return nil
	}
	return wrap(s.client.Set(ctx, s.name("j", issuer, id), "1", life).Err())
}
