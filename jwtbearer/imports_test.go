package jwtbearer_test

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImportGraph holds what a program links that imports this library: the
// modules below, each, and nothing else beyond the standard library. Above all,
// it links neither jwx, which the fake issuer uses and which is no longer
// maintained, nor golang-jwt, which only the adapter for keyfunc needs.
func TestImportGraph(t *testing.T) {
	const (
		library = "github.com/bearerguard/bearerguard"
		jwkset  = "github.com/MicahParks/jwkset"
		sync    = "golang.org/x/sync"
		rate    = "golang.org/x/time" // jwkset's
	)
	tests := []struct {
		packages []string
		modules  []string
	}{
		{[]string{library + "/clockskew"}, []string{library}},
		{
			[]string{library + "/clockskew", library + "/jwks", library + "/jwtbearer"},
			[]string{library, jwkset, sync, rate},
		},
		{[]string{library + "/jwtbearer/session"}, []string{library, jwkset, sync, rate}},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(strings.Join(tt.packages, " "), library+"/", ""), func(t *testing.T) {
			linked := dependencies(t, tt.packages)
			for _, module := range slices.Sorted(maps.Keys(linked)) {
				if !slices.Contains(tt.modules, module) {
					t.Errorf("module %s is linked, by way of %s", module, strings.Join(linked[module], ", "))
				}
			}
			for _, module := range tt.modules {
				if linked[module] == nil {
					t.Errorf("module %s is not linked: take it off the list", module)
				}
			}
		})
	}
}

// dependencies returns the packages outside the standard library that the given
// ones link, themselves included, by module.
func dependencies(t *testing.T, packages []string) map[string][]string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", append([]string{
		"list", "-deps", "-f", "{{if not .Standard}}{{.Module.Path}} {{.ImportPath}}{{end}}"}, packages...)...)
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	linked := map[string][]string{}
	for line := range strings.Lines(string(output)) {
		if module, name, found := strings.Cut(strings.TrimSpace(line), " "); found {
			linked[module] = append(linked[module], name)
		}
	}
	return linked
}
