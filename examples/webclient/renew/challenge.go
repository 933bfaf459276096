package renew

import "strings"

// challenge is one challenge of a WWW-Authenticate field.
type challenge struct {
	scheme string
	params map[string]string // by name in lower case; nil for a token68
}

// parseChallenges reads WWW-Authenticate fields (RFC 9110, Section 11.6.1). A
// field may hold several challenges, and a comma may end a parameter as well as
// a challenge; looking for a substring would find error="invalid_token" in
// another scheme's challenge or inside a description. A malformed field counts
// for nothing, as does a challenge that has one parameter twice.
func parseChallenges(fields []string) []challenge {
	var all []challenge
	for _, field := range fields {
		if parsed, ok := parseField(field); ok {
			all = append(all, parsed...)
		}
	}
	return all
}

func parseField(field string) (parsed []challenge, ok bool) {
	s := scanner{rest: field}
	twice := false // the last challenge has a parameter twice
	for first := true; ; first = false {
		if !s.separator(first) {
			return nil, false
		}
		if s.rest == "" {
			break
		}
		name := s.token()
		if name == "" {
			return nil, false
		}
		if value, isParam := s.param(); isParam {
			// "name=value" continues the challenge before it.
			if len(parsed) == 0 || parsed[len(parsed)-1].params == nil {
				return nil, false
			}
			twice = !parsed[len(parsed)-1].add(name, value) || twice
			continue
		}
		if twice {
			parsed = parsed[:len(parsed)-1]
		}
		twice = false
		c := challenge{scheme: name, params: map[string]string{}}
		if s.spaces() && s.rest != "" && s.rest[0] != ',' {
			mark := s
			name := s.token()
			if value, isParam := s.param(); name != "" && isParam {
				c.add(name, value)
			} else {
				s, c.params = mark, nil
				if !s.token68() {
					return nil, false
				}
			}
		}
		parsed = append(parsed, c)
	}
	if twice {
		parsed = parsed[:len(parsed)-1]
	}
	return parsed, true
}

// add reports whether the name is new.
func (c challenge) add(name, value string) bool {
	name = strings.ToLower(name)
	_, old := c.params[name]
	c.params[name] = value
	return !old
}

// scanner reads a field from the front.
type scanner struct{ rest string }

// separator skips commas and white space. Except at the start, and at the end
// of the field, there must be a comma.
func (s *scanner) separator(first bool) bool {
	trimmed := strings.TrimLeft(s.rest, " \t,")
	comma := strings.Contains(s.rest[:len(s.rest)-len(trimmed)], ",")
	s.rest = trimmed
	return first || comma || trimmed == ""
}

func (s *scanner) spaces() bool {
	trimmed := strings.TrimLeft(s.rest, " \t")
	skipped := len(trimmed) < len(s.rest)
	s.rest = trimmed
	return skipped
}

func (s *scanner) token() string {
	i := 0
	for i < len(s.rest) && isTokenChar(s.rest[i]) {
		i++
	}
	token := s.rest[:i]
	s.rest = s.rest[i:]
	return token
}

// param reads "=value" and reports whether it was there; if not, it consumes
// nothing.
func (s *scanner) param() (value string, ok bool) {
	mark := *s
	s.spaces()
	if !strings.HasPrefix(s.rest, "=") {
		*s = mark
		return "", false
	}
	s.rest = s.rest[1:]
	s.spaces()
	if strings.HasPrefix(s.rest, `"`) {
		value, ok = s.quoted()
	} else {
		value = s.token()
		ok = value != ""
	}
	if !ok {
		*s = mark
	}
	return value, ok
}

func (s *scanner) quoted() (string, bool) {
	var value strings.Builder
	for i := 1; i < len(s.rest); i++ {
		c := s.rest[i]
		switch c {
		case '"':
			s.rest = s.rest[i+1:]
			return value.String(), true
		case '\\':
			if i++; i == len(s.rest) {
				return "", false
			}
			c = s.rest[i]
		}
		if c < ' ' && c != '\t' || c == 0x7f { // also behind a backslash (RFC 9110, Section 5.6.4)
			return "", false
		}
		value.WriteByte(c)
	}
	return "", false
}

func (s *scanner) token68() bool {
	i := 0
	for i < len(s.rest) && (isAlphanumeric(s.rest[i]) || strings.IndexByte("-._~+/", s.rest[i]) >= 0) {
		i++
	}
	if i == 0 {
		return false
	}
	for i < len(s.rest) && s.rest[i] == '=' {
		i++
	}
	s.rest = s.rest[i:]
	return true
}

func isTokenChar(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
