package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"parley.sh/hack/load/journal"
)

func TestAppendThenRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := j.Append(journal.Line{Kind: journal.Placing, Key: "k", Plan: journal.Good}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(journal.Line{Kind: journal.Placed}); err == nil {
		t.Error("a line that cannot be written must be an error")
	}
	lines, err := journal.Read(path)
	if err != nil || len(lines) != 50 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
}

func TestReadAfterACrash(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text  string
		lines int
		fails bool
	}{
		"whole":            {`{"kind":"placing","key":"a"}` + "\n", 1, false},
		"last line cut":    {`{"kind":"placing","key":"a"}` + "\n" + `{"kind":"pla`, 1, false},
		"damage inside":    {`{"kind":` + "\n" + `{"kind":"placing"}` + "\n", 0, true},
		"nothing":          {"", 0, false},
		"last line undone": {`{"kind":"placing","key":"a"}`, 0, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, err := journal.Parse(strings.NewReader(tc.text))
			if len(lines) != tc.lines || (err != nil) != tc.fails {
				t.Errorf("%d lines and %v, want %d", len(lines), err, tc.lines)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, []byte(tests["last line cut"].text), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Append(journal.Line{Kind: journal.Placed}), j.Close()); err != nil {
		t.Fatal(err)
	}
	if lines, err := journal.Read(path); err != nil || len(lines) != 2 {
		t.Errorf("a journal that goes on after a crash: %d lines, %v", len(lines), err)
	}
	if _, err := journal.Read(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) && err == nil {
		t.Error("a journal that is not there must be an error")
	}
}
