package plan_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley.sh/services/topology/internal/broker/brokertest"
	"parley.sh/services/topology/internal/plan"
)

// lines are the steps of a plan, one line each: what, how risky, which fields.
func lines(p plan.Plan) []string {
	var out []string
	for _, s := range p.Steps {
		line := fmt.Sprintf("%s: %s", s.Risk, s.Key)
		for _, f := range s.Fields {
			line += fmt.Sprintf("; %s %q -> %q", f.Path, f.Have, f.Want)
		}
		out = append(out, line)
	}
	return out
}

func settings(own map[string]string) map[string]plan.Setting {
	out := brokertest.Defaults()
	for key, value := range own {
		s := out[key]
		s.Value, s.Own = value, true
		out[key] = s
	}
	return out
}

func state(partitions int32, own map[string]string) plan.TopicState {
	return plan.TopicState{Partitions: partitions, Replicas: 3, Config: settings(own)}
}

func TestTopics(t *testing.T) {
	t.Parallel()
	type config = map[string]string
	tests := map[string]struct {
		want plan.WantTopic
		// have is the topic as it is; nil for none.
		have *plan.TopicState
		plan []string
	}{
		"made with what is said": {
			want: plan.WantTopic{Topic: plan.Topic{Partitions: 6, Replicas: 3, Config: config{"flush.ms": "9"}}},
			plan: []string{`safe: create topic t; config.flush.ms "" -> "9"; partitions "" -> "6"; replicas "" -> "3"`},
		},
		"made by the broker's defaults": {plan: []string{`safe: create topic t`}},
		"as it should be": {
			want: plan.WantTopic{Topic: plan.Topic{Partitions: 6, Replicas: 3, Config: config{"retention.ms": "1000"}}},
			have: ptr(state(6, config{"retention.ms": "1000", "flush.ms": "9"})),
		},
		"values mean the same": {
			want: plan.WantTopic{Topic: plan.Topic{Config: config{
				"retention.ms": " 0001000", "min.cleanable.dirty.ratio": "1.0", "cleanup.policy": "delete, compact",
				"unclean.leader.election.enable": "FALSE",
			}}},
			have: ptr(state(6, config{
				"retention.ms": "1000", "min.cleanable.dirty.ratio": "1", "cleanup.policy": "compact,delete",
				"unclean.leader.election.enable": "false",
			})),
		},
		"a default is not the topic's own": {
			want: plan.WantTopic{Topic: plan.Topic{Config: config{"retention.ms": "604800000"}}},
			have: ptr(state(6, nil)),
			plan: []string{`safe: update topic t; config.retention.ms "604800000 (default)" -> "604800000"`},
		},
		"longer retention is safe": {
			want: plan.WantTopic{Topic: plan.Topic{Config: config{"retention.ms": "-1", "retention.bytes": "-1"}}},
			have: ptr(state(6, config{"retention.ms": "1000"})),
			plan: []string{`safe: update topic t; config.retention.bytes "-1 (default)" -> "-1"; config.retention.ms "1000" -> "-1"`},
		},
		"shorter retention deletes": {
			want: plan.WantTopic{Topic: plan.Topic{Config: config{"retention.bytes": "5"}}},
			have: ptr(state(6, nil)),
			plan: []string{`destructive: update topic t; config.retention.bytes "-1 (default)" -> "5"`},
		},
		"a new cleanup policy deletes": {
			want: plan.WantTopic{Topic: plan.Topic{Config: config{"cleanup.policy": "compact"}}},
			have: ptr(state(6, nil)),
			plan: []string{`destructive: update topic t; config.cleanup.policy "delete (default)" -> "compact"`},
		},
		"a cleanup policy less does not": {
			want: plan.WantTopic{Topic: plan.Topic{Config: config{"cleanup.policy": "compact"}}},
			have: ptr(state(6, config{"cleanup.policy": "compact,delete"})),
			plan: []string{`safe: update topic t; config.cleanup.policy "compact,delete" -> "compact"`},
		},
		"smaller records stop producers": {
			want: plan.WantTopic{Topic: plan.Topic{Config: config{"max.message.bytes": "10"}}},
			have: ptr(state(6, nil)),
			plan: []string{`disruptive: update topic t; config.max.message.bytes "1048588 (default)" -> "10"`},
		},
		"unclean election loses": {
			want: plan.WantTopic{Topic: plan.Topic{Config: config{"unclean.leader.election.enable": "true", "min.insync.replicas": "2"}}},
			have: ptr(state(6, nil)),
			plan: []string{`destructive: update topic t; config.min.insync.replicas "1 (default)" -> "2"; ` +
				`config.unclean.leader.election.enable "false (default)" -> "true"`},
		},
		"exclusive unsets the rest, but throttles and what is another's": {
			want: plan.WantTopic{Topic: plan.Topic{}, Exclusive: true, Unmanaged: []string{"flush.ms"}},
			have: ptr(state(6, config{
				"retention.bytes": "5", "flush.ms": "9", "leader.replication.throttled.replicas": "*", "plugin.key": "x",
			})),
			plan: []string{`safe: update topic t; config.plugin.key "x" -> ""; config.retention.bytes "5" -> "-1 (default)"`},
		},
		"exclusive unset can delete": {
			want: plan.WantTopic{Exclusive: true},
			have: ptr(state(6, config{"retention.ms": "-1"})),
			plan: []string{`destructive: update topic t; config.retention.ms "-1" -> "604800000 (default)"`},
		},
		"partitions are added": {
			want: plan.WantTopic{Topic: plan.Topic{Partitions: 7}},
			have: ptr(state(6, nil)),
			plan: []string{`disruptive: grow topic t; partitions "6" -> "7"`},
		},
		"partitions are never removed": {
			want: plan.WantTopic{Topic: plan.Topic{Partitions: 5}},
			have: ptr(state(6, nil)),
			plan: []string{`blocked: grow topic t; partitions "6" -> "5"`},
		},
		"a compacted topic does not grow": {
			want: plan.WantTopic{Topic: plan.Topic{Partitions: 7}},
			have: ptr(state(6, config{"cleanup.policy": "compact"})),
			plan: []string{`blocked: grow topic t; partitions "6" -> "7"`},
		},
		"a compacted topic grows by consent": {
			want: plan.WantTopic{Topic: plan.Topic{Partitions: 7}, AllowRepartition: true},
			have: ptr(state(6, config{"cleanup.policy": "compact"})),
			plan: []string{`disruptive: grow topic t; partitions "6" -> "7"`},
		},
		"replicas are not changed": {
			want: plan.WantTopic{Topic: plan.Topic{Replicas: 2, Config: config{"flush.ms": "1"}}},
			have: ptr(state(6, nil)),
			plan: []string{`blocked: update topic t; config.flush.ms "" -> "1"; replicas "3" -> "2"`},
		},
		"never adopted": {
			want: plan.WantTopic{Topic: plan.Topic{Partitions: 7, Config: config{"flush.ms": "1"}}, Owner: plan.Owner{Untouchable: true}},
			have: ptr(state(6, nil)),
			plan: []string{`blocked: update topic t; config.flush.ms "" -> "1"`, `blocked: grow topic t; partitions "6" -> "7"`},
		},
		"equal is adopted even so": {
			want: plan.WantTopic{Topic: plan.Topic{Partitions: 6}, Owner: plan.Owner{Untouchable: true}},
			have: ptr(state(6, nil)),
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.want.Name = "t"
			have := plan.Observed{Topics: map[string]plan.TopicState{}}
			if tc.have != nil {
				have.Topics["t"] = *tc.have
			}
			got := plan.Diff(plan.Desired{Topics: []plan.WantTopic{tc.want}}, have)
			if diff := cmp.Diff(tc.plan, lines(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, s := range got.Steps {
				if (s.Risk > plan.Safe) != (s.Reason != "") {
					t.Errorf("%s is %s for reason %q", s.Key, s.Risk, s.Reason)
				}
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestDeadLetterTopicFollowsItsParent(t *testing.T) {
	t.Parallel()
	type config = map[string]string
	tests := map[string]struct {
		parent plan.WantTopic
		have   plan.Observed
		plan   []string
	}{
		"as the parent is asked to be": {
			parent: plan.WantTopic{Topic: plan.Topic{Partitions: 6, Config: config{"max.message.bytes": "1000"}}},
			plan: []string{
				`safe: create topic t; config.max.message.bytes "" -> "1000"; partitions "" -> "6"`,
				`safe: create topic t.g.dlq; config.max.message.bytes "" -> "66536"; partitions "" -> "6"`,
			},
		},
		"as the parent is": {
			have: plan.Observed{Topics: map[string]plan.TopicState{"t": state(4, config{"max.message.bytes": "2000"})}},
			plan: []string{`safe: create topic t.g.dlq; config.max.message.bytes "" -> "67536"; partitions "" -> "4"`},
		},
		"as the parent will be": {
			parent: plan.WantTopic{Exclusive: true},
			have:   plan.Observed{Topics: map[string]plan.TopicState{"t": state(4, config{"max.message.bytes": "2000000"})}},
			plan: []string{
				`disruptive: update topic t; config.max.message.bytes "2000000" -> "1048588 (default)"`,
				`safe: create topic t.g.dlq; config.max.message.bytes "" -> "1114124"; partitions "" -> "4"`,
			},
		},
		"as the broker makes it": {
			have: plan.Observed{Defaults: plan.TopicDefaults{Partitions: 3, MaxMessageBytes: 500}},
			plan: []string{
				`safe: create topic t`,
				`safe: create topic t.g.dlq; config.max.message.bytes "" -> "66036"; partitions "" -> "3"`,
			},
		},
		"as Kafka makes it": {
			plan: []string{
				`safe: create topic t`,
				`safe: create topic t.g.dlq; config.max.message.bytes "" -> "1114124"; partitions "" -> "1"`,
			},
		},
		"grows with it, without risk": {
			parent: plan.WantTopic{Topic: plan.Topic{Partitions: 6}},
			have: plan.Observed{Topics: map[string]plan.TopicState{
				"t": state(4, nil), "t.g.dlq": state(4, config{"max.message.bytes": "1114124"}),
			}},
			plan: []string{
				`disruptive: grow topic t; partitions "4" -> "6"`,
				`safe: grow topic t.g.dlq; partitions "4" -> "6"`,
			},
		},
		"may have more": {
			have: plan.Observed{Topics: map[string]plan.TopicState{
				"t": state(4, nil), "t.g.dlq": state(9, config{"max.message.bytes": "1114124"}),
			}},
		},
		"never above what a size can be": {
			parent: plan.WantTopic{Topic: plan.Topic{Config: config{"max.message.bytes": "2147483647"}}},
			have: plan.Observed{Topics: map[string]plan.TopicState{
				"t": state(1, config{"max.message.bytes": "2147483647"}),
			}},
			plan: []string{`safe: create topic t.g.dlq; config.max.message.bytes "" -> "2147483647"; partitions "" -> "1"`},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.parent.Name = "t"
			dead := plan.WantTopic{Topic: plan.Topic{Name: "t.g.dlq"}, Parent: "t"}
			got := plan.Diff(plan.Desired{Topics: []plan.WantTopic{dead, tc.parent}}, tc.have)
			if diff := cmp.Diff(tc.plan, lines(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
