// Mutate removes the checks of the library, one at a time, and tells which test
// notices. A check that can go without any test failing is one that nobody would
// miss. See README.md.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A result is what became of a mutation.
type result struct {
	mutation
	at      int    // its place in the list
	killer  string // the test that failed, "" if none did
	problem string // why nothing can be said
	took    time.Duration
}

func main() {
	workers := flag.Int("workers", 2, "how many mutations are tried at a time")
	only := flag.String("run", "", "try only the mutations whose file and check match this regular expression")
	limit := flag.Duration("timeout", 3*time.Minute, "how long the tests of one package may take")
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
	trees := make([]string, workers)
	for i := range trees {
		trees[i] = filepath.Join(dir, fmt.Sprint(i))
		if err := copyTree(root, trees[i]); err != nil {
			return 0, err
		}
	}
	if err := baseline(trees[0], chosen, limit); err != nil {
		return 0, err
	}

	start := time.Now()
	jobs := make(chan int)
	results := make(chan result)
	var wg sync.WaitGroup
	for _, tree := range trees {
		wg.Go(func() {
			for i := range jobs {
				r := try(tree, chosen[i], limit)
				r.at = i
				results <- r
			}
		})
	}
	go func() {
		for i := range chosen {
			jobs <- i
		}
		close(jobs)
		wg.Wait()
		close(results)
	}()
	all := make([]result, len(chosen))
	for r := range results {
		all[r.at] = r
		fmt.Fprintf(os.Stderr, "%v%s\n", r.took.Round(time.Second), r.row())
	}
	problems := 0
	fmt.Println("| check that is removed | file | noticed by |\n|---|---|---|")
	for _, r := range all {
		switch {
		case r.problem != "":
			problems++
		case r.killer == "":
			survivors++
		}
		fmt.Println(r.row())
	}
	fmt.Printf("\n%d checks, %d not missed, %d problems, %v\n", len(chosen), survivors, problems, time.Since(start).Round(time.Second))
	if problems > 0 {
		return survivors, fmt.Errorf("%d mutations could not be tried", problems)
	}
	return survivors, nil
}

// row is a row of the table.
func (r *result) row() string {
	by := r.killer
	switch {
	case r.problem != "":
		by = "**PROBLEM**: " + r.problem
	case r.killer == "":
		by = "**nobody**"
	}
	return fmt.Sprintf("| %s | %s | %s |", r.check, r.file, by)
}

// baseline runs what the mutations need before anything is removed: a test that
// fails then notices nothing.
func baseline(tree string, chosen []mutation, limit time.Duration) error {
	var packages []string
	for _, m := range chosen {
		for _, p := range m.packages() {
			if !slices.Contains(packages, p) {
				packages = append(packages, p)
			}
		}
	}
	for _, p := range packages {
		killer, problem := test(tree, p, limit)
		if killer != "" || problem != "" {
			return fmt.Errorf("before anything is removed, in %s: %s%s", p, killer, problem)
		}
	}
	return nil
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

// copyTree copies the root module: no nested modules, nothing hidden, and none of
// the benchmarks and examples, which have packages compiled anew that no check is
// in.
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
		if !d.Type().IsRegular() || d.Name() == "bench_test.go" || strings.HasPrefix(d.Name(), "example") && strings.HasSuffix(d.Name(), "_test.go") {
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
	for _, p := range m.packages() {
		if r.killer, r.problem = test(tree, p, limit); r.killer != "" || r.problem != "" {
			break
		}
	}
	r.took = time.Since(start)
	return r
}
