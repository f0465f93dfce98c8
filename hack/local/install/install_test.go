package install

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestCacheEntryIsMadeOnce(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var made atomic.Int32
	build := func(_ context.Context, dir string) error {
		made.Add(1)
		return os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			dir, err := (Installer{}).cached(t.Context(), "entry", build)
			if err != nil || !isThere(filepath.Join(dir, "file")) {
				t.Errorf("cached = %s, %v, want a folder with the file", dir, err)
			}
		})
	}
	group.Wait()
	if got := made.Load(); got != 1 {
		t.Errorf("the entry was made %d times", got)
	}
}

func TestCacheKeepsNothingIncomplete(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	broken := errors.New("connection lost")
	_, err := (Installer{}).cached(t.Context(), "entry", func(_ context.Context, dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "half"), nil, 0o644), broken)
	})
	if !errors.Is(err, broken) {
		t.Fatalf("error = %v, want that of the build", err)
	}
	// What an interrupted process leaves is the same folder, still there.
	cache, err := Cache()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(cache, "entry.part", "rest"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := (Installer{}).cached(t.Context(), "entry", func(_ context.Context, dir string) error {
		if isThere(filepath.Join(dir, "rest")) || isThere(filepath.Join(dir, "half")) {
			t.Error("the second build sees what the first left")
		}
		return nil
	})
	if err != nil || dir != filepath.Join(cache, "entry") {
		t.Errorf("cached = %s, %v", dir, err)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lock")
	unlock, err := TryLock(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryLock(file); !errors.Is(err, ErrLocked) {
		t.Errorf("second lock = %v, want ErrLocked", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Lock(ctx, file); !errors.Is(err, context.Canceled) {
		t.Errorf("lock with an ended context = %v, want context.Canceled", err)
	}
	unlock()
	again, err := Lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestJavaVersion(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		text string
		want int
	}{
		"17":            {"openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment", 17},
		"8":             {`java version "1.8.0_392"`, 8},
		"21 early":      {`openjdk version "21-ea" 2023-09-19`, 21},
		"no java":       {"command not found", 0},
		"tool's notice": {"Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"25\" 2025-09-16", 25},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := javaVersion(tc.text); got != tc.want {
				t.Errorf("version = %d, want %d", got, tc.want)
			}
		})
	}
}

func TestRabbitMajor(t *testing.T) {
	t.Parallel()
	lib := t.TempDir()
	if got := rabbitMajor(filepath.Join(lib, "missing")); got != 0 {
		t.Errorf("without a folder = %d, want 0", got)
	}
	for _, name := range []string{"rabbitmq_server-3.10.8", "rabbitmq_server-4.0.5", "other-9.0"} {
		if err := os.Mkdir(filepath.Join(lib, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got := rabbitMajor(lib); got != 4 {
		t.Errorf("newest = %d, want 4", got)
	}
}

func TestPostgresMajor(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)": 15,
		"/usr/lib/postgresql/9.6/bin/postgres":                 9,
		"/usr/lib/postgresql/17/bin/postgres":                  17,
		"none":                                                 0,
	} {
		if got := postgresMajor(text); got != want {
			t.Errorf("version in %q = %d, want %d", text, got, want)
		}
	}
}

func TestMissingToolSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := (Installer{}).tool(t.Context(), "mvn", "Kafka", "maven"); err == nil {
		t.Error("a missing tool was found")
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"short": {"a\nb\n", "    a\n    b"},
		"long":  {"a\nb\nc\nd", "    c\n    d"},
	} {
		n := 2
		if got := Tail(tc.text, n); got != tc.want {
			t.Errorf("%s: tail = %q, want %q", name, got, tc.want)
		}
	}
}
