// Package docs checks that the documents speak of what is there.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGuaranteesNameTests looks for every test that guarantees.md names.
func TestGuaranteesNameTests(t *testing.T) {
	t.Parallel()
	text := read(t, "guarantees.md")
	names := regexp.MustCompile("`([a-z0-9/]+)` (Test[A-Za-z0-9]+)").FindAllStringSubmatch(text, -1)
	if len(names) < 50 {
		t.Fatalf("only %d tests are named", len(names))
	}
	for _, name := range names {
		if !has(t, name[1], "func "+name[2]+"(") {
			t.Errorf("%s has no %s", name[1], name[2])
		}
	}
}

// TestLinks looks for every file of the project that a document links to.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, document := range []string{"../README.md", "architecture.md", "guarantees.md", "configuration.md", "benchmarks.md"} {
		for _, found := range link.FindAllStringSubmatch(read(t, document), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), found[1])); err != nil {
				t.Errorf("%s links to %s: %v", document, found[1], err)
			}
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// has reports whether a test file of a package holds a text.
func has(t *testing.T, pkg, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(pkg), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.Contains(read(t, file), text) {
			return true
		}
	}
	return false
}
