package redisstore

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// trusted returns an error if the server may have restarted and lost writes
// since it was last found good. While the subscription stands, the server has
// not restarted, and nothing is asked.
func (s *Store) trusted(ctx context.Context) error {
	if s.trust || s.watchers.isConnected() {
		return nil
	}
	return s.verify(ctx)
}

// verify asks the server which run of it this is, and whether its writes
// survive a restart.
func (s *Store) verify(ctx context.Context) error {
	if s.trust {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	info, err := s.info(ctx)
	if err != nil {
		return wrap(err)
	}
	run := infoField(info, "run_id")
	if run == "" {
		return errors.New("redisstore: the server does not tell its run_id: set Options.TrustRestarts if it keeps every write across restarts")
	}
	if known := s.run.Load(); known != nil && *known == run {
		return nil
	}
	durable := infoField(info, "aof_enabled") == "1"
	result, err := trustScript.Run(ctx, s.client, []string{s.prefix + "run", s.marker()}, run, flag(durable)).Text()
	if err != nil {
		return wrap(err)
	}
	if result == "lost" {
		s.logger.ErrorContext(ctx, "redisstore: the server restarted and keeps no append-only file: revocations may be lost, so sessions are unknown until Initialize is called",
			"auto_initialize", s.auto)
	}
	s.run.Store(&run)
	return nil
}

func (s *Store) info(ctx context.Context) (string, error) {
	var node redis.Cmdable = s.client
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		master, err := cluster.MasterForKey(ctx, s.marker())
		if err != nil {
			return "", err
		}
		node = master
	}
	pipe := node.Pipeline()
	server, persistence := pipe.Info(ctx, "server"), pipe.Info(ctx, "persistence")
	if _, err := pipe.Exec(ctx); err != nil {
		return "", err
	}
	return server.Val() + "\r\n" + persistence.Val(), nil
}

// infoField returns a field of the answer to INFO.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
