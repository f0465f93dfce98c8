package evidence

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"parley.sh/services/contract"
	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/message"
)

// Groups lists the consumer groups and their topics.
func Groups() map[string][]string {
	return map[string][]string{
		contract.Inventory: {contract.TopicOrders},
		contract.Payment:   {contract.TopicOrders},
		contract.Order:     {contract.TopicInventory, contract.TopicPayments, contract.TopicShipments},
		"order-stock":      {contract.TopicStock},
	}
}

// facts are the topics that are read whole.
func facts() []string {
	return []string{
		contract.TopicOrders, contract.TopicInventory, contract.TopicPayments,
		contract.TopicShipments, contract.TopicStock,
	}
}

// silence is how long a partition may say nothing before its end is given up. The
// last offset always belongs to a record: nothing here is transactional, and
// compaction keeps the newest segment.
const silence = 20 * time.Second

// readTopics reads every topic of facts from its beginning to its end, and counts
// the dead-letter topics.
func (e *Evidence) readTopics(brokers []string) error {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V4_0_0_0
	client, err := sarama.NewClient(brokers, cfg)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return errors.Join(fmt.Errorf("read Kafka: %w", err), client.Close())
	}
	defer func() { _ = errors.Join(consumer.Close(), client.Close()) }()
	t := topics{client, consumer}
	for _, name := range facts() {
		if e.Topics[name], err = t.read(name); err != nil {
			return fmt.Errorf("read topic %s: %w", name, err)
		}
	}
	for group, names := range Groups() {
		for _, name := range names {
			place := kafka.DeadLetterTopic(name, group)
			records, err := t.read(place)
			if err != nil {
				return fmt.Errorf("read topic %s: %w", place, err)
			}
			e.DeadLetters[place] = len(records)
		}
	}
	return nil
}

type topics struct {
	client   sarama.Client
	consumer sarama.Consumer
}

func (t topics) read(topic string) ([]Record, error) {
	partitions, err := t.client.Partitions(topic)
	if err != nil {
		return nil, err
	}
	all := make([][]Record, len(partitions))
	errs := make([]error, len(partitions))
	var wg sync.WaitGroup
	for i, p := range partitions {
		wg.Go(func() { all[i], errs[i] = t.readPartition(topic, p) })
	}
	wg.Wait()
	var records []Record
	for _, part := range all {
		records = append(records, part...)
	}
	return records, errors.Join(errs...)
}

func (t topics) readPartition(topic string, partition int32) ([]Record, error) {
	end, err := t.client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil {
		return nil, err
	}
	begin, err := t.client.GetOffset(topic, partition, sarama.OffsetOldest)
	if err != nil || begin >= end {
		return nil, err
	}
	p, err := t.consumer.ConsumePartition(topic, partition, begin)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	return drain(p, end)
}

// drain reads up to the record before end.
func drain(p sarama.PartitionConsumer, end int64) ([]Record, error) {
	var records []Record
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		select {
		case m := <-p.Messages():
			records = append(records, recordOf(m))
			if m.Offset+1 >= end {
				return records, nil
			}
			quiet.Reset(silence)
		case <-quiet.C:
			return nil, fmt.Errorf("%d records were read, and then none for %s before offset %d", len(records), silence, end)
		}
	}
}

func recordOf(m *sarama.ConsumerMessage) Record {
	r := Record{Partition: m.Partition, Offset: m.Offset, Key: string(m.Key), Data: m.Value}
	for _, h := range m.Headers {
		switch string(h.Key) {
		case message.KafkaPrefix + "id":
			r.ID = string(h.Value)
		case message.KafkaPrefix + "type":
			r.Type = string(h.Value)
		case message.KafkaPrefix + "subject":
			r.Subject = string(h.Value)
		}
	}
	return r
}
