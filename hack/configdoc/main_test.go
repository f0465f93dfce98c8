package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestDocument(t *testing.T) {
	t.Parallel()
	got, err := document("testdata/src/service")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "config.golden.md")
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	for range 5 {
		again, err := document("testdata/src/service")
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("the page is not the same every time: %v", err)
		}
	}
}

func TestDocumentRefuses(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"testdata/twice", "testdata/bare", "testdata/none", "testdata/absent"} {
		if page, err := document(dir); err == nil {
			t.Errorf("%s: got a page:\n%s", dir, page)
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.test\n",
		"c.go":   "package c\n\n// Config is one.\ntype Config struct {\n\t// A is a thing.\n\tA int `envconfig:\"A\"`\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	if page, err := os.ReadFile(filepath.Join(dir, "config.md")); err != nil || len(page) == 0 {
		t.Errorf("config.md = %q, %v", page, err)
	}
}
