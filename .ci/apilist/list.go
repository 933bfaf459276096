package main

import (
	"errors"
	"go/ast"
	"go/build"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// listPackage returns the exported API of the package in folder, one sorted
// line per constant, variable, function, method, type, field and interface
// method; nil if there is no package, or a program.
func listPackage(folder string) ([]string, error) {
	// One platform, so that the listing is the same wherever it is made.
	context := build.Default
	context.GOOS, context.GOARCH, context.BuildTags = "linux", "amd64", nil
	found, err := context.ImportDir(folder, 0)
	var none *build.NoGoError
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if found.Name == "main" || len(found.GoFiles) == 0 {
		return nil, nil
	}

	l := &lister{files: token.NewFileSet()}
	for _, name := range found.GoFiles {
		file, err := parser.ParseFile(l.files, filepath.Join(folder, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				l.function(d)
			case *ast.GenDecl:
				l.general(d)
			}
		}
	}
	slices.Sort(l.lines)
	if l.lines == nil {
		l.lines = []string{}
	}
	return l.lines, nil
}

type lister struct {
	files *token.FileSet
	lines []string
}

func (l *lister) add(words ...string) {
	l.lines = append(l.lines, strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " "))
}

// text prints a node on one line.
func (l *lister) text(node any) string {
	var b strings.Builder
	if err := printer.Fprint(&b, l.files, node); err != nil {
		panic(err) // a node out of the parser always prints
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// function lists a function, or a method of an exported type.
func (l *lister) function(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	signature := strings.TrimPrefix(l.text(d.Type), "func")
	if d.Recv == nil {
		l.add("func", d.Name.Name+signature)
		return
	}
	receiver := l.text(d.Recv.List[0].Type)
	if name := strings.TrimPrefix(receiver, "*"); ast.IsExported(name) {
		l.add("method", "("+receiver+")", d.Name.Name+signature)
	}
}

// general lists constants, variables and types.
func (l *lister) general(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.ValueSpec:
			l.values(d.Tok.String(), s)
		case *ast.TypeSpec:
			if s.Name.IsExported() {
				l.typeSpec(s)
			}
		}
	}
}

// values lists constants with their expressions, which are part of the API, and
// variables without.
func (l *lister) values(kind string, s *ast.ValueSpec) {
	for i, name := range s.Names {
		if !name.IsExported() {
			continue
		}
		var typ, value string
		if s.Type != nil {
			typ = l.text(s.Type)
		}
		if kind == "const" && i < len(s.Values) {
			value = "= " + l.text(s.Values[i])
		}
		l.add(kind, name.Name, typ, value)
	}
}

// typeSpec lists a type, each exported field of a struct and each method of an
// interface. Whether a type has unexported ones is part of the API: it decides
// who can make one or implement it.
func (l *lister) typeSpec(s *ast.TypeSpec) {
	name := s.Name.Name
	equals, parameters := "", ""
	if s.Assign.IsValid() {
		equals = "="
	}
	if s.TypeParams != nil {
		var list []string
		for _, field := range s.TypeParams.List {
			for _, n := range field.Names {
				list = append(list, n.Name+" "+l.text(field.Type))
			}
		}
		parameters = "[" + strings.Join(list, ", ") + "]"
	}
	switch t := s.Type.(type) {
	case *ast.StructType:
		l.add("type", name+parameters, equals, "struct")
		l.members("field", name, t.Fields)
	case *ast.InterfaceType:
		l.add("type", name+parameters, equals, "interface")
		l.members("method", name, t.Methods)
	default:
		l.add("type", name+parameters, equals, l.text(s.Type))
	}
}

func (l *lister) members(kind, owner string, list *ast.FieldList) {
	hidden := false
	for _, field := range list.List {
		typ := l.text(field.Type)
		if field.Names == nil {
			l.add("type", owner, "embeds", typ)
		}
		for _, name := range field.Names {
			switch {
			case !name.IsExported():
				hidden = true
			case kind == "method":
				l.add("method", "("+owner+")", name.Name+strings.TrimPrefix(typ, "func"))
			case field.Tag != nil:
				l.add("field", owner+"."+name.Name, typ, field.Tag.Value)
			default:
				l.add("field", owner+"."+name.Name, typ)
			}
		}
	}
	if hidden {
		l.add("type", owner, "has unexported", kind+"s")
	}
}
