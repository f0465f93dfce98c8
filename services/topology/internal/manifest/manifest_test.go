package manifest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"parley.sh/services/topology/internal/manifest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topicYAML = `apiVersion: messaging.parley.sh/v1alpha1
kind: Topic
metadata: {name: %NAME%}
spec:
  brokerRef: {kind: Kafka, name: k}
`

func named(name string) string { return strings.ReplaceAll(topicYAML, "%NAME%", name) }

func TestDecode(t *testing.T) {
	t.Parallel()
	type problem struct {
		Document, Line int
		Object, Field  string
	}
	tests := map[string]struct {
		in    string
		names []string
		bad   []problem
	}{
		"nothing":              {"", nil, nil},
		"comments only":        {"# a\n---\n# b\n---\n", nil, nil},
		"one":                  {named("a"), []string{"Topic a"}, nil},
		"many":                 {"---\n" + named("a") + "--- # next\n" + named("b") + "---\n\n# empty\n---\n" + named("c"), []string{"Topic a", "Topic b", "Topic c"}, nil},
		"windows lines":        {strings.ReplaceAll(named("a")+"---\n"+named("b"), "\n", "\r\n"), []string{"Topic a", "Topic b"}, nil},
		"JSON":                 {`{"apiVersion":"messaging.parley.sh/v1alpha1","kind":"Exchange","metadata":{"name":"e","namespace":"n"},"spec":{"brokerRef":{"kind":"Broker","name":"b"}}}`, []string{"Exchange n/e"}, nil},
		"dashes inside a text": {named("a") + "  unmanagedConfig:\n    - |-\n      ---x\n", []string{"Topic a"}, nil},
		"unknown field":        {named("a") + "  partition: 3\n", nil, []problem{{1, 1, "Topic a", "spec.partition"}}},
		"unknown field, deep":  {strings.Replace(named("a"), "name: k", "name: k, naem: x", 1), nil, []problem{{1, 1, "Topic a", "spec.brokerRef.naem"}}},
		"case matters":         {named("a") + "  Partitions: 3\n", nil, []problem{{1, 1, "Topic a", "spec.Partitions"}}},
		"key twice":            {named("a") + "  partitions: 3\n  partitions: 4\n", nil, []problem{{1, 1, "", ""}}},
		"number for a text":    {named("a") + "  config: {a: b, retention.ms: 5}\n", nil, []problem{{1, 1, "Topic a", "spec.config[retention.ms]"}}},
		"text for a number":    {named("a") + "  partitions: six\n", nil, []problem{{1, 1, "Topic a", "spec.partitions"}}},
		"number out of range":  {named("a") + "  partitions: 3000000000\n", nil, []problem{{1, 1, "Topic a", "spec.partitions"}}},
		"list for a map":       {named("a") + "  config: [a]\n", nil, []problem{{1, 1, "Topic a", "spec.config"}}},
		"text for truth":       {named("a") + "  suspend: maybe\n", nil, []problem{{1, 1, "Topic a", "spec.suspend"}}},
		"every problem of a document": {named("a") + "  partition: 3\n  partitions: 0\n  configPolicy: X\n", nil, []problem{
			{1, 1, "Topic a", "spec.partition"}, {1, 1, "Topic a", "spec.partitions"}, {1, 1, "Topic a", "spec.configPolicy"},
		}},
		"the good beside the bad": {named("a") + "---\n\nkind: Topic\n---\n" + named("b"), []string{"Topic a", "Topic b"}, []problem{{2, 8, "Topic", "apiVersion"}}},
		"foreign kind":            {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", nil, []problem{{1, 1, "ConfigMap x", "apiVersion"}}},
		"unknown kind":            {"apiVersion: messaging.parley.sh/v1alpha1\nkind: Policy\n", nil, []problem{{1, 1, "Policy", "kind"}}},
		"no map":                  {"- a\n- b\n", nil, []problem{{1, 1, "", ""}}},
		"no YAML":                 {"a: [1, 2\n", nil, []problem{{1, 1, "", ""}}},
		"anchors that grow":       {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n", nil, []problem{{1, 1, "", ""}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			documents, problems := manifest.Decode("f.yaml", []byte(tc.in))
			var names []string
			for _, d := range documents {
				names = append(names, d.Owner())
			}
			if diff := cmp.Diff(tc.names, names, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("documents (-want +got):\n%s", diff)
			}
			var bad []problem
			for _, p := range problems {
				if p.File != "f.yaml" || p.Rule == "" {
					t.Errorf("problem without file or rule: %+v", p)
				}
				bad = append(bad, problem{p.Document, p.Line, p.Object, p.Field})
			}
			if diff := cmp.Diff(tc.bad, bad, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("problems (-want +got):\n%s\n%v", diff, problems)
			}
		})
	}
}

// The line that YAML names is the file's, not the document's.
func TestSyntaxErrorsNameTheLineOfTheFile(t *testing.T) {
	t.Parallel()
	_, problems := manifest.Decode("f.yaml", []byte(named("a")+"---\na: 1\nb: [\n"))
	if len(problems) != 1 || problems[0].Line != 7 || !strings.Contains(problems[0].Rule, "line 8") {
		t.Errorf("problems %+v", problems)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"b/topic.yml": named("b"), "a.yaml": named("a"), "c.json": `{"apiVersion":"messaging.parley.sh/v1alpha1","kind":"Exchange","metadata":{"name":"e"},"spec":{"brokerRef":{"kind":"Broker","name":"b"}}}`,
		"kustomization.yaml": "resources: [a.yaml]", "README.md": "no manifest", ".hidden.yaml": "broken: [",
	})
	documents, err := manifest.Load([]string{dir, filepath.Join(dir, "a.yaml"), "-"}, strings.NewReader(named("stdin")))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range documents {
		names = append(names, d.Owner())
	}
	if diff := cmp.Diff([]string{"Topic a", "Topic b", "Exchange e", "Topic stdin"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoadProblems(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"twice/a.yaml": named("a"), "twice/b.yaml": named("a"), "empty/notes.txt": "", "bad/a.yaml": "kind: x", "bad/b.yaml": "[",
		"huge/a.yaml": strings.Repeat("#", 17<<20),
	})
	tests := map[string]struct {
		path string
		want int
	}{
		"same object twice": {"twice", 1},
		"no manifest":       {"empty", 1},
		"all of them":       {"bad", 2},
		"not there":         {"gone", 1},
		"too large":         {"huge", 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			documents, err := manifest.Load([]string{filepath.Join(dir, tc.path)}, nil)
			var bad *manifest.Error
			if !errors.As(err, &bad) || documents != nil || len(bad.Problems) != tc.want {
				t.Fatalf("%d documents, problems: %v", len(documents), err)
			}
			for _, p := range bad.Problems {
				if !strings.Contains(p.String(), tc.path) {
					t.Errorf("%s does not name the file", p)
				}
			}
		})
	}
}

// Whatever a file holds: no panic, and what is decoded breaks no rule.
func FuzzDecode(f *testing.F) {
	f.Add(named("a"))
	f.Add("---\n" + named("a") + "---\n" + named("b") + "  partition: 1\n")
	f.Add(`{"apiVersion":"messaging.parley.sh/v1alpha1","kind":"Queue","metadata":{"name":"q"},"spec":{"brokerRef":{"kind":"Broker","name":"b"},"retry":{"delays":["1s"]},"deadLetter":{},"arguments":{"a":1},"maxBytes":"1Gi"}}`)
	f.Add("a: &a [*a]")
	f.Add("--- |\n a\n---\n? b\n: c")
	f.Fuzz(func(t *testing.T, text string) {
		documents, problems := manifest.Decode("f", []byte(text))
		for _, d := range documents {
			if bad := d.Object.Problems(); len(bad) > 0 {
				t.Errorf("decoded and wrong: %v", bad)
			}
			if d.Index < 1 || d.Line < 1 {
				t.Errorf("document %d at line %d", d.Index, d.Line)
			}
		}
		for _, p := range problems {
			if p.Rule == "" || p.Document < 1 {
				t.Errorf("problem %+v", p)
			}
		}
	})
}
