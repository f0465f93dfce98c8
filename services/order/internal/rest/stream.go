package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"parley.sh/services/kit/web"
	"parley.sh/services/order/internal/order"
)

// StreamOrder implements StrictServerInterface. An EventSource comes back whenever a
// stream ends; 204 tells it to stop (WHATWG HTML, chapter 9.2).
func (h *Handler) StreamOrder(ctx context.Context, r StreamOrderRequestObject) (StreamOrderResponseObject, error) {
	after, err := lastVersion(r.Params.LastEventID)
	if err != nil {
		return nil, err
	}
	o, err := h.reader.Order(ctx, r.OrderID.String())
	if err != nil {
		return nil, err
	}
	if o.Progress.Settled && after >= o.Progress.Version {
		return StreamOrder204Response{}, nil
	}
	return h.stream(ctx, o.ID, &orderSource{reader: h.reader, id: o.ID, after: after}), nil
}

// StreamOrders implements StrictServerInterface.
func (h *Handler) StreamOrders(ctx context.Context, r StreamOrdersRequestObject) (StreamOrdersResponseObject, error) {
	all := &allSource{reader: h.reader, after: order.Position(deref(r.Params.LastEventID))}
	var err error
	if all.after == "" {
		all.after, err = h.reader.Now(ctx)
	} else {
		_, err = h.reader.Changes(ctx, all.after, 1) // refuses a bad position while there is still an answer
	}
	if err != nil {
		return nil, err
	}
	return h.stream(ctx, "", all), nil
}

// gather is how long the stream of all orders collects hints before it reads: under
// load there is one for every message.
const gather = 50 * time.Millisecond

func (h *Handler) stream(ctx context.Context, id string, s source) *stream {
	return &stream{ctx: ctx, watcher: h.watcher, heartbeat: h.heartbeat, open: h.open, id: id, source: s}
}

// stream is an answer of Server-Sent Events. It implements the response objects of
// both operations. Package web bounds how many there are, and ends their context
// when the client leaves or the server drains.
type stream struct {
	ctx       context.Context //nolint:containedctx // the generated code visits a response object without one
	watcher   *watcher
	heartbeat time.Duration
	open      func(delta int)
	id        string
	source    source
}

// VisitStreamOrderResponse implements StreamOrderResponseObject.
func (s *stream) VisitStreamOrderResponse(w http.ResponseWriter) error { return s.serve(w) }

// VisitStreamOrdersResponse implements StreamOrdersResponseObject.
func (s *stream) VisitStreamOrdersResponse(w http.ResponseWriter) error { return s.serve(w) }

// serve sends events until the client leaves, the server drains or the source ends.
// The order of things matters: watch, then read, then wait for hints, so that a
// change between reading and watching cannot be missed. Once the first line is sent
// an error has no way to the client but the end of the stream: it comes back with
// Last-Event-ID.
func (s *stream) serve(w http.ResponseWriter) error {
	s.open(1)
	defer s.open(-1)
	hints, end := s.watcher.hints.Watch(s.id)
	defer end()
	out, err := web.OpenEvents(w)
	if err != nil { // the client is gone, and there is nobody to tell
		return nil
	}
	tick, beat := time.NewTicker(s.watcher.tick), time.NewTicker(s.heartbeat)
	defer tick.Stop()
	defer beat.Stop()
	for !s.drain(out) {
		select {
		case <-s.ctx.Done():
			return nil
		case <-hints:
			s.gather()
		case <-tick.C:
		case <-beat.C:
			if out.Ping() != nil {
				return nil
			}
		}
	}
	return nil
}

// gather lets further hints come. A change is also shown only once all older
// transactions have ended, and most of them have by then.
func (s *stream) gather() {
	if s.id != "" {
		return
	}
	pause := time.NewTimer(gather)
	defer pause.Stop()
	select {
	case <-s.ctx.Done():
	case <-pause.C:
	}
}

// drain sends all that the source has, and reports whether the stream is over. A
// source that cannot be read now is read again at the next tick.
func (s *stream) drain(out *web.Events) (over bool) {
	for {
		events, last, err := s.source.next(s.ctx)
		if err != nil {
			return s.ctx.Err() != nil
		}
		if len(events) == 0 {
			return false
		}
		for _, e := range events {
			if send(out, e) != nil {
				return true
			}
		}
		if last {
			return true
		}
	}
}

func send(out *web.Events, e event) error {
	data, err := json.Marshal(e.data)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	return out.Send(web.Event{ID: e.id, Data: data})
}
