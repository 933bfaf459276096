package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// packages are those whose tests are run, in this order, until one fails: the one
// of the file, and package jwtbearer, which sees what is below it.
func (m mutation) packages() []string {
	own := filepath.ToSlash(filepath.Dir(m.file))
	switch {
	case own == "jwtbearer", strings.HasPrefix(own, "jwtbearer/session"), own == "jwtbearer/introspection":
		return []string{own}
	}
	return []string{own, "jwtbearer"}
}

// beside are tests that have nothing to say about checks: of documents, of what is
// allocated and of how long a life is.
const beside = "README|TestImportGraph|TestConformanceDocument|TestSoak|Allocat|ReusesMemory|PinNothing|HoldsTokens|^Example|^Benchmark"

// A pass is a part of a package's tests.
type pass struct{ run, skip string }

// passes are the parts of a package's tests, the quick ones first.
func passes(pkg string) []pass {
	if pkg != "jwtbearer" {
		return []pass{{".", beside}}
	}
	const slow = "TestFaults|TestJunkOfManyTenants|TestDifferential"
	return []pass{
		{".", beside + "|^TestConformance|" + slow},
		{"^TestConformance$", beside},
		{"^TestConformanceOfLongTokens$", beside},
		{slow, beside},
	}
}

// test runs the tests of a package and returns the one that failed. Of nested ones
// it is the innermost. A test that passes at its second try has not noticed
// anything; the others are asked then.
func test(tree, pkg string, limit time.Duration) (killer, problem string) {
	binary := filepath.Join(tree, "tests.out")
	// To compile well takes longer than most of the tests.
	build := exec.Command("go", "test", "-c", "-vet=off", "-gcflags=github.com/bearerguard/...=-N -l -dwarf=false", "-ldflags=-s -w", "-p", "1", "-o", binary, "./"+pkg)
	build.Dir = tree
	build.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Sprintf("it does not compile: %.300s", strings.ReplaceAll(string(out), "\n", " "))
	}
	dir := filepath.Join(tree, pkg)
	for _, p := range passes(pkg) {
		for range 3 {
			killer, problem := once(binary, dir, p, limit)
			if killer == "" || problem != "" {
				if problem != "" {
					return "", problem
				}
				break
			}
			top, _, nested := strings.Cut(killer, "/")
			if !strings.HasPrefix(killer, "Test") && !strings.HasPrefix(killer, "Fuzz") {
				return killer, "" // a panic, or out of time
			}
			exact := "^" + regexp.QuoteMeta(top) + "$"
			if nested {
				parts := strings.Split(killer, "/")
				for i, part := range parts {
					parts[i] = "^" + regexp.QuoteMeta(part) + "$"
				}
				exact = strings.Join(parts, "/")
			}
			if again, _ := once(binary, dir, pass{exact, beside}, limit); again != "" {
				return killer, ""
			}
			p.skip += "|^" + regexp.QuoteMeta(top) + "$"
		}
	}
	return "", ""
}

var failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

func once(binary, dir string, p pass, limit time.Duration) (killer, problem string) {
	ctx, cancel := context.WithTimeout(context.Background(), limit+30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.short", "-test.failfast", "-test.timeout", limit.String(), "-test.run", p.run, "-test.skip", p.skip)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return "", ""
	}
	switch text := string(out); {
	case failedTest.MatchString(text):
		longest := ""
		for _, match := range failedTest.FindAllStringSubmatch(text, -1) {
			if strings.Count(match[1], "/") >= strings.Count(longest, "/") && (longest == "" || strings.HasPrefix(match[1], longest)) {
				longest = match[1]
			}
		}
		return longest, ""
	case ctx.Err() != nil || strings.Contains(text, "test timed out"):
		return "(ran out of time)", ""
	case strings.Contains(text, "panic:") || strings.Contains(text, "fatal error:"):
		return "(the process ended)", ""
	default:
		return "", fmt.Sprintf("%v: %.200s", err, text)
	}
}
