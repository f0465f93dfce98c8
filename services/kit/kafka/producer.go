package kafka

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Retries of one record inside the producer, about ten seconds in all. They ride
// out a change of leader; a longer outage is the caller's to wait for, who knows
// what else it could do.
const (
	produceRetries    = 10
	produceRetryFirst = 50 * time.Millisecond
	produceRetryLast  = time.Second
)

// producer is one sarama producer with its own client and the goroutine that takes
// its results.
type producer struct {
	async  sarama.AsyncProducer
	client sarama.Client
	// settled is told of every result of a broker.
	settled func(topic string, err error)

	// sending is held for reading while records are handed over, so that close
	// cannot close the channel under them.
	sending   sync.RWMutex
	closing   chan struct{}
	closeOnce sync.Once
	acks      sync.WaitGroup
}

// producer returns the settings of a producer. alone sends every record in a
// request of its own, so that a refusal is about that record.
func (c Config) producer(alone bool) (*sarama.Config, error) {
	s, err := c.client()
	if err != nil {
		return nil, err
	}
	s.Net.MaxOpenRequests = 1
	s.ChannelBufferSize = 1024
	s.Producer.Idempotent = true
	s.Producer.RequiredAcks = sarama.WaitForAll
	s.Producer.Partitioner = sarama.NewMurmur2Partitioner
	s.Producer.Compression = sarama.CompressionLZ4
	s.Producer.MaxMessageBytes = c.MaxMessageBytes
	s.Producer.Timeout = c.RequestTimeout / 2
	s.Producer.Return.Successes = true
	s.Producer.Retry.Max = produceRetries
	s.Producer.Retry.BackoffFunc = produceBackoff
	s.Producer.Transaction.Retry.Max = 1 // of the producer's id; whoever opens it tries again
	if alone {
		s.Producer.Flush.MaxMessages = 1
	}
	return s, nil
}

// produceBackoff doubles, with jitter. Nothing before the first retry: sarama asks
// for that pause once for every new record of a partition without a leader.
func produceBackoff(retries, _ int) time.Duration {
	if retries <= 0 {
		return 0
	}
	pause := min(produceRetryFirst<<min(retries-1, 10), produceRetryLast)
	return pause/2 + rand.N(pause/2+1)
}

// openProducer connects: it returns when a broker has given the producer its id.
func openProducer(c Config, alone bool, settled func(topic string, err error)) (*producer, error) {
	s, err := c.producer(alone)
	if err != nil {
		return nil, err
	}
	client, err := sarama.NewClient(c.Brokers, s)
	if err != nil {
		return nil, err
	}
	async, err := sarama.NewAsyncProducerFromClient(client)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	p := &producer{async: async, client: client, settled: settled, closing: make(chan struct{})}
	p.acks.Add(2)
	go p.takeSuccesses()
	go p.takeErrors()
	return p, nil
}

func (p *producer) takeSuccesses() {
	defer p.acks.Done()
	for record := range p.async.Successes() {
		p.settled(record.Topic, nil)
		if o, ok := record.Metadata.(*outgoing); ok {
			o.settle(nil)
		}
	}
}

func (p *producer) takeErrors() {
	defer p.acks.Done()
	for failed := range p.async.Errors() {
		p.settled(failed.Msg.Topic, failed.Err)
		if o, ok := failed.Msg.Metadata.(*outgoing); ok {
			o.settle(failed.Err)
		}
	}
}

// send hands over the records of b that are not settled yet and waits for the
// results, in so far as ctx lets it.
func (p *producer) send(ctx context.Context, b *batch) {
	p.hand(ctx, b)
	b.wait(ctx)
}

func (p *producer) hand(ctx context.Context, b *batch) {
	p.sending.RLock()
	defer p.sending.RUnlock()
	for i := range b.out {
		o := &b.out[i]
		if o.settled.Load() {
			continue
		}
		select {
		case <-p.closing:
			o.settle(errClosed)
			continue
		default:
		}
		select {
		case p.async.Input() <- &o.record:
		case <-p.closing:
			o.settle(errClosed)
		case <-ctx.Done():
			return
		}
	}
}

// close delivers what was handed over, in so far as the broker takes it, and disconnects.
func (p *producer) close() error {
	var err error
	p.closeOnce.Do(func() {
		close(p.closing)
		p.sending.Lock()
		defer p.sending.Unlock()
		p.async.AsyncClose()
		p.acks.Wait()
		err = p.client.Close()
	})
	return err
}
