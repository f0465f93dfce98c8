package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"parley.sh/hack/local/stack"
)

const (
	// lookBack is how much of the end of a log is shown first, in bytes.
	lookBack = 2000
	// logPause is how often logs are read.
	logPause = 250 * time.Millisecond
)

func logsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logs [NAME...]",
		Short: "Follow the logs of the running platform, each line with the name of its process",
		RunE:  func(c *cobra.Command, names []string) error { return logs(c.Context(), os.Stdout, names) },
	}
}

func logs(ctx context.Context, w io.Writer, names []string) error {
	root, err := project()
	if err != nil {
		return err
	}
	found, err := running(root)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("nothing runs; the logs of the last runs are .local/up/<name>/server.log and .local/demo/<name>/server.log")
	}
	kind := slices.Max(slices.Collect(maps.Keys(found)))
	f := follower{dir: folder(root, kind), names: names, seen: map[string]*tail{}, w: w}
	for found[kind].Running() {
		if err := f.read(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(logPause):
		}
	}
	return nil
}

// follower copies what is appended to the logs of a folder.
type follower struct {
	dir   string
	names []string
	seen  map[string]*tail
	w     io.Writer
}

// tail is how far a log has been read, and the part of a line that has no end yet.
type tail struct {
	offset int64
	rest   []byte
}

// read copies what all logs have gained. New logs are found.
func (f *follower) read() error {
	files, err := stack.LogFiles(f.dir)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if len(f.names) > 0 && !slices.Contains(f.names, name) {
			continue
		}
		if err := f.copy(name, files[name]); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) copy(name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer func() { _ = file.Close() }()
	t := f.seen[name]
	if t == nil {
		t = &tail{offset: begin(file)}
		f.seen[name] = t
	}
	gained, err := io.ReadAll(io.NewSectionReader(file, t.offset, 1<<20))
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	t.offset += int64(len(gained))
	lines := bytes.Split(append(t.rest, gained...), []byte("\n"))
	t.rest = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		if _, err := fmt.Fprintf(f.w, "%-12s %s\n", name, line); err != nil {
			return err
		}
	}
	return nil
}

// begin is the start of the first whole line among the last bytes of a log.
func begin(file *os.File) int64 {
	info, err := file.Stat()
	if err != nil || info.Size() <= lookBack {
		return 0
	}
	at := info.Size() - lookBack
	end := make([]byte, lookBack)
	n, _ := file.ReadAt(end, at)
	return at + int64(bytes.IndexByte(end[:n], '\n')+1)
}
