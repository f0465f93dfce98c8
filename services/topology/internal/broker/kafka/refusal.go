package kafka

import (
	"strconv"

	"github.com/IBM/sarama"

	"parley.sh/services/kit/fault"
)

// refusal is what the broker said, and what can be done about it; nil for no error.
// The code is found by errors.Is.
func refusal(code sarama.KError, message *string) error {
	if code == sarama.ErrNoError {
		return nil
	}
	said := code.Error()
	if message != nil && *message != "" {
		said = *message
	}
	return fault.Wrap(kindOf(code), &spoken{code, "the broker said " + quote(said) + ": " + adviceFor(code)}, "")
}

type spoken struct {
	code sarama.KError
	text string
}

func (s *spoken) Error() string { return s.text }
func (s *spoken) Unwrap() error { return s.code }

// quote shows what a broker said; it can hold what a manifest said.
func quote(s string) string {
	const limit = 1024
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return strconv.Quote(s)
}

func kindOf(code sarama.KError) fault.Kind {
	switch code {
	case sarama.ErrInvalidTopic, sarama.ErrInvalidPartitions, sarama.ErrInvalidReplicationFactor,
		sarama.ErrInvalidReplicaAssignment, sarama.ErrInvalidConfig, sarama.ErrInvalidRequest,
		sarama.ErrPolicyViolation, sarama.ErrTopicAuthorizationFailed, sarama.ErrClusterAuthorizationFailed,
		sarama.ErrUnsupportedVersion:
		return fault.Invalid
	case sarama.ErrUnknownTopicOrPartition:
		return fault.NotFound
	case sarama.ErrUnknown:
		return fault.Internal
	default:
		return fault.Unavailable
	}
}

var advice = map[sarama.KError]string{
	sarama.ErrInvalidTopic:               "correct spec.name",
	sarama.ErrInvalidPartitions:          "correct spec.partitions",
	sarama.ErrInvalidReplicationFactor:   "correct spec.replicas, or leave it out for the broker's default",
	sarama.ErrInvalidReplicaAssignment:   "the cluster has too few brokers for it: correct spec.replicas",
	sarama.ErrInvalidConfig:              "correct the key in spec.config that it names",
	sarama.ErrInvalidRequest:             "correct the key in spec.config that it names",
	sarama.ErrPolicyViolation:            "it breaks a rule of the cluster's administrators, or is too large: correct spec",
	sarama.ErrTopicAuthorizationFailed:   "give the user the right to describe, create and alter the topic",
	sarama.ErrClusterAuthorizationFailed: "give the user the right to create topics in the cluster",
	sarama.ErrUnsupportedVersion:         "the broker is older than 2.8, which is the oldest that is supported",
	sarama.ErrUnknownTopicOrPartition:    "it went away meanwhile: plan again",
}

func adviceFor(code sarama.KError) string {
	if a := advice[code]; a != "" {
		return a
	}
	return "apply again when the broker is well"
}
