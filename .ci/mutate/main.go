// Mutate removes the checks of the library, one at a time, and tells which test
// notices. A check that can go without any test failing is one that nobody would
// miss. See README.md.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A mutation is one check and the edit that removes it.
type mutation struct {
	check    string // what is no longer checked
	file     string
	old, new string   // old stands in the file exactly once
	packages []string // in this order, until one fails; nil: by the file
}

// A result is what became of a mutation.
type result struct {
	mutation
	killer  string // the test that failed, "" if none did
	problem string // why nothing can be said
	took    time.Duration
}

func main() {
	workers := flag.Int("workers", 2, "how many mutations are tried at a time")
	only := flag.String("run", "", "try only the mutations whose file and check match this regular expression")
	limit := flag.Duration("timeout", 3*time.Minute, "how long the tests of one mutation may take")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	survivors, err := run(*workers, pattern, *limit)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
	if survivors > 0 {
		os.Exit(1)
	}
}

func run(workers int, pattern *regexp.Regexp, limit time.Duration) (survivors int, err error) {
	root, err := repository()
	if err != nil {
		return 0, err
	}
	var chosen []mutation
	for _, m := range mutations {
		if pattern.MatchString(m.file + ": " + m.check) {
			chosen = append(chosen, m)
		}
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)

	start := time.Now()
	jobs := make(chan mutation)
	results := make(chan result)
	var wg sync.WaitGroup
	for i := range workers {
		tree := filepath.Join(dir, fmt.Sprint(i))
		if err := copyTree(root, tree); err != nil {
			return 0, err
		}
		wg.Go(func() {
			for m := range jobs {
				results <- try(tree, m, limit)
			}
		})
	}
	go func() {
		for _, m := range chosen {
			jobs <- m
		}
		close(jobs)
		wg.Wait()
		close(results)
	}()
	problems := 0
	fmt.Println("| check that is removed | file | noticed by |\n|---|---|---|")
	for r := range results {
		by := r.killer
		switch {
		case r.problem != "":
			problems++
			by = "**PROBLEM**: " + r.problem
		case r.killer == "":
			survivors++
			by = "**nobody**"
		}
		fmt.Printf("| %s | %s | %s |\n", r.check, r.file, by)
	}
	fmt.Printf("\n%d checks, %d not missed, %d problems, %v\n", len(chosen), survivors, problems, time.Since(start).Round(time.Second))
	if problems > 0 {
		return survivors, fmt.Errorf("%d mutations could not be tried", problems)
	}
	return survivors, nil
}

// repository returns the root of the repository that this program is in.
func repository() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if text, readErr := os.ReadFile(filepath.Join(dir, "go.mod")); readErr == nil && bytes.HasPrefix(text, []byte("module github.com/bearerguard/bearerguard\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			err = errors.New("run it within the repository")
		}
		dir = parent
	}
	return "", err
}

// copyTree copies the root module: no nested modules, and nothing hidden.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			nested := false
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && rel != "." {
				nested = true
			}
			if nested || rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o644)
	})
}

// try applies m to the tree, runs the tests, and takes m back.
func try(tree string, m mutation, limit time.Duration) result {
	start := time.Now()
	r := result{mutation: m}
	path := filepath.Join(tree, m.file)
	before, err := os.ReadFile(path)
	if err != nil {
		r.problem = err.Error()
		return r
	}
	if n := bytes.Count(before, []byte(m.old)); n != 1 {
		r.problem = fmt.Sprintf("the text to replace stands in the file %d times: write the edit anew", n)
		return r
	}
	after := bytes.Replace(before, []byte(m.old), []byte(m.new), 1)
	if err := os.WriteFile(path, after, 0o644); err != nil {
		r.problem = err.Error()
		return r
	}
	defer os.WriteFile(path, before, 0o644)
	for _, p := range m.tests() {
		if r.killer, r.problem = test(tree, p, limit); r.killer != "" || r.problem != "" {
			break
		}
	}
	r.took = time.Since(start)
	return r
}

// tests are the packages whose tests are run: those next to the file, then those
// of package jwtbearer, which see everything.
func (m mutation) tests() []string {
	if m.packages != nil {
		return m.packages
	}
	own := "./" + filepath.ToSlash(filepath.Dir(m.file))
	if own == "./jwtbearer" {
		return []string{own}
	}
	return []string{own, "./jwtbearer"}
}

var failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// test runs the tests of a package and returns the one that failed. Of nested
// ones it is the innermost.
func test(tree, pkg string, limit time.Duration) (killer, problem string) {
	ctx, cancel := context.WithTimeout(context.Background(), limit+30*time.Second)
	defer cancel()
	// Tests of documents and of speed have nothing to say about checks.
	// Vet and debug information would take longer than most of the tests.
	cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-ldflags=-s -w", "-short", "-failfast", "-count=1",
		"-timeout", limit.String(), "-skip", "^(TestREADME|TestImportGraph|TestConformanceDocument|TestSoak|Example|Benchmark)", pkg)
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off")
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return "", ""
	}
	switch text := string(out); {
	case strings.Contains(text, "[build failed]") || strings.Contains(text, "[setup failed]"):
		line, _, _ := strings.Cut(strings.TrimPrefix(text[strings.IndexByte(text, '\n')+1:], "\n"), "\n")
		return "", "it does not compile: " + line
	case failedTest.MatchString(text):
		longest := ""
		for _, match := range failedTest.FindAllStringSubmatch(text, -1) {
			if strings.Count(match[1], "/") >= strings.Count(longest, "/") && (longest == "" || strings.HasPrefix(match[1], longest)) {
				longest = match[1]
			}
		}
		return longest, ""
	case strings.Contains(text, "panic:"):
		return pkg + " (panic)", ""
	case ctx.Err() != nil || strings.Contains(text, "test timed out"):
		return pkg + " (ran out of time)", ""
	default:
		return "", fmt.Sprintf("%v: %.200s", err, text)
	}
}
