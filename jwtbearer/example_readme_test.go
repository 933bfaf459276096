package jwtbearer_test

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/bearerguard/bearerguard/jwtbearer"
)

// Every Go snippet of the README stands below a comment that names the compiled
// code it shows, "<!-- code: FILE -->" for a whole file or "<!-- code: FILE
// FUNCTION -->" for a function's body or, if FUNCTION ends in "()", the whole
// function; the two must be equal.
var (
	fence  = regexp.MustCompile("(?ms)^(?:<!-- code: ([^\\n]*) -->\\n)?```go\\n(.*?)^```$")
	pkg    = regexp.MustCompile(`(?m)^package \w+$`)
	unruly = regexp.MustCompile(`(?m)^\s*// (Unordered output|Output):(.|\n)*`)
)

func TestREADMEShowsCompiledCode(t *testing.T) {
	readme := readREADME(t)
	snippets := fence.FindAllStringSubmatch(readme, -1)
	if all := strings.Count(readme, "```go\n"); len(snippets) != all || all == 0 {
		t.Fatalf("found %d of %d snippets", len(snippets), all)
	}
	for _, s := range snippets {
		source, snippet := s[1], s[2]
		if source == "" {
			t.Errorf("no comment names the compiled code of this snippet:\n%s", snippet)
			continue
		}
		if want := compiled(t, source); snippet != want {
			t.Errorf("README and %s differ.\nREADME:\n%s\ncompiled:\n%s", source, snippet, want)
		}
	}
}

func TestREADMENamesEveryOption(t *testing.T) {
	readme := readREADME(t)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[jwtbearer.Options]()) {
		if !strings.Contains(readme, "`"+field.Name+"`") {
			t.Errorf("the README does not name the option %s", field.Name)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+)\)`)

// A link into the repository leads somewhere.
func TestREADMELinks(t *testing.T) {
	links := link.FindAllStringSubmatch(readREADME(t), -1)
	if len(links) == 0 {
		t.Fatal("no link was found")
	}
	for _, l := range links {
		if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(l[1]))); err != nil {
			t.Errorf("a link leads nowhere: %v", err)
		}
	}
}

// The texts of answers that the README quotes are the ones that are sent.
func TestREADMEQuotesAnswers(t *testing.T) {
	readme := readREADME(t)
	for _, reason := range []*jwtbearer.Reason{jwtbearer.ErrExpired, jwtbearer.ErrSessionEnded} {
		text := strings.TrimPrefix(reason.Error(), "jwtbearer: ")
		if !strings.Contains(readme, `"`+text+`"`) {
			t.Errorf("the README does not quote %q", text)
		}
	}
}

func readREADME(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// compiled returns the code that source names, as a README shows it.
func compiled(t *testing.T, source string) string {
	t.Helper()
	path, function, _ := strings.Cut(source, " ")
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	if function == "" {
		// In the README a program is package main and begins in main.
		whole := pkg.ReplaceAllString(string(text), "package main")
		return strings.Replace(whole, "func Example() {", "func main() {", 1)
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Name.Name != strings.TrimSuffix(function, "()") {
			continue
		}
		from, to := f.Body.Lbrace+1, f.Body.Rbrace
		if strings.HasSuffix(function, "()") {
			from, to = f.Pos(), f.End()
		}
		code := text[files.Position(from).Offset:files.Position(to).Offset]
		code = unruly.ReplaceAll(code, nil)
		formatted, err := format.Source(bytes.TrimSpace(code))
		if err != nil {
			t.Fatal(err)
		}
		return string(formatted) + "\n"
	}
	t.Fatalf("%s has no function %s", path, function)
	return ""
}
