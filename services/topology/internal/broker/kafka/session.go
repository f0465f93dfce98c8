package kafka

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"
	gometrics "github.com/rcrowley/go-metrics"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/broker"
	"parley.sh/services/topology/internal/broker/address"
)

const (
	dialTimeout = 10 * time.Second
	readTimeout = 40 * time.Second
	// adminTimeout is how long the broker may take to carry a request out.
	adminTimeout = 30 * time.Second
)

var _ broker.Session = (*Session)(nil)

// Session is a broker.Session of a Kafka cluster.
type Session struct {
	address address.Address
	config  *sarama.Config
	broker  *sarama.Broker
	// id is the broker's.
	id int32
	// limits are what a request may hold.
	limits limits
}

// Open returns a session. It connects when it is first used; an error means that
// the address itself cannot be used.
func Open(a address.Address) (*Session, error) {
	c, err := config(a)
	if err != nil {
		return nil, err
	}
	return &Session{address: a, config: c, limits: defaultLimits}, nil
}

func config(a address.Address) (*sarama.Config, error) {
	tls, err := a.TLSConfig()
	if err != nil {
		return nil, err
	}
	c := sarama.NewConfig()
	c.ClientID = "topology"
	c.Version = sarama.V2_8_0_0
	c.Net.DialTimeout, c.Net.ReadTimeout, c.Net.WriteTimeout = dialTimeout, readTimeout, readTimeout
	c.Net.TLS.Enable, c.Net.TLS.Config = a.TLS, tls
	c.MetricRegistry = gometrics.NewRegistry()
	if a.Mechanism == "" {
		return c, nil
	}
	c.Net.SASL.Enable = true
	c.Net.SASL.Mechanism = sarama.SASLMechanism(a.Mechanism)
	c.Net.SASL.User, c.Net.SASL.Password = a.User, a.Password.Reveal()
	if c.Net.SASL.Mechanism != sarama.SASLTypePlaintext {
		c.Net.SASL.SCRAMClientGeneratorFunc = logins(c.Net.SASL.Mechanism)
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("check the address: %w", err)
	}
	return c, nil
}

// Close implements broker.Session.
func (s *Session) Close() error {
	if s.broker == nil {
		return nil
	}
	err := s.broker.Close()
	s.broker = nil
	return err
}

// controller connects if need be and returns the broker that takes changes. The
// name of a topic is for asking who that is: a request that names none would be
// answered with all topics of the cluster.
func (s *Session) controller(ctx context.Context, topic string) (*sarama.Broker, error) {
	if s.broker != nil {
		return s.broker, nil
	}
	var last error
	for _, host := range s.address.Hosts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, id, err := s.follow(host, topic)
		if err == nil {
			s.broker, s.id = b, id
			return b, nil
		}
		last = err
	}
	return nil, s.unreachable(last)
}

// follow asks one host for the controller and connects to that. On a Kafka of
// today any broker takes changes, and names one at random.
func (s *Session) follow(host, topic string) (*sarama.Broker, int32, error) {
	first, err := s.dial(host)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = first.Close() }()
	answer, err := first.GetMetadata(sarama.NewMetadataRequest(s.config.Version, []string{topic}))
	if err != nil {
		return nil, 0, err
	}
	for _, b := range answer.Brokers {
		if b.ID() == answer.ControllerID {
			found, err := s.dial(b.Addr())
			return found, b.ID(), err
		}
	}
	return nil, 0, fmt.Errorf("the cluster at %s has no controller: %w", host, sarama.ErrControllerNotAvailable)
}

func (s *Session) dial(addr string) (*sarama.Broker, error) {
	b := sarama.NewBroker(addr)
	if err := b.Open(s.config); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	if _, err := b.Connected(); err != nil {
		_ = b.Close()
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return b, nil
}

// reset makes the next call connect anew: what a broken connection would answer
// belongs to nobody.
func (s *Session) reset() {
	_ = s.Close()
}

func (s *Session) unreachable(err error) error {
	said := strings.TrimPrefix(err.Error(), "kafka: ")
	if strings.Contains(said, "SASL") {
		return fault.Wrap(fault.Invalid, err, "the broker refused the login: check user, password and mechanism")
	}
	advice := "check that it runs and that the address is right"
	if s.address.User != "" {
		advice += ", and user, password and mechanism: some brokers close the connection at a wrong login"
	}
	return fault.Wrap(fault.Unavailable, err, "no Kafka answers at "+strings.Join(s.address.Hosts, ", ")+": "+advice)
}
