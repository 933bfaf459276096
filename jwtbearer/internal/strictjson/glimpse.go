package strictjson

// maxGlimpse bounds the text of the value that [Glimpse] returns.
const maxGlimpse = 2 << 10

// Glimpse returns the string that a member of the outermost object seems to have,
// "" if there seems to be none. It walks over text that nobody has checked, at a
// small part of the cost of [Parse], whose word alone counts: what a glimpse found
// must be compared with it. Only the first member of the name counts, since a second
// makes the object one that Parse refuses. The name is of ASCII.
func Glimpse(text []byte, name string) string {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			start, end := i, glimpsedString(text, i)
			if end > len(text) {
				return ""
			}
			i = end - 1
			if depth == 1 && means(text[start+1:i], name) {
				if colon := glimpsedSpace(text, end); colon < len(text) && text[colon] == ':' {
					return glimpsedValue(text, colon+1)
				}
			}
		}
	}
	return ""
}

// means reports whether the inside of a string, escape sequences resolved, is name.
func means(text []byte, name string) bool {
	for i := range len(name) {
		switch {
		case len(text) == 0:
			return false
		case text[0] == name[i]:
			text = text[1:]
		case text[0] == '\\' && len(text) >= 6:
			if r, ok := hex4(string(text[:6])); !ok || r != rune(name[i]) {
				return false
			}
			text = text[6:]
		default:
			return false
		}
	}
	return len(text) == 0
}

// glimpsedValue returns the string at i, "" if none is there.
func glimpsedValue(text []byte, i int) string {
	i = glimpsedSpace(text, i)
	if i == len(text) || text[i] != '"' {
		return ""
	}
	end := glimpsedString(text, i)
	if end > len(text) || end-i > maxGlimpse {
		return ""
	}
	o, err := Parse(`{"":` + string(text[i:end]) + `}`)
	if err != nil {
		return ""
	}
	value, _ := o.Get("")
	s, _ := value.Str()
	return s
}

// glimpsedString returns where the string at i ends, more than there is if it does
// not.
func glimpsedString(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func glimpsedSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}
