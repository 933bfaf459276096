package jwtbearer_test

import (
	"fmt"
	"slices"
	"strings"

	mint "github.com/bearerguard/bearerguard/jwtbearer/jwtbearertest"
)

// conformanceTable is the whole table, in the order of the document.
func conformanceTable() []conformanceArea {
	return slices.Concat(
		conformanceTransport(),
		conformanceJOSE(),
		conformanceAlgorithms(),
		conformanceHeaders(),
		conformanceClaims(),
		conformanceTime(),
		conformanceParties(),
		conformanceKinds(),
		conformanceRules(),
		conformanceKeys(),
		conformanceAuthorities(),
	)
}

func edits(options ...mint.TokenOption) []mint.TokenOption { return options }

func sortedStrings(list []string) []string {
	slices.Sort(list)
	return list
}

// segment returns a change of the segment n of a token.
func segment(n int, change func(string) string) func(string) string {
	return func(token string) string {
		parts := strings.Split(token, ".")
		parts[n] = change(parts[n])
		return strings.Join(parts, ".")
	}
}

// constant returns a text that is no change but another text.
func constant(text string) func(string) string { return func(string) string { return text } }

// A wrongValue is a JSON value of a type that a claim must not have.
type wrongValue struct{ is, json string }

var (
	noStrings = []wrongValue{{"a number", `7`}, {"null", `null`}, {"a boolean", `true`}, {"an array", `["x"]`}, {"an object", `{"x":"y"}`}}
	noDates   = []wrongValue{{"a string", `"9999999999"`}, {"null", `null`}, {"a boolean", `true`}, {"an array", `[9999999999]`}, {"an object", `{"x":1}`}, {"a date", `"2099-01-01T00:00:00Z"`}}
	noWords   = []wrongValue{{"a number", `7`}, {"null", `null`}, {"a boolean", `true`}, {"an object", `{"read":true}`}, {"an array with a number", `["read",1]`}, {"an array with null", `["read",null]`}, {"an array in an array", `[["read"]]`}}
	noNames   = []wrongValue{{"a number", `7`}, {"null", `null`}, {"a boolean", `true`}, {"an object", `{"api1":true}`}, {"an array with a number", `[1,"api1"]`}, {"an array with null", `["api1",null]`}, {"an array in an array", `[["api1"]]`}}
)

// wrongTypes are the rows of a claim with values of other types.
func wrongTypes(claim, source string, good mint.TokenOption, values []wrongValue) []conformanceCase {
	var cases []conformanceCase
	for _, v := range values {
		cases = append(cases, conformanceCase{
			name: fmt.Sprintf("`%s` is %s: `%s`", claim, v.is, v.json), want: "claim", source: source,
			edit: edits(mint.RawClaim(claim, v.json)), mend: edits(good),
		})
	}
	return cases
}
