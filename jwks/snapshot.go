package jwks

import "slices"

// maxCandidates is how many keys are tried for a token that names none: enough
// for an authority in the middle of a rotation, few enough that a token costs a
// bounded number of signature checks.
const maxCandidates = 4

// A snapshot is one state of the set. Nobody changes it once it is published.
type snapshot struct {
	issuer  string // the value that tokens must carry as iss
	keys    []*Key // in document order
	byID    map[slot][]*Key
	unnamed [edDSA + 1][]*Key // per algorithm, what a token without a kid is tried with
	known   map[identity]*Key
}

// A slot holds exactly one key.
type slot struct {
	id  string
	alg algorithm
}

// newSnapshot builds the state after doc, keeping the *Key of every key that
// before had, and returns what was not there before and what is gone.
func newSnapshot(set *Set, before *snapshot, doc *document) (snap *snapshot, added, gone []*Key) {
	snap = &snapshot{
		issuer: doc.issuer,
		keys:   make([]*Key, 0, len(doc.keys)),
		byID:   make(map[slot][]*Key, len(doc.keys)),
		known:  make(map[identity]*Key, len(doc.keys)),
	}
	for _, m := range doc.keys {
		var key *Key
		if before != nil {
			key = before.known[m.identity]
		}
		if key == nil {
			key = &Key{set: set, identity: m.identity, public: m.public}
			added = append(added, key)
		}
		snap.keys = append(snap.keys, key)
		snap.known[m.identity] = key
		one := []*Key{key}
		for _, alg := range m.serves {
			if m.id != "" {
				at := slot{m.id, alg}
				if _, taken := snap.byID[at]; taken {
					continue
				}
				snap.byID[at] = one
			}
			if len(snap.unnamed[alg]) < maxCandidates {
				snap.unnamed[alg] = append(snap.unnamed[alg], key)
			}
		}
	}
	if before != nil {
		for at, key := range before.known {
			if snap.known[at] != key {
				gone = append(gone, key)
			}
		}
	}
	return snap, added, gone
}

// find returns the keys that may check a token, nil if there is none.
func (s *snapshot) find(id string, alg algorithm) []*Key {
	if id == "" {
		return s.unnamed[alg]
	}
	return s.byID[slot{id, alg}]
}

// untried returns the candidates of a token without a kid that are not in
// tried, so many that no token is ever tried with more than maxCandidates.
func (s *snapshot) untried(alg algorithm, tried []*Key) []*Key {
	var fresh []*Key
	for _, key := range s.unnamed[alg] {
		if len(tried)+len(fresh) >= maxCandidates {
			break
		}
		if !slices.Contains(tried, key) {
			fresh = append(fresh, key)
		}
	}
	return fresh
}
