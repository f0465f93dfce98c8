package bus

import (
	"context"

	"parley.sh/services/contract"
	"parley.sh/services/kit/message"
	"parley.sh/services/order/internal/order"
)

// Hint returns the callback for OrderUpdates. A hint that cannot be read is worth
// nothing: the watchers' slow tick finds the change.
func Hint(h *order.Hints) func(context.Context, message.Message) {
	return func(_ context.Context, m message.Message) {
		if u, err := contract.Decode[contract.OrderUpdated](m); err == nil {
			h.Notify(u.OrderID)
		}
	}
}
