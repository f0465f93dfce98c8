package plan

import (
	"fmt"
	"maps"
	"math"
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
			d.create(phaseTopic, making(w.Owner, &w.Topic, topicFields(&w.Topic)))
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
	maps.Copy(config, w.Config)
	w.Config = config
	parent := d.topic[w.Parent]
	if parent == nil {
		parent = &WantTopic{}
	}
	state := d.have.Topics[w.Parent]
	w.Partitions = max(parent.Partitions, state.Partitions)
	if w.Partitions == 0 {
		w.Partitions = max(d.have.Defaults.Partitions, defaultPartitions)
	}
	size := recordSize(parent.then(keyMaxMessageBytes, state), d.have.Defaults.MaxMessageBytes)
	w.Config[keyMaxMessageBytes] = strconv.FormatInt(min(size+deadLetterHeadroom, math.MaxInt32), 10)
}

// recordSize is the first size that is told: the topic's, the broker's, Kafka's.
func recordSize(topic string, broker int64) int64 {
	if n, err := strconv.ParseInt(CanonicalSetting(TypeInt, topic), 10, 32); err == nil && n >= 0 {
		return n
	}
	if broker > 0 {
		return broker
	}
	return defaultMaxMessageBytes
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
	for _, key := range keys(state.Config) {
		have := state.Config[key]
		if !w.unsets(key, have) {
			continue
		}
		s.Fields = append(s.Fields, Field{"config." + key, have.Value, shown(Setting{Value: have.Default})})
		if risk, why := unsetRisk(key, have); risk > Safe {
			s.raise(risk, why)
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
		d.grow(w, state)
	}
	if w.Replicas > 0 && w.Replicas != state.Replicas {
		d.replicas(w, state)
	}
}

func count(path string, have, want int) Field {
	return Field{path, strconv.Itoa(have), strconv.Itoa(want)}
}

func (d *differ) grow(w *WantTopic, state TopicState) {
	s := Step{
		Key: Key{Grow, w.ID()}, Object: &w.Topic,
		Fields: []Field{count("partitions", int(state.Partitions), int(w.Partitions))},
	}
	now, then := compacted(state.Config[keyCleanupPolicy].Value), compacted(w.then(keyCleanupPolicy, state))
	switch {
	case w.Partitions < state.Partitions:
		s.raise(Blocked, fmt.Sprintf("Kafka cannot remove partitions: set spec.partitions to %d, or make a new topic",
			state.Partitions))
	case w.Parent != "":
		// A dead-letter topic has no order to lose.
	case then && !w.AllowRepartition:
		s.raise(Blocked, "the topic is compacted: a key would lie in two partitions, and its stale value would stay; "+
			"set spec.allowRepartition to consent")
	default:
		s.raise(Disruptive, "keys move to other partitions: their order is lost across the change")
	}
	if now && !then {
		d.change(phaseTopic, w.Owner, s, w.ID())
		return
	}
	d.change(phaseTopic, w.Owner, s)
}

func compacted(policy string) bool { return slices.Contains(listOf(policy), "compact") }

// then is what a setting of the topic is when its config is as wanted.
func (w *WantTopic) then(key string, state TopicState) string {
	have := state.Config[key]
	if want, listed := w.Config[key]; listed {
		return want
	}
	if w.unsets(key, have) {
		return have.Default
	}
	return have.Value
}

// unsets reports whether the topic gives a key back to the broker's default.
func (w *WantTopic) unsets(key string, have Setting) bool {
	_, listed := w.Config[key]
	return w.Exclusive && have.Own && !listed && !slices.Contains(w.Unmanaged, key) && !slices.Contains(throttles, key)
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
