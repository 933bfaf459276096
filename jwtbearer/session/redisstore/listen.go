package redisstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// pingEvery is how long the subscription may be silent before the server is
	// asked for a sign of life, and how long that may take.
	pingEvery = time.Second
	// retryMax bounds the wait between two attempts to subscribe.
	retryMax = time.Second
)

// listen owns the subscription until ctx ends.
func (s *Store) listen(ctx context.Context) {
	defer close(s.done)
	wait := retryMax / 16
	warned := false
	for {
		subscribed, err := s.subscribe(ctx)
		s.watchers.setConnected(false)
		if ctx.Err() != nil {
			return
		}
		if subscribed {
			wait, warned = retryMax/16, false
		}
		if !warned {
			warned = true
			s.logger.WarnContext(ctx, "redisstore: not subscribed to revocations; verdicts are not cached until it is", "error", err)
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = min(retryMax, 2*wait)
	}
}

var errSilent = errors.New("redisstore: the server is silent")

// subscribe listens until the subscription fails, and reports whether it was
// ever established.
func (s *Store) subscribe(ctx context.Context) (subscribed bool, err error) {
	// The client watches deadlines only: while it connects, it is bounded by
	// them; while it reads, it is ended by Close.
	pubsub := s.client.Subscribe(ctx)
	defer pubsub.Close()
	stop := context.AfterFunc(ctx, func() { pubsub.Close() })
	defer stop()
	connecting, cancel := context.WithTimeout(ctx, s.timeout)
	err = pubsub.Subscribe(connecting, s.channel())
	cancel()
	if err != nil {
		return false, err
	}
	pinged := false
	for {
		message, err := receive(ctx, pubsub, pingEvery+s.timeout)
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() && ctx.Err() == nil {
			if pinged {
				return subscribed, errSilent
			}
			asking, cancel := context.WithTimeout(ctx, s.timeout)
			err := pubsub.Ping(asking)
			cancel()
			if err != nil {
				return subscribed, err
			}
			pinged = true
			continue
		}
		if err != nil {
			return subscribed, err
		}
		pinged = false
		switch m := message.(type) {
		case *redis.Subscription:
			if subscribed {
				// The client connected anew by itself: what came between is lost.
				s.watchers.setConnected(false)
			}
			if err := s.verify(ctx); err != nil {
				return subscribed, err
			}
			subscribed = true
			s.watchers.setConnected(true)
		case *redis.Message:
			s.dispatch(ctx, m.Payload)
		}
	}
}

// receive waits for one message, at most for pingEvery once connected.
func receive(ctx context.Context, pubsub *redis.PubSub, limit time.Duration) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return pubsub.ReceiveTimeout(ctx, pingEvery)
}

func (s *Store) dispatch(ctx context.Context, payload string) {
	keys, revoked, err := decodeMessage(payload)
	switch {
	case err != nil:
		// Whatever it meant to end, no cached verdict is believed.
		s.logger.WarnContext(ctx, "redisstore: a message was not understood; cached verdicts are dropped")
		s.watchers.setConnected(false)
		s.watchers.setConnected(true)
	case revoked:
		s.watchers.revoked()
	default:
		s.watchers.ended(keys...)
	}
}
