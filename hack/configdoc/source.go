package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// module is the Go module whose structs are followed.
type module struct {
	path string // as imported
	root string // on disk
}

// findModule looks for go.mod in dir and above it.
func findModule(dir string) (module, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return module{}, err
	}
	for {
		data, err := os.ReadFile(filepath.Join(root, "go.mod"))
		if err == nil {
			return module{path: modulePath(data), root: root}, nil
		}
		parent := filepath.Dir(root)
		if parent == root {
			return module{}, fmt.Errorf("no go.mod in %s or above it", dir)
		}
		root = parent
	}
}

func modulePath(gomod []byte) string {
	for line := range bytes.Lines(gomod) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "module "); ok {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// folder returns where an imported package of this module is.
func (m module) folder(importPath string) (string, bool) {
	rest, ok := strings.CutPrefix(importPath, m.path+"/")
	return filepath.Join(m.root, filepath.FromSlash(rest)), ok
}

// declaration is a struct type with the file that declares it, whose imports
// give its fields' types their meaning.
type declaration struct {
	dir    string
	file   *ast.File
	fields *ast.StructType
}

// findStruct looks for a struct type called name in the package in dir. Its second
// result is false when the package has no such struct.
func findStruct(dir, name string) (declaration, bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return declaration{}, false, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.ParseComments)
		if err != nil {
			return declaration{}, false, err
		}
		if s := structIn(file, name); s != nil {
			return declaration{dir: dir, file: file, fields: s}, true, nil
		}
	}
	return declaration{}, false, nil
}

func structIn(file *ast.File, name string) *ast.StructType {
	var found *ast.StructType
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if ok && spec.Name.Name == name {
			found, _ = spec.Type.(*ast.StructType)
		}
		return found == nil
	})
	return found
}

// importOf returns the import path behind a package name in a file.
func importOf(file *ast.File, name string) (string, bool) {
	for _, i := range file.Imports {
		importPath, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue
		}
		local := path.Base(importPath)
		if i.Name != nil {
			local = i.Name.Name
		}
		if local == name {
			return importPath, true
		}
	}
	return "", false
}
