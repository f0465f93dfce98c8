package kafka

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/IBM/sarama"

	"parley.sh/services/kit/fault"
)

// Refusals are the broker's answers that are about a record and will not change.
// A broker gives one answer for a whole batch, so a refusal of several records
// does not say which of them it means: see Publisher.resolve.
var refusals = []error{
	sarama.ErrMessageSizeTooLarge,
	sarama.ErrMessageSetSizeTooLarge,
	sarama.ErrInvalidMessageSize,
	sarama.ErrInvalidRecord,
	sarama.ErrInvalidTimestamp,
	sarama.ErrUnsupportedForMessageFormat,
}

func refused(err error) bool {
	if err == nil {
		return false
	}
	for _, r := range refusals {
		if errors.Is(err, r) {
			return true
		}
	}
	var unencodable sarama.PacketEncodingError
	return errors.As(err, &unencodable)
}

// unreachable reports an error of the network rather than of a broker.
func unreachable(err error) bool {
	var n net.Error
	return errors.Is(err, sarama.ErrOutOfBrokers) || errors.Is(err, sarama.ErrNotConnected) ||
		errors.Is(err, io.EOF) || errors.As(err, &n)
}

var (
	errClosed       = errors.New("the client is closed")
	errNotConnected = errors.New("not connected yet")
)

// classify gives a result of publishing its kind. Only what is about the message
// itself is Invalid. A topic that is not there is Unavailable: topics are made by
// the topology, which may come later than the message.
func classify(err error) error {
	var known *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case refused(err), errors.Is(err, sarama.ErrInvalidTopic):
		return fault.Wrap(fault.Invalid, err, "the broker refuses the message")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Unavailable, err, "the message was not confirmed in time")
	}
	return fault.Wrap(fault.Unavailable, err, "kafka is not available")
}

// legalTopic reports whether a broker could have a topic of that name.
func legalTopic(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return false
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case r == '.' || r == '_' || r == '-':
		default:
			return false
		}
	}
	return true
}
