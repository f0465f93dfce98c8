package kafka

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/IBM/sarama"

	"parley.sh/services/topology/internal/plan"
)

// Observe implements broker.Session.
func (s *Session) Observe(ctx context.Context, want plan.Desired) (plan.Observed, error) {
	all := topics(want)
	b, err := s.controller(ctx, all[0])
	if err != nil {
		return plan.Observed{}, err
	}
	out := plan.Observed{Topics: map[string]plan.TopicState{}}
	for names := range slices.Chunk(all, s.limits.names) {
		if err := s.describe(ctx, b, names, out.Topics); err != nil {
			s.reset()
			return plan.Observed{}, err
		}
	}
	if out.Defaults, err = s.defaults(b); err != nil {
		s.reset()
		return plan.Observed{}, err
	}
	return out, nil
}

// nothing is the name of a topic to ask for when none is wanted.
const nothing = "__topology_nothing"

// topics are the names of what is wanted: one at least.
func topics(want plan.Desired) []string {
	if len(want.Topics) == 0 {
		return []string{nothing}
	}
	names := make([]string, len(want.Topics))
	for i := range want.Topics {
		names[i] = want.Topics[i].Name
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// describe fills in the topics that are there.
func (s *Session) describe(ctx context.Context, b *sarama.Broker, names []string, out map[string]plan.TopicState) error {
	there, err := s.metadata(b, names, out)
	if err != nil || len(there) == 0 {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	resources := make([]*sarama.ConfigResource, len(there))
	for i, name := range there {
		resources[i] = &sarama.ConfigResource{Type: sarama.TopicResource, Name: name}
	}
	answer, err := b.DescribeConfigs(&sarama.DescribeConfigsRequest{
		Version: 4, Resources: resources, IncludeSynonyms: true,
	})
	if err != nil {
		return s.unreachable(err)
	}
	for _, r := range answer.Resources {
		if err := s.settings(r, out); err != nil {
			return err
		}
	}
	return nil
}

// metadata says which of the topics are there, and how large.
func (s *Session) metadata(b *sarama.Broker, names []string, out map[string]plan.TopicState) ([]string, error) {
	answer, err := b.GetMetadata(sarama.NewMetadataRequest(s.config.Version, names))
	if err != nil {
		return nil, s.unreachable(err)
	}
	var there []string
	for _, t := range answer.Topics {
		switch t.Err {
		case sarama.ErrNoError, sarama.ErrLeaderNotAvailable, sarama.ErrReplicaNotAvailable:
			there = append(there, t.Name)
			out[t.Name] = state(t)
		case sarama.ErrUnknownTopicOrPartition, sarama.ErrInvalidTopic:
			// It is not there; if it cannot be, making it will be refused.
		default:
			return nil, fmt.Errorf("describe topic %s: %w", t.Name, refusal(t.Err, nil))
		}
	}
	return there, nil
}

func state(t *sarama.TopicMetadata) plan.TopicState {
	out := plan.TopicState{
		ID: t.Uuid.String(), Partitions: int32(len(t.Partitions)), Config: map[string]plan.Setting{},
	}
	for _, p := range t.Partitions {
		// While a reassignment runs there are more; what it ends with is what counts.
		if n := int16(len(p.Replicas)); out.Replicas == 0 || n < out.Replicas {
			out.Replicas = n
		}
	}
	return out
}

// settings fills in the config of a topic. One that went away meanwhile is not
// there.
func (s *Session) settings(r *sarama.ResourceResponse, out map[string]plan.TopicState) error {
	code := sarama.KError(r.ErrorCode)
	if code == sarama.ErrUnknownTopicOrPartition {
		delete(out, r.Name)
		return nil
	}
	if code != sarama.ErrNoError {
		return fmt.Errorf("describe the config of topic %s: %w", r.Name, refusal(code, &r.ErrorMsg))
	}
	for _, entry := range r.Configs {
		out[r.Name].Config[entry.Name] = plan.Setting{
			Value: entry.Value, Type: settingType(entry.Type), Own: entry.Source == sarama.SourceTopic,
			Default: otherwise(entry),
		}
	}
	return nil
}

// otherwise is the value that an entry has if the topic does not set it: the
// broker lists where a value can come from, the strongest first.
func otherwise(entry *sarama.ConfigEntry) string {
	if entry.Source != sarama.SourceTopic {
		return entry.Value
	}
	for _, s := range entry.Synonyms {
		if s.Source != sarama.SourceTopic {
			return s.ConfigValue
		}
	}
	return ""
}

func settingType(t sarama.ConfigType) plan.SettingType {
	switch t {
	case sarama.BooleanConfigType:
		return plan.TypeBool
	case sarama.IntConfigType, sarama.ShortConfigType, sarama.LongConfigType:
		return plan.TypeInt
	case sarama.DoubleConfigType:
		return plan.TypeFloat
	case sarama.ListConfigType:
		return plan.TypeList
	case sarama.UnknownConfigType, sarama.StringConfigType, sarama.ClassConfigType, sarama.PasswordConfigType:
	}
	return plan.TypeText
}

// defaults asks what a topic gets that does not say. A user that may not know it
// leaves it unknown.
func (s *Session) defaults(b *sarama.Broker) (plan.TopicDefaults, error) {
	answer, err := b.DescribeConfigs(&sarama.DescribeConfigsRequest{Version: 4, Resources: []*sarama.ConfigResource{{
		Type: sarama.BrokerResource, Name: strconv.Itoa(int(s.id)),
		ConfigNames: []string{"num.partitions", "message.max.bytes"},
	}}})
	if err != nil {
		return plan.TopicDefaults{}, s.unreachable(err)
	}
	out := plan.TopicDefaults{}
	for _, r := range answer.Resources {
		for _, entry := range r.Configs {
			n, err := strconv.ParseInt(entry.Value, 10, 32)
			if err != nil {
				continue
			}
			if entry.Name == "num.partitions" {
				out.Partitions = int32(n)
				continue
			}
			out.MaxMessageBytes = n
		}
	}
	return out, nil
}
