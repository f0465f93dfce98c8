package kafka

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// committer tells the group how far each partition is finished, over a connection
// of its own: on the one that reads, a commit waits for a long poll, and on the one
// that joins it waits for the rebalance. A commit carries the member and the
// generation, so that the group refuses one that comes too late.
type committer struct {
	cfg    Config
	group  string
	client sarama.Client
	claims *claims
	count  func(result string)
	log    *slog.Logger
	// fenced ends the membership that the group no longer knows.
	fenced func(cause error)

	// mu lets one commit out at a time. release holds it too, so that nothing is
	// committed for a partition that was let go: without it a commit that was put
	// together before could arrive after the next owner's.
	mu      sync.Mutex
	session sarama.ConsumerGroupSession
	// failing says that the last commit failed; only run uses it.
	failing bool
}

// member sets who commits from now on.
func (c *committer) member(s sarama.ConsumerGroupSession) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = s
}

// run commits what is due, again and again until ctx ends.
func (c *committer) run(ctx context.Context) {
	tick := time.NewTicker(c.cfg.CommitInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.mu.Lock()
			err := c.commit(c.claims.list())
			c.mu.Unlock()
			c.report(ctx, err)
		}
	}
}

// report logs the first of several failed commits and ends a membership that is over.
func (c *committer) report(ctx context.Context, err error) {
	if err == nil {
		c.failing = false
		return
	}
	c.count("failed")
	level := slog.LevelWarn
	if c.failing || passing(err) {
		level = slog.LevelDebug
	}
	c.failing = true
	c.log.LogAttrs(ctx, level, "offsets not committed, trying again", slog.Any("err", err))
	if over(err) {
		c.fenced(err)
	}
}

// release commits the last of a claim, trying until patience ends, and takes it
// out: from then on nothing is committed for it.
func (c *committer) release(ctx context.Context, one *claim, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		gone, err := c.last(ctx, one)
		if gone && err == nil {
			return
		}
		if gone {
			c.log.WarnContext(ctx, "partition let go without its last commit, some messages will come again",
				slog.String("topic", one.topic), slog.Int("partition", int(one.partition)), slog.Any("err", err))
			return
		}
		pause(ctx, releasePause)
	}
}

// last commits a claim and takes it out unless another attempt makes sense.
func (c *committer) last(ctx context.Context, one *claim) (gone bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err = c.commit([]*claim{one})
	gone = err == nil || over(err) || ctx.Err() != nil
	if gone {
		c.claims.remove(one)
	}
	return gone, err
}

// releasePause is between two attempts to commit the last of a claim.
const releasePause = 50 * time.Millisecond

// commit sends what is due of the claims in one request. c.mu is held.
func (c *committer) commit(of []*claim) error {
	due := map[*claim]int64{}
	for _, one := range of {
		if offset, ok := one.due(); ok {
			due[one] = offset
		}
	}
	if len(due) == 0 || c.session == nil {
		return nil
	}
	response, err := c.send(due)
	if err != nil {
		return err
	}
	return c.settle(due, response)
}

func (c *committer) send(due map[*claim]int64) (*sarama.OffsetCommitResponse, error) {
	coordinator, err := c.client.Coordinator(c.group)
	if err != nil {
		return nil, err
	}
	request := &sarama.OffsetCommitRequest{
		Version: commitVersion, ConsumerGroup: c.group,
		ConsumerID: c.session.MemberID(), ConsumerGroupGeneration: c.session.GenerationID(),
	}
	if c.cfg.InstanceID != "" {
		request.GroupInstanceId = &c.cfg.InstanceID
	}
	for one, offset := range due {
		request.AddBlockWithLeaderEpoch(one.topic, one.partition, offset, noEpoch, 0, "")
	}
	response, err := coordinator.CommitOffset(request)
	if err != nil {
		_ = coordinator.Close()
		return nil, errors.Join(err, c.client.RefreshCoordinator(c.group))
	}
	return response, nil
}

const (
	// commitVersion is the newest of the request that sarama knows.
	commitVersion = 8
	// noEpoch says that no leader epoch is known.
	noEpoch = -1
)

// settle notes what was committed and returns why the rest was not.
func (c *committer) settle(due map[*claim]int64, response *sarama.OffsetCommitResponse) error {
	var failed error
	for one, offset := range due {
		code, ok := response.Errors[one.topic][one.partition]
		switch {
		case !ok:
			failed = sarama.ErrIncompleteResponse
		case errors.Is(code, sarama.ErrNoError):
			one.commit(offset)
		default:
			failed = code
		}
	}
	if failed == nil {
		c.count("ok")
		return nil
	}
	if moved(failed) {
		return errors.Join(failed, c.client.RefreshCoordinator(c.group))
	}
	return failed
}

// moved reports whether the group has another coordinator.
func moved(err error) bool {
	return errors.Is(err, sarama.ErrNotCoordinatorForConsumer) ||
		errors.Is(err, sarama.ErrConsumerCoordinatorNotAvailable)
}

// over reports whether the group has put this member out. A generation that is not
// the group's is no such sign: a rebalance changes it before sarama says so.
func over(err error) bool {
	return errors.Is(err, sarama.ErrUnknownMemberId) || errors.Is(err, sarama.ErrFencedInstancedId)
}

// passing reports whether a failure belongs to a rebalance.
func passing(err error) bool {
	return errors.Is(err, sarama.ErrIllegalGeneration) || errors.Is(err, sarama.ErrRebalanceInProgress)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
