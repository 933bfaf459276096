package session

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// subjectShard is a part of the index from subjects to their sessions. Its lock
// is taken alone, or inside the lock of a memoryShard.
type subjectShard struct {
	mu       sync.Mutex
	subjects map[Key]*subject // the key's ID is a subject
	sweepAt  int64
}

type subject struct {
	ids map[string]struct{}
	// ended is until when the tokens were issued that name ended sessions; until
	// is when that may be forgotten, 0 if they were not ended.
	ended, until int64
}

func (m *Memory) subjectShard(owner Key) *subjectShard { return &m.subjects[m.shardIndex(owner)] }

// index adds a session to those of its owner. It reports false, and does
// nothing, if all sessions of the owner that a token issued at issuedAt may name
// were ended.
func (m *Memory) index(owner Key, id string, issuedAt int64) bool {
	s := m.subjectShard(owner)
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.subjects[owner]
	if o == nil {
		o = &subject{ids: make(map[string]struct{}, 1)}
		s.subjects[owner] = o
	}
	if o.until != 0 && issuedAt <= o.ended {
		return false
	}
	o.ids[id] = struct{}{}
	return true
}

func (m *Memory) unindex(owner Key, id string) {
	if owner.ID == "" {
		return
	}
	s := m.subjectShard(owner)
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.subjects[owner]; o != nil {
		delete(o.ids, id)
		if len(o.ids) == 0 && o.until == 0 {
			delete(s.subjects, owner)
		}
	}
}

// endSubject returns the sessions of owner, and keeps in mind that all of them
// were ended that tokens issued until the instant ended name.
func (m *Memory) endSubject(owner Key, ended, now int64) []string {
	s := m.subjectShard(owner)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now >= s.sweepAt {
		s.sweepAt = now + int64(m.remember)/4
		for key, o := range s.subjects {
			if o.until != 0 && now >= o.until {
				o.ended, o.until = 0, 0
				if len(o.ids) == 0 {
					delete(s.subjects, key)
				}
			}
		}
	}
	o := s.subjects[owner]
	if o == nil {
		o = &subject{ids: make(map[string]struct{})}
		s.subjects[Key{m.issuer(owner.Issuer), strings.Clone(owner.ID)}] = o
	}
	o.ended = max(o.ended, ended)
	o.until = max(o.until, nanos(instant(max(now, ended)).Add(m.remember)))
	return slices.Collect(maps.Keys(o.ids))
}

func (m *Memory) sessionsOf(owner Key) []string {
	s := m.subjectShard(owner)
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.subjects[owner]; o != nil {
		return slices.Collect(maps.Keys(o.ids))
	}
	return nil
}
