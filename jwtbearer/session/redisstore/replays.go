package redisstore

import (
	"context"
	"time"
)

// Claim implements [session.Replays].
func (s *Store) Claim(ctx context.Context, issuer, id string, until time.Time) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	life := time.Until(until)
	if life < time.Millisecond {
		return false, nil
	}
	first, err := s.client.SetNX(ctx, s.name("j", issuer, id), "1", life).Result()
	return first, wrap(err)
}

// Release implements [session.Replays].
func (s *Store) Release(ctx context.Context, issuer, id string) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return wrap(s.client.Del(ctx, s.name("j", issuer, id)).Err())
}
