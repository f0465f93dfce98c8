package kafka

import (
	"context"
	"time"

	"github.com/IBM/sarama"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/plan"
)

// Check implements broker.Session: the broker validates each step and changes
// nothing.
func (s *Session) Check(ctx context.Context, steps []plan.Step) []error {
	return s.run(ctx, steps, true)
}

// Execute implements broker.Session.
func (s *Session) Execute(ctx context.Context, steps []plan.Step) []error {
	return s.run(ctx, steps, false)
}

// run sends the steps in batches of their operation. Blocked steps are left out:
// what they would ask is not known to be meant.
func (s *Session) run(ctx context.Context, steps []plan.Step, validate bool) []error {
	items := make([]*item, len(steps))
	byOp := map[plan.Op][]*item{}
	for i := range steps {
		items[i] = &item{step: steps[i], weight: weight(steps[i])}
		if steps[i].Risk != plan.Blocked {
			byOp[steps[i].Op] = append(byOp[steps[i].Op], items[i])
		}
	}
	for op, list := range byOp {
		switch op {
		case plan.Create:
			s.batches(ctx, list, creates(validate))
		case plan.Update:
			s.batches(ctx, list, alters(validate))
		case plan.Grow:
			s.batches(ctx, list, grows(validate))
		case plan.Delete:
			setAll(list, fault.New(fault.Internal, "a topic is never deleted from here"))
		}
	}
	errs := make([]error, len(steps))
	for i, x := range items {
		errs[i] = x.err
	}
	return errs
}

// weight is what a step costs the controller in records.
func weight(s plan.Step) int {
	w := 1 + len(s.Fields)
	if t, ok := s.Object.(*plan.Topic); ok && s.Op != plan.Update {
		w += int(t.Partitions)
	}
	return w
}

func topicOf(x *item) *plan.Topic {
	t, ok := x.step.Object.(*plan.Topic)
	if !ok {
		return &plan.Topic{Name: x.step.ID.Name}
	}
	return t
}

func creates(validate bool) send {
	return func(b *sarama.Broker, items []*item) (map[string]error, time.Duration, error) {
		details := map[string]*sarama.TopicDetail{}
		for _, x := range items {
			details[x.step.ID.Name] = detail(topicOf(x))
		}
		answer, err := b.CreateTopics(sarama.NewCreateTopicsRequest(sarama.V2_8_0_0, details, adminTimeout, validate))
		if err != nil {
			return nil, 0, err
		}
		out := map[string]error{}
		for name, e := range answer.TopicErrors {
			// Somebody was faster: what it is like shows when it is observed.
			if e.Err == sarama.ErrTopicAlreadyExists {
				out[name] = nil
				continue
			}
			out[name] = refusal(e.Err, e.ErrMsg)
		}
		return out, answer.ThrottleTime, nil
	}
}

func detail(t *plan.Topic) *sarama.TopicDetail {
	out := &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ConfigEntries: map[string]*string{}}
	if t.Partitions > 0 {
		out.NumPartitions = t.Partitions
	}
	if t.Replicas > 0 {
		out.ReplicationFactor = t.Replicas
	}
	for k, v := range t.Config {
		out.ConfigEntries[k] = &v
	}
	return out
}

func grows(validate bool) send {
	return func(b *sarama.Broker, items []*item) (map[string]error, time.Duration, error) {
		request := &sarama.CreatePartitionsRequest{
			Version: 3, Timeout: adminTimeout, ValidateOnly: validate, TopicPartitions: map[string]*sarama.TopicPartition{},
		}
		for _, x := range items {
			request.TopicPartitions[x.step.ID.Name] = &sarama.TopicPartition{Count: topicOf(x).Partitions}
		}
		answer, err := b.CreatePartitions(request)
		if err != nil {
			return nil, 0, err
		}
		out := map[string]error{}
		for name, e := range answer.TopicPartitionErrors {
			out[name] = refusal(e.Err, e.ErrMsg)
		}
		return out, answer.ThrottleTime, nil
	}
}

func alters(validate bool) send {
	return func(b *sarama.Broker, items []*item) (map[string]error, time.Duration, error) {
		request := &sarama.IncrementalAlterConfigsRequest{Version: 1, ValidateOnly: validate}
		for _, x := range items {
			request.Resources = append(request.Resources, &sarama.IncrementalAlterConfigsResource{
				Type: sarama.TopicResource, Name: x.step.ID.Name, ConfigEntries: entries(x.step, topicOf(x)),
			})
		}
		answer, err := b.IncrementalAlterConfigs(request)
		if err != nil {
			return nil, 0, err
		}
		out := map[string]error{}
		for _, r := range answer.Resources {
			out[r.Name] = refusal(sarama.KError(r.ErrorCode), &r.ErrorMsg)
		}
		return out, answer.ThrottleTime, nil
	}
}

// entries sets the fields that the topic's config lists and unsets the others.
func entries(s plan.Step, t *plan.Topic) map[string]sarama.IncrementalAlterConfigsEntry {
	out := map[string]sarama.IncrementalAlterConfigsEntry{}
	for _, f := range s.Fields {
		key, isConfig := f.ConfigKey()
		if !isConfig {
			continue
		}
		if value, listed := t.Config[key]; listed {
			out[key] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}
			continue
		}
		out[key] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationDelete}
	}
	return out
}
