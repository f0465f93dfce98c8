package rest

import (
	"context"
	"strconv"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/client"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/machine"
)

// source reads the events of a stream, from where it stands.
type source interface {
	// next returns the next events, in order, and whether they are the last.
	next(ctx context.Context) (events []event, last bool, err error)
}

// event is one event of a stream.
type event struct {
	id   string
	data client.OrderChange
}

// orderSource reads one order.
type orderSource struct {
	reader order.Reader
	id     string
	after  int
}

// next implements source. Settled is the last change of an order.
func (s *orderSource) next(ctx context.Context) ([]event, bool, error) {
	entries, err := s.reader.Timeline(ctx, s.id, s.after)
	if err != nil {
		return nil, false, err
	}
	events, last := make([]event, len(entries)), false
	for i, e := range entries {
		events[i] = event{id: strconv.Itoa(e.Version), data: change(e)}
		s.after, last = e.Version, e.Event == machine.EventSettled
	}
	return events, last, nil
}

// allSource reads all orders.
type allSource struct {
	reader order.Reader
	after  order.Position
}

// allBatch is how many changes are read at once.
const allBatch = 500

// next implements source.
func (s *allSource) next(ctx context.Context) ([]event, bool, error) {
	entries, err := s.reader.Changes(ctx, s.after, allBatch)
	if err != nil {
		return nil, false, err
	}
	events := make([]event, len(entries))
	for i, p := range entries {
		events[i] = event{id: string(p.Position), data: change(p.Entry)}
		s.after = p.Position
	}
	return events, false, nil
}

// lastVersion reads Last-Event-ID of the stream of one order.
func lastVersion(header *string) (int, error) {
	if header == nil {
		return 0, nil
	}
	version, err := strconv.Atoi(*header)
	if err != nil || version < 0 {
		return 0, fault.InvalidFields("the request is not valid",
			fault.Field{Name: "Last-Event-ID", Rule: "must be the version of an order"})
	}
	return version, nil
}
