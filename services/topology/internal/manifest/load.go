package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile bounds what is read of one file.
const maxFile = 16 << 20

// Load reads every manifest of the paths: files, folders with all .yaml, .yml and
// .json files below them, and "-", which is stdin. A folder's kustomization.yaml
// is passed over. The error is an *Error that holds every problem; with it there
// are no documents.
func Load(paths []string, stdin io.Reader) ([]Document, error) {
	l := &loader{stdin: stdin, read: map[string]bool{}}
	for _, path := range paths {
		l.path(path)
	}
	if len(l.problems) == 0 && len(l.documents) == 0 {
		l.problems = append(l.problems, Problem{
			File: strings.Join(paths, ", "), Rule: "holds no manifest: name a file or a folder that does",
		})
	}
	l.unique()
	if len(l.problems) > 0 {
		return nil, &Error{l.problems}
	}
	return l.documents, nil
}

type loader struct {
	stdin     io.Reader
	read      map[string]bool
	documents []Document
	problems  []Problem
}

func (l *loader) path(path string) {
	if path == "-" {
		l.file(path, l.stdin)
		return
	}
	err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() || (name != path && !isManifest(name)) {
			return nil
		}
		l.open(name)
		return nil
	})
	if err != nil {
		l.problems = append(l.problems, Problem{File: path, Rule: reason(err)})
	}
}

func isManifest(name string) bool {
	base := filepath.Base(name)
	if strings.HasPrefix(base, ".") || base == "kustomization.yaml" || base == "kustomization.yml" {
		return false
	}
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(base))
}

func (l *loader) open(name string) {
	f, err := os.Open(name)
	if err != nil {
		l.problems = append(l.problems, Problem{File: name, Rule: reason(err)})
		return
	}
	defer func() { _ = f.Close() }()
	l.file(name, f)
}

// reason is the error without the path, which the problem names already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return "cannot be read: " + p.Err.Error()
	}
	return "cannot be read: " + err.Error()
}

func (l *loader) file(name string, r io.Reader) {
	key := filepath.Clean(name)
	if l.read[key] {
		return
	}
	l.read[key] = true
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		l.problems = append(l.problems, Problem{File: name, Rule: reason(err)})
		return
	}
	if len(data) > maxFile {
		l.problems = append(l.problems, Problem{File: name, Rule: fmt.Sprintf("is larger than %d MiB: split it", maxFile>>20)})
		return
	}
	documents, problems := Decode(name, data)
	l.documents = append(l.documents, documents...)
	l.problems = append(l.problems, problems...)
}

// unique refuses two documents for one object.
func (l *loader) unique() {
	first := map[string]Document{}
	for _, d := range l.documents {
		other, again := first[d.Owner()]
		if !again {
			first[d.Owner()] = d
			continue
		}
		l.problems = append(l.problems, d.At("metadata.name",
			fmt.Sprintf("is the same object as %s:%d: keep one, or rename", other.File, other.Line)))
	}
}
