// Command apilist lists the exported API of the library's packages and compares
// the listing with the one that is checked in, so that no change of the API goes
// unnoticed in a review.
//
//	go run -C .ci/apilist .            # compare; exit status 1 if they differ
//	go run -C .ci/apilist . -write     # renew
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	module = "github.com/bearerguard/bearerguard"
	renew  = "go run -C .ci/apilist . -write"
)

// trees are the folders whose packages users import.
var trees = []string{"clockskew", "jwks", "jwtbearer"}

func main() {
	log.SetFlags(0)
	log.SetPrefix("apilist: ")
	write := flag.Bool("write", false, "renew the listing instead of comparing with it")
	root := flag.String("root", "../..", "the repository")
	flag.Parse()

	listings, err := listAll(*root)
	if err != nil {
		log.Fatal(err)
	}
	folder := filepath.Join(*root, ".ci", "api")
	if *write {
		if err := store(folder, listings); err != nil {
			log.Fatal(err)
		}
		return
	}
	same, err := compare(folder, listings)
	if err != nil {
		log.Fatal(err)
	}
	if !same {
		log.Fatalf("the exported API differs from the listing in .ci/api; if that is meant, run: %s", renew)
	}
	log.Printf("%d packages, as listed", len(listings))
}

// listAll returns the listing of each package, by the name of its file.
func listAll(root string) (map[string][]byte, error) {
	listings := map[string][]byte{}
	for _, tree := range trees {
		err := filepath.WalkDir(filepath.Join(root, tree), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			switch name := d.Name(); {
			case name == "internal", name == "testdata", name == "node_modules", strings.HasPrefix(name, "."), strings.HasPrefix(name, "_"):
				return fs.SkipDir
			}
			relative, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			relative = filepath.ToSlash(relative)
			lines, err := listPackage(path)
			if err != nil || lines == nil {
				return err
			}
			text := "# " + module + "/" + relative + "\n" + strings.Join(lines, "\n") + "\n"
			listings[strings.ReplaceAll(relative, "/", ".")+".txt"] = []byte(text)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return listings, nil
}

// store makes folder hold the listings and nothing else.
func store(folder string, listings map[string][]byte) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, text := range listings {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare prints every line in which folder and the listings differ, and
// reports whether there was none.
func compare(folder string, listings map[string][]byte) (bool, error) {
	stored := map[string][]byte{}
	entries, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		return false, err
	}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return false, err
		}
		stored[entry.Name()] = text
	}

	var names []string
	for name := range listings {
		names = append(names, name)
	}
	for name := range stored {
		if listings[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)

	same := true
	for _, name := range names {
		if bytes.Equal(stored[name], listings[name]) {
			continue
		}
		same = false
		fmt.Println(name)
		for _, line := range difference(stored[name], listings[name]) {
			fmt.Println("  " + line)
		}
	}
	return same, nil
}

// difference returns the lines that only one of two listings has. Listings are
// sorted, and a line stands for itself, so no more than sets are to be compared.
func difference(before, after []byte) []string {
	old, now := strings.Split(string(before), "\n"), strings.Split(string(after), "\n")
	var lines []string
	for _, line := range old {
		if !slices.Contains(now, line) {
			lines = append(lines, "- "+line)
		}
	}
	for _, line := range now {
		if !slices.Contains(old, line) {
			lines = append(lines, "+ "+line)
		}
	}
	return lines
}
