package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bearerguard/bearerguard/jwtbearer/session"
)

// batch is how many sessions one script ends: a script stops the server for
// everybody else.
const batch = 500

// Check implements [session.Store], in one round trip.
func (s *Store) Check(ctx context.Context, a session.Access) (session.State, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.trusted(ctx); err != nil {
		return session.State{}, err
	}
	reply, err := checkScript.Run(ctx, s.client,
		[]string{s.sessionKey(a.Key), s.marker(), s.name("u", a.Key.Issuer, a.Subject), s.name("e", a.Key.Issuer, a.Subject)},
		micros(a.At), a.KeepAccess.Microseconds(), a.SyncInterval.Microseconds(), s.idle.Microseconds(), s.remember.Microseconds(),
		a.Address, micros(a.IssuedAt), flag(a.Adopt), flag(s.auto),
		a.Key.Issuer, a.Key.ID, a.Subject, a.ClientID, a.Tenant,
	).StringSlice()
	if err != nil {
		return session.State{}, fmt.Errorf("redisstore: %w", err)
	}
	switch {
	case len(reply) == 1 && reply[0] == "gone":
		return session.State{}, nil
	case len(reply) == 1 && reply[0] == "lost":
		return session.State{}, session.ErrDataLost
	case len(reply) != 6 || reply[0] != "alive":
		return session.State{}, errors.New("redisstore: the server answered a check with something else")
	}
	state := session.State{Alive: true, Touched: reply[3] != "", SyncDue: reply[4] != "", Tenant: reply[5]}
	if state.LastAccess, err = instant(reply[1]); err != nil {
		return session.State{}, err
	}
	if state.Expires, err = instant(reply[2]); err != nil {
		return session.State{}, err
	}
	return state, nil
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Put implements [session.Store]. It does not need the marker: sessions are
// put back before [Store.Initialize] is called.
func (s *Store) Put(ctx context.Context, v session.Session) error {
	if v.Issuer == "" || v.ID == "" {
		return fmt.Errorf("redisstore: %w", session.ErrNoKey)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	now := time.Now()
	if v.Created.IsZero() {
		v.Created = now
	}
	if v.LastAccess.IsZero() {
		v.LastAccess = now
	}
	if v.LastSync.IsZero() {
		v.LastSync = v.Created
	}
	// Longer than the session can live without another touch; the check
	// itself compares exactly.
	life := s.idle + s.idle/2
	if !v.Expires.IsZero() {
		life = max(time.Millisecond, min(life, v.Expires.Sub(now)))
	}
	created, err := putScript.Run(ctx, s.client, []string{s.sessionKey(v.Key()), s.name("u", v.Issuer, v.Subject)},
		now.UnixMilli(), life.Milliseconds(), v.ID, v.Subject,
		"issuer", v.Issuer, "id", v.ID, "subject", v.Subject, "client", v.ClientID, "tenant", v.Tenant,
		"device", v.Device, "address", v.Address, "created", micros(v.Created), "access", micros(v.LastAccess),
		"sync", micros(v.LastSync), "expires", micros(v.Expires),
	).Bool()
	switch {
	case err != nil:
		return fmt.Errorf("redisstore: %w", err)
	case !created:
		return session.ErrEnded
	}
	return nil
}

// Revoke implements [session.Store]. Of many keys, some may have been revoked
// when it returns an error.
func (s *Store) Revoke(ctx context.Context, keys ...session.Key) error {
	for _, key := range keys {
		if key.Issuer == "" || key.ID == "" {
			return fmt.Errorf("redisstore: %w", session.ErrNoKey)
		}
	}
	_, err := s.revoke(ctx, keys, nil)
	return err
}

// revoke ends sessions; if subject is not nil, only those that are still its.
func (s *Store) revoke(ctx context.Context, keys []session.Key, subject *session.Key) (ended int, err error) {
	for part := range slices.Chunk(keys, batch) {
		n, err := s.revokePart(ctx, part, subject)
		// After an error the server may have done it all the same.
		s.watchers.ended(part...)
		if err != nil {
			return ended, fmt.Errorf("redisstore: %w", err)
		}
		ended += n
	}
	return ended, nil
}

func (s *Store) revokePart(ctx context.Context, part []session.Key, subject *session.Key) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	names := make([]string, len(part), len(part)+1)
	for i, key := range part {
		names[i] = s.sessionKey(key)
	}
	args := []any{s.remember.Milliseconds(), s.channel(), encodeEnded(part), flag(subject != nil)}
	if subject != nil {
		names = append(names, s.name("u", subject.Issuer, subject.ID))
		args = append(args, subject.ID)
		for _, key := range part {
			args = append(args, key.ID)
		}
	}
	return revokeScript.Run(ctx, s.client, names, args...).Int()
}

// RevokeSubject implements [session.Store], in two round trips.
func (s *Store) RevokeSubject(ctx context.Context, issuer, subject string, until time.Time, except ...string) (int, error) {
	ids, err := s.endSubject(ctx, issuer, subject, until)
	if err != nil {
		return 0, fmt.Errorf("redisstore: %w", err)
	}
	keys := make([]session.Key, 0, len(ids))
	for _, id := range ids {
		if !slices.Contains(except, id) {
			keys = append(keys, session.Key{Issuer: issuer, ID: id})
		}
	}
	return s.revoke(ctx, keys, &session.Key{Issuer: issuer, ID: subject})
}

func (s *Store) endSubject(ctx context.Context, issuer, subject string, until time.Time) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	// Tokens issued between now and until are refused as well.
	life := max(s.remember, time.Until(until.Add(s.remember)))
	return endSubjectScript.Run(ctx, s.client, []string{s.name("e", issuer, subject), s.name("u", issuer, subject)},
		micros(until), life.Milliseconds()).StringSlice()
}

// List implements [session.Store], in two round trips.
func (s *Store) List(ctx context.Context, issuer, subject string) ([]session.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	ids, err := s.client.ZRange(ctx, s.name("u", issuer, subject), 0, -1).Result()
	if err != nil || len(ids) == 0 {
		return nil, wrap(err)
	}
	pipe := s.client.Pipeline()
	for _, id := range ids {
		pipe.HGetAll(ctx, s.sessionKey(session.Key{Issuer: issuer, ID: id}))
	}
	replies, err := pipe.Exec(ctx)
	if err != nil {
		return nil, wrap(err)
	}
	now := time.Now()
	var list []session.Session
	for _, reply := range replies {
		fields, err := reply.(interface {
			Result() (map[string]string, error)
		}).Result()
		if err != nil {
			return nil, wrap(err)
		}
		if fields["access"] == "" || fields["subject"] != subject {
			continue
		}
		v := session.Session{
			Issuer: fields["issuer"], ID: fields["id"], Subject: fields["subject"], ClientID: fields["client"],
			Tenant: fields["tenant"], Device: fields["device"], Address: fields["address"],
		}
		for name, field := range map[string]*time.Time{"created": &v.Created, "access": &v.LastAccess, "sync": &v.LastSync, "expires": &v.Expires} {
			if *field, err = instant(fields[name]); err != nil {
				return nil, err
			}
		}
		if (v.Expires.IsZero() || now.Before(v.Expires)) && now.Sub(v.LastAccess) <= s.idle {
			list = append(list, v)
		}
	}
	return list, nil
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redisstore: %w", err)
}
