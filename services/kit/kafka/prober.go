package kafka

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

const (
	// probeInterval is how often the ends of the partitions are asked for.
	probeInterval = 500 * time.Millisecond
	// gapAfter is how long a partition must bring nothing before the rest of it is
	// looked at for messages that nobody can see.
	gapAfter = time.Second
)

// prober asks where the partitions end: for the lag, for CaughtUp, and as the sign
// that the brokers answer. sarama knows an end only from a fetch that brought
// something.
type prober struct {
	client   sarama.Client
	claims   *claims
	consumer ConsumerConfig
	// seen is told whether the brokers answered.
	seen func(err error)
}

func (p *prober) run(ctx context.Context) {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if all := p.claims.list(); len(all) > 0 {
				p.seen(p.round(all))
			}
		}
	}
}

// round asks each leader once for all its partitions.
func (p *prober) round(all []*claim) error {
	var errs []error
	byLeader := map[*sarama.Broker][]*claim{}
	for _, c := range all {
		leader, err := p.client.Leader(c.topic, c.partition)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		byLeader[leader] = append(byLeader[leader], c)
	}
	for leader, of := range byLeader {
		errs = append(errs, p.ask(leader, of))
	}
	return errors.Join(errs...)
}

func (p *prober) ask(leader *sarama.Broker, of []*claim) error {
	at := time.Now()
	request := sarama.NewOffsetRequest(version)
	request.IsolationLevel = sarama.ReadCommitted
	for _, c := range of {
		request.AddBlock(c.topic, c.partition, sarama.OffsetNewest, 1)
	}
	response, err := leader.GetAvailableOffsets(request)
	if err != nil {
		_ = leader.Close()
		return errors.Join(err, p.refresh(of))
	}
	var errs []error
	for _, c := range of {
		block := response.GetBlock(c.topic, c.partition)
		switch {
		case block == nil || len(block.Offsets) != 1:
			errs = append(errs, sarama.ErrIncompleteResponse)
		case !errors.Is(block.Err, sarama.ErrNoError):
			errs = append(errs, block.Err)
		default:
			errs = append(errs, p.compare(leader, c, block.Offsets[0], at))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, p.refresh(of))
	}
	return nil
}

// refresh finds the leaders anew.
func (p *prober) refresh(of []*claim) error {
	topics := make([]string, 0, len(of))
	for _, c := range of {
		topics = append(topics, c.topic)
	}
	return p.client.RefreshMetadata(topics...)
}

// compare sets a claim against the end that its partition had at a moment.
func (p *prober) compare(leader *sarama.Broker, c *claim, end int64, at time.Time) error {
	s := c.standing()
	if s.position == unknown {
		oldest, err := p.client.GetOffset(c.topic, c.partition, sarama.OffsetOldest)
		if err != nil {
			return err
		}
		c.skipTo(oldest)
		s = c.standing()
	}
	c.show(max(end-s.position, 0))
	if s.position >= end {
		if p.consumer.CaughtUp != nil {
			p.consumer.CaughtUp(c.topic, c.partition, at)
		}
		return nil
	}
	if s.inFlight == 0 && s.quiet > gapAfter {
		return p.skipGap(leader, c, s.position)
	}
	return nil
}

// skipGap looks at what lies from position on. Markers of transactions, aborted
// records and what compaction has removed take offsets that bring no message;
// without this a partition that ends with them would look unread for ever.
func (p *prober) skipGap(leader *sarama.Broker, c *claim, position int64) error {
	request := &sarama.FetchRequest{
		Version: fetchVersion, MaxBytes: fetchBytes, Isolation: sarama.ReadCommitted, SessionEpoch: -1,
	}
	request.AddBlock(c.topic, c.partition, position, fetchBytes, noEpoch)
	response, err := leader.Fetch(request)
	if err != nil {
		return err
	}
	block := response.GetBlock(c.topic, c.partition)
	if block == nil {
		return sarama.ErrIncompleteResponse
	}
	if !errors.Is(block.Err, sarama.ErrNoError) {
		return block.Err
	}
	c.skipTo(firstVisible(block, position))
	return nil
}

// fetchVersion has isolation and sessions, and is not flexible.
const fetchVersion = 11

// firstVisible returns the offset of the first message of block at or after
// position or, without one, the offset after the block.
func firstVisible(block *sarama.FetchResponseBlock, position int64) int64 {
	coming := slices.SortedFunc(slices.Values(block.AbortedTransactions), byFirstOffset)
	aborted := map[int64]bool{}
	for _, records := range block.RecordsSet {
		b := records.RecordBatch
		if b == nil || b.PartialTrailingRecord { // nothing to learn from it
			return position
		}
		for len(coming) > 0 && coming[0].FirstOffset <= b.LastOffset() {
			aborted[coming[0].ProducerID] = true
			coming = coming[1:]
		}
		switch {
		case b.Control: // the transaction of this producer ends
			delete(aborted, b.ProducerID)
		case b.IsTransactional && aborted[b.ProducerID]:
		default:
			if offset, ok := firstFrom(b, position); ok {
				return offset
			}
		}
		position = max(position, b.LastOffset()+1)
	}
	return position
}

func byFirstOffset(a, b *sarama.AbortedTransaction) int {
	return cmp.Compare(a.FirstOffset, b.FirstOffset)
}

func firstFrom(b *sarama.RecordBatch, position int64) (int64, bool) {
	for _, r := range b.Records {
		if offset := b.FirstOffset + r.OffsetDelta; offset >= position {
			return offset, true
		}
	}
	return 0, false
}
