package message

import (
	"context"
	"slices"

	"parley.sh/services/kit/fault"
)

// Router hands a message to the handler of its type. A type that is neither
// handled nor ignored is Invalid: it is set aside where people can see it, and is
// not silently lost. Fill it before use; it is read-only afterwards.
type Router struct {
	handlers map[string]Handler
	ignored  []string
}

// NewRouter returns an empty router, which finds every message Invalid.
func NewRouter() *Router { return &Router{handlers: map[string]Handler{}} }

// On sets the handler of a type.
func (r *Router) On(messageType string, h Handler) *Router {
	r.handlers[messageType] = h
	return r
}

// Ignore names types that belong to the place but are not for this consumer.
func (r *Router) Ignore(messageTypes ...string) *Router {
	r.ignored = append(r.ignored, messageTypes...)
	return r
}

// Handle is the Handler of the router.
func (r *Router) Handle(ctx context.Context, m Message) error {
	if h, ok := r.handlers[m.Type]; ok {
		return h(ctx, m)
	}
	if slices.Contains(r.ignored, m.Type) {
		return nil
	}
	return fault.New(fault.Invalid, "header type names no message of this place")
}
