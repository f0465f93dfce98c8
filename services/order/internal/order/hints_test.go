package order_test

import (
	"testing"

	"parley.sh/services/order/internal/order"
)

func TestHints(t *testing.T) {
	t.Parallel()
	var h order.Hints
	one, endOne := h.Watch("a")
	other, endOther := h.Watch("b")
	all, endAll := h.Watch("")
	hinted := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	h.Notify("a")
	h.Notify("a") // a second hint adds nothing to the first
	if !hinted(one) || hinted(one) || hinted(other) || !hinted(all) || hinted(all) {
		t.Error("a hint about one order goes to its watchers and to those of all, once")
	}
	h.NotifyAll()
	if !hinted(one) || !hinted(other) || !hinted(all) {
		t.Error("NotifyAll did not reach everybody")
	}
	if n := h.Watchers(); n != 3 {
		t.Errorf("%d watchers, want 3", n)
	}
	endOne()
	endOther()
	endAll()
	h.Notify("a")
	if n := h.Watchers(); n != 0 || hinted(one) || hinted(all) {
		t.Errorf("%d watchers remain", n)
	}
}
