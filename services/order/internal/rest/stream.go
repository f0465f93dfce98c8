package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/client"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/machine"
)

// StreamOrder implements StrictServerInterface.
func (h *Handler) StreamOrder(ctx context.Context, r StreamOrderRequestObject) (StreamOrderResponseObject, error) {
	id := r.OrderID.String()
	after, err := lastVersion(r.Params.LastEventID)
	if err != nil {
		return nil, err
	}
	if _, err := h.reader.Order(ctx, id); err != nil {
		return nil, err
	}
	source := &orderSource{reader: h.reader, id: id, after: after}
	return h.open(ctx, id, source)
}

// StreamOrders implements StrictServerInterface.
func (h *Handler) StreamOrders(ctx context.Context, r StreamOrdersRequestObject) (StreamOrdersResponseObject, error) {
	source := &allSource{reader: h.reader, after: order.Position(deref(r.Params.LastEventID))}
	var err error
	if source.after == "" {
		source.after, err = h.reader.Now(ctx)
	} else {
		_, err = h.reader.Changes(ctx, source.after, 1) // refuse a bad position before the stream begins
	}
	if err != nil {
		return nil, err
	}
	return h.open(ctx, "", source)
}

// open takes a place among the streams.
func (h *Handler) open(ctx context.Context, id string, s source) (*stream, error) {
	done, ok := h.streams.enter()
	if !ok {
		return nil, &fault.Error{
			Kind: fault.Unavailable, Public: "there are too many streams, or the service is stopping", RetryAfter: 5 * time.Second,
		}
	}
	return &stream{ctx: ctx, watcher: h.watcher, streams: h.streams, leave: done, id: id, source: s}, nil
}

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

// next implements source. A full batch is not the end: the stream asks again.
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

// stream is an answer of Server-Sent Events. It implements the response objects of
// both operations.
type stream struct {
	ctx     context.Context //nolint:containedctx // a response object outlives the call that made it
	watcher *watcher
	streams *Streams
	leave   func()
	id      string
	source  source
}

// VisitStreamOrderResponse implements StreamOrderResponseObject.
func (s *stream) VisitStreamOrderResponse(w http.ResponseWriter) error { return s.serve(w) }

// VisitStreamOrdersResponse implements StreamOrdersResponseObject.
func (s *stream) VisitStreamOrdersResponse(w http.ResponseWriter) error { return s.serve(w) }

// serve sends events until the client leaves, the streams are closed or the source
// ends. The order of things matters: watch, then read, then wait for hints, so that
// a change between reading and watching cannot be missed. Once the first line is
// sent an error has no way to the client but the end of the stream: it comes back
// with Last-Event-ID.
func (s *stream) serve(w http.ResponseWriter) error {
	defer s.leave()
	hints, end := s.watcher.hints.Watch(s.id)
	defer end()
	out := newSender(w, s.streams.writeTimeout)
	if out.begin() != nil {
		return nil
	}
	tick := time.NewTicker(s.watcher.tick)
	defer tick.Stop()
	for {
		if over := s.drain(out); over {
			return nil
		}
		select {
		case <-s.ctx.Done():
			return nil
		case <-s.streams.closed:
			return nil
		case <-hints:
		case <-tick.C:
			if out.heartbeat(s.streams.heartbeat) != nil {
				return nil
			}
		}
	}
}

// drain sends all that the source has, and reports whether the stream is over. A
// source that cannot be read now is read again at the next tick.
func (s *stream) drain(out *sender) (over bool) {
	for {
		events, last, err := s.source.next(s.ctx)
		if err != nil {
			return s.ctx.Err() != nil
		}
		if len(events) == 0 {
			return last
		}
		for _, e := range events {
			if out.send(e) != nil {
				return true
			}
		}
		if out.flush() != nil || last {
			return true
		}
	}
}

// sender writes the event stream format of the HTML standard.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	sent    time.Time
}

func newSender(w http.ResponseWriter, timeout time.Duration) *sender {
	return &sender{w: w, control: http.NewResponseController(w), timeout: timeout}
}

// begin sends the header, and a comment that shows that the stream is open.
func (s *sender) begin() error {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	s.extend()
	s.w.WriteHeader(http.StatusOK)
	if _, err := fmt.Fprint(s.w, ": open\n\n"); err != nil {
		return err
	}
	return s.flush()
}

// send writes an event without flushing it. The data is one line: JSON has no raw
// line ends.
func (s *sender) send(e event) error {
	data, err := json.Marshal(e.data)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	s.extend()
	_, err = fmt.Fprintf(s.w, "id: %s\ndata: %s\n\n", e.id, data)
	return err
}

// heartbeat sends a comment if nothing was sent for as long as every.
func (s *sender) heartbeat(every time.Duration) error {
	if time.Since(s.sent) < every {
		return nil
	}
	s.extend()
	if _, err := fmt.Fprint(s.w, ": heartbeat\n\n"); err != nil {
		return err
	}
	return s.flush()
}

func (s *sender) flush() error {
	s.sent = time.Now()
	return s.control.Flush()
}

// extend gives the next write its time: the server's own limit is for answers that
// end. A writer without deadlines is a test's.
func (s *sender) extend() { _ = s.control.SetWriteDeadline(time.Now().Add(s.timeout)) }
