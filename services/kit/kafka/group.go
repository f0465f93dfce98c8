package kafka

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/IBM/sarama"
)

// membership is a consumer's part in its group, as sarama's handler.
type membership struct {
	cfg       Config
	ctx       context.Context
	work      *workshop
	claims    *claims
	committer *committer
	state     *state
	session   sarama.ConsumerGroupSession
}

// Setup implements sarama.ConsumerGroupHandler: the group has taken this member.
func (m *membership) Setup(s sarama.ConsumerGroupSession) error {
	m.session = s
	m.committer.member(s)
	m.state.set(nil)
	m.work.log.InfoContext(m.ctx, "joined the consumer group",
		slog.String("member", s.MemberID()), slog.Any("partitions", s.Claims()))
	return nil
}

// Cleanup implements sarama.ConsumerGroupHandler: every claim is let go.
func (m *membership) Cleanup(sarama.ConsumerGroupSession) error {
	m.committer.member(nil)
	return nil
}

// cause returns why the last session ended, if that is known.
func (m *membership) cause() error {
	if m.session == nil {
		return nil
	}
	return context.Cause(m.session.Context())
}

// ConsumeClaim implements sarama.ConsumerGroupHandler. It returns when the
// partition is revoked or the session ends, after the messages being handled are
// finished and committed.
func (m *membership) ConsumeClaim(s sarama.ConsumerGroupSession, from sarama.ConsumerGroupClaim) error {
	c := newClaim(m.ctx, place{from.Topic(), from.Partition()}, from.InitialOffset(), m.work)
	m.claims.add(c)
	log := m.work.log.With(slog.String("topic", c.topic), slog.Int("partition", int(c.partition)))
	log.InfoContext(m.ctx, "partition assigned", slog.Int64("offset", from.InitialOffset()))
	m.receive(s, from, c)
	c.drain(m.cfg.RebalanceTimeout * 3 / 4)
	m.committer.release(context.WithoutCancel(m.ctx), c, m.cfg.RebalanceTimeout/5)
	c.forget()
	log.InfoContext(m.ctx, "partition let go", slog.Int64("offset", c.standing().position))
	return nil
}

// receive takes messages until the partition is revoked or the session ends.
func (m *membership) receive(s sarama.ConsumerGroupSession, from sarama.ConsumerGroupClaim, c *claim) {
	for {
		select {
		case record, ok := <-from.Messages():
			if !ok {
				return
			}
			c.add(record)
		case <-s.Context().Done():
			return
		}
	}
}

// groupClient is the client of a sarama consumer group: it reads over one client
// and belongs to the group over another. With one client for both a JoinGroup,
// which lasts as long as the slowest member, would stop the reading of the
// partitions that a cooperative rebalance leaves alone.
type groupClient struct {
	sarama.Client
	membership sarama.Client
	// lost reports a partition whose committed offset is gone from the broker.
	lost func(at place) bool
}

// Coordinator implements sarama.Client.
func (c *groupClient) Coordinator(group string) (*sarama.Broker, error) {
	return c.membership.Coordinator(group)
}

// RefreshCoordinator implements sarama.Client.
func (c *groupClient) RefreshCoordinator(group string) error {
	return c.membership.RefreshCoordinator(group)
}

// PartitionNotReadable implements sarama.Client. sarama waits for a partition that
// is not readable, and ends the whole session for one that it cannot read: so one
// whose messages are gone is not readable, and the others go on.
func (c *groupClient) PartitionNotReadable(topic string, partition int32) bool {
	return c.Client.PartitionNotReadable(topic, partition) || c.lost(place{topic, partition})
}

// reader returns the settings of the client that reads.
func (c Config) reader() (*sarama.Config, error) {
	s, err := c.client()
	if err != nil {
		return nil, err
	}
	s.Consumer.MaxWaitTime = maxWait
	s.Consumer.Fetch.Default = fetchBytes
	s.Consumer.IsolationLevel = sarama.ReadCommitted
	s.Consumer.Return.Errors = true
	s.Consumer.Retry.BackoffFunc = func(retries int) time.Duration {
		return min(100*time.Millisecond<<min(retries, 5), 2*time.Second)
	}
	s.Consumer.Offsets.Initial = sarama.OffsetOldest
	s.Consumer.Offsets.AutoCommit.Enable = false
	s.Consumer.Group.InstanceId = c.InstanceID
	s.Consumer.Group.ResetInvalidOffsets = false
	s.Consumer.Group.Session.Timeout = c.SessionTimeout
	s.Consumer.Group.Heartbeat.Interval = min(c.SessionTimeout/5, maxHeartbeat)
	s.Consumer.Group.Rebalance.Timeout = c.RebalanceTimeout
	s.Consumer.Group.Rebalance.Retry.Max = 20
	s.Consumer.Group.Rebalance.Retry.Backoff = 200 * time.Millisecond
	s.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}
	return s, nil
}

const (
	// maxWait is the long poll of a fetch.
	maxWait = 100 * time.Millisecond
	// fetchBytes is what one fetch brings of a partition, compressed, unless a single
	// batch is larger. It may exceed the bounds of what is in flight by two fetches, and
	// JSON is several times larger in memory, so it is small: at 1 ms a round trip it
	// still brings 64 MB/s of a partition.
	fetchBytes = 64 << 10
	// maxHeartbeat is how late a member may hear of a rebalance.
	maxHeartbeat = 2 * time.Second
)

// member returns the settings of the client that belongs to the group. An answer
// to JoinGroup comes when the slowest member has joined.
func (c Config) member() (*sarama.Config, error) {
	s, err := c.client()
	if err != nil {
		return nil, err
	}
	s.Net.ReadTimeout = c.RebalanceTimeout + 5*time.Second
	return s, nil
}

// control returns the settings of the client that commits and looks at offsets.
func (c Config) control() (*sarama.Config, error) {
	s, err := c.client()
	if err != nil {
		return nil, err
	}
	s.Metadata.Retry.Max = 1
	return s, nil
}

// clients are the connections of one consumer.
type clients struct {
	read, member, control sarama.Client
}

// open makes the clients; none of them speaks to a broker yet.
func (c Config) open() (*clients, error) {
	var opened clients
	for _, one := range []struct {
		settings func() (*sarama.Config, error)
		client   *sarama.Client
	}{{c.reader, &opened.read}, {c.member, &opened.member}, {c.control, &opened.control}} {
		s, err := one.settings()
		if err == nil {
			*one.client, err = sarama.NewClient(c.Brokers, s)
		}
		if err != nil {
			return nil, errors.Join(err, opened.close())
		}
	}
	return &opened, nil
}

func (c *clients) close() error {
	var errs []error
	for _, client := range []sarama.Client{c.read, c.member, c.control} {
		if client != nil {
			errs = append(errs, client.Close())
		}
	}
	return errors.Join(errs...)
}
