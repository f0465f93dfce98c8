package v1alpha1

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// maxTopicName is Kafka's limit: a topic's name is part of a file's.
const maxTopicName = 249

// DeadLetterTopic is the name of the dead-letter topic of a consumer group.
func DeadLetterTopic(topic string, group ConsumerGroup) string {
	return topic + "." + string(group) + ".dlq"
}

// Problems implements Object.
func (t *Topic) Problems() []Problem {
	p := &problems{}
	p.meta(t)
	p.brokerRef(t.Spec.BrokerRef, BrokerKafka, BrokerAddress)
	p.lifecycle(t.Spec.Lifecycle)
	p.topicName(t)
	s := &t.Spec
	p.when(s.Partitions != nil && (*s.Partitions < 1 || *s.Partitions > 10000), "spec.partitions",
		"must be 1 to 10000: one request to a broker takes no more; leave it out for the broker's default")
	p.when(s.Replicas != nil && *s.Replicas < 1, "spec.replicas",
		"must be at least 1; leave it out for the broker's default")
	p.topicConfig(s)
	p.deadLetterGroups(t)
	return p.list
}

func (p *problems) topicName(t *Topic) {
	name := t.TopicName()
	field := "spec.name"
	if t.Spec.Name == "" {
		field = "metadata.name"
	}
	p.when(!topicName.MatchString(name) || name == "." || name == "..", field,
		"is %q; a topic's name is made of letters, digits, \".\", \"_\" and \"-\"", brief(name))
	p.when(len(name) > maxTopicName, field, "has %d characters; it may have %d", len(name), maxTopicName)
}

func (p *problems) topicConfig(s *TopicSpec) {
	p.enum("spec.configPolicy", string(s.ConfigPolicy), string(Listed), string(Exclusive))
	p.when(len(s.Config) > 64, "spec.config", "has %d entries; it may have 64", len(s.Config))
	for _, key := range sortedKeys(s.Config) {
		field := "spec.config[" + brief(key) + "]"
		value := string(s.Config[key])
		p.when(!configKey.MatchString(key) || len(key) > 255, field, "must be a key of Kafka, such as retention.ms")
		p.when(len(value) > 4096, field, "has %d bytes; it may have 4096", len(value))
		p.when(!utf8.ValidString(value) || strings.ContainsFunc(value, control), field,
			"must be UTF-8 without control characters")
		p.when(slices.Contains(s.UnmanagedConfig, key), field,
			"is listed in spec.unmanagedConfig too: a key is managed or not, choose one")
	}
	p.names("spec.unmanagedConfig", s.UnmanagedConfig, 32)
	p.replicasInSync(s)
}

// replicasInSync: a topic that asks for more replicas in sync than it has takes
// no record.
func (p *problems) replicasInSync(s *TopicSpec) {
	insync, err := strconv.Atoi(strings.TrimSpace(string(s.Config["min.insync.replicas"])))
	p.when(err == nil && s.Replicas != nil && insync > int(*s.Replicas), "spec.config[min.insync.replicas]",
		"is %d with spec.replicas %d: nothing could be written; it may be %[2]d at most", insync, deref(s.Replicas))
}

func (p *problems) deadLetterGroups(t *Topic) {
	if t.Spec.DeadLetter == nil {
		return
	}
	groups := t.Spec.DeadLetter.Groups
	field := "spec.deadLetter.groups"
	p.when(len(groups) == 0, field, "is empty; name the consumer groups, or leave spec.deadLetter out")
	p.when(len(groups) > 64, field, "has %d entries; it may have 64", len(groups))
	for i, g := range groups {
		at := fmt.Sprintf("%s[%d]", field, i)
		p.when(!topicName.MatchString(string(g)), at,
			"is %q; it is part of a topic's name: letters, digits, \".\", \"_\" and \"-\"", brief(string(g)))
		name := DeadLetterTopic(t.TopicName(), g)
		p.when(len(name) > maxTopicName, at, "makes a topic's name of %d characters; it may have %d", len(name), maxTopicName)
		p.when(slices.Contains(groups[:i], g), at, "names %q again: leave one out", brief(string(g)))
	}
}

func deref[T any](v *T) T {
	var zero T
	if v == nil {
		return zero
	}
	return *v
}
