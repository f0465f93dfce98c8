package kafka

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"

	"github.com/IBM/sarama"
)

// lost keeps the partitions whose committed offset the broker does not have any
// more: what lay between is gone unread. Nobody but an operator can say whether to
// go on from the oldest message or to bring back the rest, so such a partition
// stays unread, with an alert, until the group's offset is set.
type lost struct {
	group  string
	client sarama.Client
	gauge  func(at place, value float64)
	log    *slog.Logger

	mu sync.Mutex
	// suspects are partitions that sarama reported, and whether the alert is out.
	suspects map[place]bool
}

func newLost(group string, client sarama.Client, m *consumerMetrics, log *slog.Logger) *lost {
	gauge := func(at place, value float64) {
		m.lost.WithLabelValues(group, at.topic, strconv.Itoa(int(at.partition))).Set(value)
	}
	return &lost{group: group, client: client, gauge: gauge, log: log, suspects: map[place]bool{}}
}

// suspect notes a partition to look at before it is read again.
func (l *lost) suspect(at place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.suspects[at]; !known {
		l.suspects[at] = false
	}
}

// check reports whether the partition must stay unread.
func (l *lost) check(at place) bool {
	if !l.suspected(at) {
		return false
	}
	committed, oldest, newest, err := l.look(at)
	if err != nil {
		return true
	}
	gone := committed >= 0 && (committed < oldest || committed > newest)
	attrs := []slog.Attr{
		slog.String("topic", at.topic), slog.Int("partition", int(at.partition)),
		slog.Int64("offset", committed), slog.Int64("oldest", oldest), slog.Int64("newest", newest),
	}
	ctx := context.Background()
	switch {
	case !gone:
		l.clear(at)
		l.log.LogAttrs(ctx, slog.LevelInfo, "partition can be read again", attrs...)
	case l.alert(at):
		l.log.LogAttrs(ctx, slog.LevelError, "messages are gone before they were read; set the group's offset", attrs...)
	}
	return gone
}

func (l *lost) suspected(at place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, suspected := l.suspects[at]
	return suspected
}

func (l *lost) clear(at place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.suspects, at)
	l.gauge(at, 0)
}

// alert raises the alert and reports whether it was not out yet.
func (l *lost) alert(at place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.suspects[at]
	l.suspects[at] = true
	l.gauge(at, 1)
	return !out
}

// look asks for the committed offset and for what the broker has.
func (l *lost) look(at place) (committed, oldest, newest int64, err error) {
	coordinator, err := l.client.Coordinator(l.group)
	if err != nil {
		return 0, 0, 0, err
	}
	request := sarama.NewOffsetFetchRequest(version, l.group, map[string][]int32{at.topic: {at.partition}})
	response, err := coordinator.FetchOffset(request)
	if err != nil {
		return 0, 0, 0, errors.Join(err, l.client.RefreshCoordinator(l.group))
	}
	block := response.GetBlock(at.topic, at.partition)
	if block == nil {
		return 0, 0, 0, sarama.ErrIncompleteResponse
	}
	if !errors.Is(block.Err, sarama.ErrNoError) {
		return 0, 0, 0, block.Err
	}
	if oldest, err = l.client.GetOffset(at.topic, at.partition, sarama.OffsetOldest); err != nil {
		return 0, 0, 0, err
	}
	newest, err = l.client.GetOffset(at.topic, at.partition, sarama.OffsetNewest)
	return block.Offset, oldest, newest, err
}
