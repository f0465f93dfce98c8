package plan

import (
	"fmt"
	"slices"
	"strconv"
)

// The defaults of Kafka itself, for a broker that does not tell its own.
const (
	defaultPartitions      = 1
	defaultMaxMessageBytes = 1048588
	// deadLetterHeadroom is what a dead-lettered record may be larger than its
	// original: the headers that say why it is there.
	deadLetterHeadroom = 64 << 10

	keyMaxMessageBytes = "max.message.bytes"
	keyCleanupPolicy   = "cleanup.policy"
)

func (d *differ) topics() {
	for i := range d.want.Topics {
		w := d.want.Topics[i]
		if w.Parent != "" {
			d.inherit(&w)
		}
		state, there := d.have.Topics[w.Name]
		if !there {
			d.create(phaseTopic, w.Owner, &w.Topic, topicFields(&w.Topic))
			continue
		}
		d.configure(&w, state)
		d.resize(&w, state)
	}
}

// inherit gives a dead-letter topic what it has from its parent: as the parent is
// asked to be, else as it is, else as the broker would make it.
func (d *differ) inherit(w *WantTopic) {
	config := map[string]string{}
	for k, v := range w.Config {
		config[k] = v
	}
	w.Config = config
	parent := d.parent(w.Parent)
	state, there := d.have.Topics[w.Parent]
	w.Partitions = max(parent.Partitions, state.Partitions)
	if w.Partitions == 0 {
		w.Partitions = max(d.have.Defaults.Partitions, defaultPartitions)
	}
	size := parent.Config[keyMaxMessageBytes]
	if size == "" && there {
		size = state.Config[keyMaxMessageBytes].Value
	}
	n, err := strconv.ParseInt(CanonicalSetting(TypeInt, size), 10, 32)
	if err != nil {
		n = max(d.have.Defaults.MaxMessageBytes, 0)
	}
	if n == 0 && err != nil {
		n = defaultMaxMessageBytes
	}
	w.Config[keyMaxMessageBytes] = strconv.FormatInt(min(n+deadLetterHeadroom, 1<<31-1), 10)
}

func (d *differ) parent(name string) WantTopic {
	for i := range d.want.Topics {
		if d.want.Topics[i].Name == name {
			return d.want.Topics[i]
		}
	}
	return WantTopic{}
}

func topicFields(t *Topic) []Field {
	var out []Field
	for k, v := range t.Config {
		out = append(out, Field{Path: "config." + k, Want: v})
	}
	if t.Partitions > 0 {
		out = append(out, Field{Path: "partitions", Want: strconv.Itoa(int(t.Partitions))})
	}
	if t.Replicas > 0 {
		out = append(out, Field{Path: "replicas", Want: strconv.Itoa(int(t.Replicas))})
	}
	return out
}

// configure plans the change of a topic's config.
func (d *differ) configure(w *WantTopic, state TopicState) {
	s := Step{Key: Key{Update, w.ID()}, Object: &w.Topic}
	for _, key := range keys(w.Config) {
		have, want := state.Config[key], w.Config[key]
		if have.Own && CanonicalSetting(have.Type, have.Value) == CanonicalSetting(have.Type, want) {
			continue
		}
		s.Fields = append(s.Fields, Field{"config." + key, shown(have), want})
		if risk, why := settingRisk(key, have, want); risk > Safe {
			s.raise(risk, why)
		}
	}
	d.unset(&s, w, state)
	if len(s.Fields) > 0 {
		d.change(phaseTopic, w.Owner, s)
	}
}

// unset plans to take back what an exclusive topic sets and nobody lists.
func (d *differ) unset(s *Step, w *WantTopic, state TopicState) {
	if !w.Exclusive {
		return
	}
	for _, key := range keys(state.Config) {
		have := state.Config[key]
		_, listed := w.Config[key]
		if !have.Own || listed || slices.Contains(w.Unmanaged, key) || slices.Contains(throttles, key) {
			continue
		}
		s.Fields = append(s.Fields, Field{"config." + key, have.Value, ""})
		if unsetRisk[key] > Safe {
			s.raise(unsetRisk[key], key+" goes back to the broker's default")
		}
	}
}

// throttles belong to whoever runs a reassignment.
var throttles = []string{
	"leader.replication.throttled.replicas",
	"follower.replication.throttled.replicas",
}

// shown is a setting as a plan shows what is: a default is not the topic's own.
func shown(s Setting) string {
	if s.Own || s.Value == "" {
		return s.Value
	}
	return s.Value + " (default)"
}

// resize plans new partitions, and refuses what Kafka cannot do.
func (d *differ) resize(w *WantTopic, state TopicState) {
	if w.Partitions > state.Partitions || (w.Partitions > 0 && w.Partitions < state.Partitions && w.Parent == "") {
		s := Step{Key: Key{Grow, w.ID()}, Object: &w.Topic, Fields: []Field{count("partitions", int(state.Partitions), int(w.Partitions))}}
		d.growRisk(&s, w, state)
		d.change(phaseTopic, w.Owner, s)
	}
	if w.Replicas > 0 && w.Replicas != state.Replicas {
		d.replicas(w, state)
	}
}

func count(path string, have, want int) Field {
	return Field{path, strconv.Itoa(have), strconv.Itoa(want)}
}

func (d *differ) growRisk(s *Step, w *WantTopic, state TopicState) {
	compacted := slices.Contains(listOf(state.Config[keyCleanupPolicy].Value), "compact") ||
		slices.Contains(listOf(w.Config[keyCleanupPolicy]), "compact")
	switch {
	case w.Partitions < state.Partitions:
		s.raise(Blocked, fmt.Sprintf("Kafka cannot remove partitions: set spec.partitions to %d, or make a new topic", state.Partitions))
	case w.Parent != "":
		// A dead-letter topic has no order to lose.
	case compacted && !w.AllowRepartition:
		s.raise(Blocked, "the topic is compacted: a key would lie in two partitions, and its stale value would stay; "+
			"set spec.allowRepartition to consent")
	default:
		s.raise(Disruptive, "keys move to other partitions: their order is lost across the change")
	}
}

// replicas of a topic that is there are not changed from here.
func (d *differ) replicas(w *WantTopic, state TopicState) {
	k := Key{Update, w.ID()}
	f := count("replicas", int(state.Replicas), int(w.Replicas))
	const reason = "replicas of a topic that is there are changed by a reassignment (kafka-reassign-partitions): " +
		"run one, or set spec.replicas to what is"
	if i, ok := d.index[k]; ok {
		d.steps[i].Fields = append(d.steps[i].Fields, f)
		d.steps[i].raise(Blocked, reason)
		return
	}
	s := Step{Key: k, Object: &w.Topic, Fields: []Field{f}}
	s.raise(Blocked, reason)
	d.change(phaseTopic, w.Owner, s)
}
