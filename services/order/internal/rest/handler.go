package rest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/web"
	"parley.sh/services/order/client"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/machine"
)

// Orders are the use cases: *order.Service.
type Orders interface {
	Place(ctx context.Context, r order.Request) (order.Order, error)
	Cancel(ctx context.Context, id string) (order.Order, error)
}

// Handler implements the generated server interface.
type Handler struct {
	orders    Orders
	reader    order.Reader
	watcher   *watcher
	maxWait   time.Duration
	heartbeat time.Duration
	open      func(delta int)
}

// Options are what a Handler is made of.
type Options struct {
	Orders Orders
	Reader order.Reader
	Hints  *order.Hints
	// Tick is how often a watched order is read without a hint.
	Tick time.Duration
	// Heartbeat is how often a stream gets a comment.
	Heartbeat time.Duration
	// Open is told of streams that begin (1) and end (-1).
	Open func(delta int)
	// MaxWait bounds the preference wait.
	MaxWait time.Duration
}

// NewHandler returns a Handler.
func NewHandler(o Options) *Handler {
	return &Handler{
		orders: o.Orders, reader: o.Reader, maxWait: o.MaxWait, heartbeat: o.Heartbeat, open: o.Open,
		watcher: &watcher{reader: o.Reader, hints: o.Hints, tick: o.Tick},
	}
}

// PlaceOrder implements StrictServerInterface.
func (h *Handler) PlaceOrder(ctx context.Context, r PlaceOrderRequestObject) (PlaceOrderResponseObject, error) {
	ctx = own(ctx)
	o, err := h.orders.Place(ctx, request(r))
	if errors.Is(err, order.ErrKeyReused) {
		return nil, web.Status(http.StatusUnprocessableEntity, err)
	}
	if err != nil {
		return nil, err
	}
	answer := PlaceOrder202JSONResponse{Headers: PlaceOrder202ResponseHeaders{Location: "/api/orders/" + o.ID}}
	if wait := preferredWait(r.Params.Prefer, h.maxWait); wait > 0 {
		o = h.watcher.await(ctx, o, wait)
		answer.Headers.PreferenceApplied = applied(wait)
	}
	answer.Body = document(o)
	return answer, nil
}

// own returns the request's own context. The generated code hands over Gin's, which
// Gin uses again for another request, while a late answer of inventory may still be
// on its way to this one.
func own(ctx context.Context) context.Context {
	if c, ok := ctx.(*gin.Context); ok {
		return web.Context(c)
	}
	return ctx
}

// ListOrders implements StrictServerInterface.
func (h *Handler) ListOrders(ctx context.Context, r ListOrdersRequestObject) (ListOrdersResponseObject, error) {
	f, err := filter(r.Params)
	if err != nil {
		return nil, err
	}
	limit := f.Limit
	f.Limit++ // one more tells whether there is a next page
	orders, err := h.reader.Orders(ctx, f)
	if err != nil {
		return nil, err
	}
	return ListOrders200JSONResponse(page(orders, limit)), nil
}

// GetOrder implements StrictServerInterface.
func (h *Handler) GetOrder(ctx context.Context, r GetOrderRequestObject) (GetOrderResponseObject, error) {
	o, err := h.reader.Order(ctx, r.OrderID.String())
	if err != nil {
		return nil, err
	}
	entries, err := h.reader.Timeline(ctx, o.ID, 0)
	if err != nil {
		return nil, err
	}
	// The order may have changed between the two reads.
	entries = slices.DeleteFunc(entries, func(e order.Entry) bool { return e.Version > o.Progress.Version })
	return GetOrder200JSONResponse(client.OrderWithTimeline{Order: document(o), Timeline: changes(entries)}), nil
}

// CancelOrder implements StrictServerInterface.
func (h *Handler) CancelOrder(ctx context.Context, r CancelOrderRequestObject) (CancelOrderResponseObject, error) {
	o, err := h.orders.Cancel(ctx, r.OrderID.String())
	if err != nil {
		return nil, err
	}
	if o.Progress.State == machine.Cancelled {
		return CancelOrder200JSONResponse(document(o)), nil
	}
	return CancelOrder202JSONResponse(document(o)), nil
}
