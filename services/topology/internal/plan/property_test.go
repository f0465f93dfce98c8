package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"parley.sh/services/topology/internal/broker/brokertest"
	"parley.sh/services/topology/internal/plan"
)

// stuck reports whether a step cannot be done by this plan.
func stuck(p plan.Plan) map[plan.Key]bool {
	out := map[plan.Key]bool{}
	for _, s := range p.Steps {
		out[s.Key] = s.Risk == plan.Blocked || slices.ContainsFunc(s.After, func(k plan.Key) bool { return out[k] })
	}
	return out
}

// A plan that was carried out leaves nothing but what it said it could not do.
func TestAppliedPlanIsEmpty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		want := compileDrawn(t)
		before := stuck(plan.Diff(want, w.Holds))
		carryOut(w, want, 1<<30)
		after := plan.Diff(want, w.Holds)
		for _, s := range after.Steps {
			if !before[s.Key] {
				t.Fatalf("still planned after it was applied: %s %s: %v", s.Key, s.Reason, s.Fields)
			}
		}
		settled := brokertest.Copy(w.Holds)
		carryOut(w, want, 1<<30)
		if diff := worldDiff(settled, w.Holds); diff != "" {
			t.Fatalf("applying twice changed the broker (-once +twice):\n%s", diff)
		}
	})
}

// Stopping after any step and planning again ends where not stopping ends.
func TestStoppedApplyConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		straight := drawWorld(t)
		stopped := &brokertest.World{Holds: brokertest.Copy(straight.Holds)}
		want := compileDrawn(t)
		carryOut(straight, want, 1<<30)
		for range rapid.IntRange(1, 4).Draw(t, "stops") {
			carryOut(stopped, want, rapid.IntRange(0, 12).Draw(t, "steps"))
		}
		carryOut(stopped, want, 1<<30)
		if diff := worldDiff(straight.Holds, stopped.Holds); diff != "" {
			t.Fatalf("(-straight +stopped):\n%s", diff)
		}
	})
}

func compileDrawn(t *rapid.T) plan.Desired {
	documents := drawManifests(t)
	want, problems := specCompile(documents)
	if len(problems) > 0 {
		t.Fatalf("compile: %v", problems)
	}
	return want
}

func worldDiff(a, b plan.Observed) string {
	return cmp.Diff(a, b, cmpopts.EquateEmpty(), cmpopts.SortSlices(func(x, y plan.Binding) bool {
		return x.ID().Name < y.ID().Name
	}))
}

// Nothing is deleted without a policy that says so, and never a topic.
func TestNothingIsDeletedWithoutPolicy(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		want := compileDrawn(t)
		for _, s := range plan.Diff(want, w.Holds).Steps {
			if s.Op == plan.Delete {
				allowed(t, want, s)
			}
		}
	})
}

func allowed(t *rapid.T, want plan.Desired, s plan.Step) {
	family := slices.IndexFunc(want.Families, func(f plan.Family) bool {
		return !f.Keep && f.Owner.Name == s.Owner
	})
	replaced := slices.IndexFunc(want.Queues, func(q plan.WantQueue) bool { return q.ID() == s.ID && q.Replace })
	switch o := s.Object.(type) {
	case *plan.Binding:
		if s.Risk < plan.Disruptive || o.Source == "" {
			t.Fatalf("%s: %s", s.Key, s.Risk)
		}
	case *plan.Queue:
		generated := strings.Contains(o.Name, ".retry.") || strings.HasSuffix(o.Name, ".dlq")
		if !s.OnlyIfEmpty || s.Risk < plan.Destructive || (replaced < 0 && (family < 0 || !generated)) {
			t.Fatalf("%s deletes a queue that no policy gives up", s.Key)
		}
	case *plan.Exchange:
		if family < 0 || !strings.HasSuffix(o.Name, ".retry") {
			t.Fatalf("%s deletes an exchange that is nobody's", s.Key)
		}
	case *plan.Policy:
		if family < 0 || !strings.HasSuffix(o.Name, ".policy") {
			t.Fatalf("%s deletes a policy that is nobody's", s.Key)
		}
	default:
		t.Fatalf("%s: nothing of this kind is ever deleted", s.Key)
	}
}

// The order of the manifests does not matter, a step needs only steps before it,
// and no step stands twice.
func TestPlanIsOrdered(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		documents := drawManifests(t)
		one, _ := specCompile(documents)
		other, _ := specCompile(rapid.Permutation(documents).Draw(t, "order"))
		p := plan.Diff(one, w.Holds)
		if diff := cmp.Diff(p, plan.Diff(other, w.Holds), cmpopts.EquateEmpty(), sortAfter()); diff != "" {
			t.Fatalf("the order of manifests changes the plan (-one +other):\n%s", diff)
		}
		seen := map[plan.Key]bool{}
		for _, s := range p.Steps {
			if seen[s.Key] {
				t.Fatalf("%s stands twice", s.Key)
			}
			for _, k := range s.After {
				if !seen[k] {
					t.Fatalf("%s needs %s, which does not stand before it", s.Key, k)
				}
			}
			seen[s.Key] = true
		}
	})
}

func sortAfter() cmp.Option {
	return cmpopts.SortSlices(func(a, b plan.Key) bool { return a.String() < b.String() })
}

// Diff changes neither world.
func TestDiffIsPure(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		documents := drawManifests(t)
		want, _ := specCompile(documents)
		again, _ := specCompile(documents)
		have := brokertest.Copy(w.Holds)
		plan.Diff(want, w.Holds)
		if diff := cmp.Diff(again, want, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("desired was changed:\n%s", diff)
		}
		if diff := worldDiff(have, w.Holds); diff != "" {
			t.Fatalf("observed was changed:\n%s", diff)
		}
	})
}
