package model

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	inventory "parley.sh/services/inventory/machine"
	order "parley.sh/services/order/machine"
	payment "parley.sh/services/payment/machine"
)

// scenario is how a run begins.
type scenario struct {
	declines, refuses bool
	cancels, expiries int8
	faults            int8
}

func (s scenario) start() world {
	w := world{
		declines: s.declines, refuses: s.refuses, cancels: s.cancels, expiries: s.expiries, faults: s.faults,
	}
	w, _ = apply(w, order.New(), nil)
	w.put(placedAtInventory, placed)
	w.put(placedAtPayment, placed)
	return w
}

// step is how a world was reached first.
type step struct {
	from world
	name string
}

// explore walks every move from the start and returns how many worlds there are, or
// the shortest way to one that breaks a promise.
func (x explorer) explore(s scenario) (int, error) {
	start := s.start()
	seen := map[world]step{start: {}}
	queue := []world{start}
	for len(queue) > 0 {
		w := queue[0]
		queue = queue[1:]
		if err := x.check(w); err != nil {
			return len(seen), trace(seen, start, w, err)
		}
		for _, m := range x.moves(w) {
			if m.err != nil {
				return len(seen), trace(seen, start, w, fmt.Errorf("%s: %w", m.name, m.err))
			}
			if _, ok := seen[m.to]; !ok {
				seen[m.to] = step{w, m.name}
				queue = append(queue, m.to)
			}
		}
	}
	return len(seen), nil
}

func trace(seen map[world]step, start, w world, err error) error {
	var names []string
	for w != start {
		names = append([]string{seen[w].name}, names...)
		w = seen[w].from
	}
	return fmt.Errorf("%w\n  after: %s", err, strings.Join(names, "\n         "))
}

// walk takes moves at random until the end, and returns how it ended.
func (x explorer) walk(s scenario, random *rand.Rand) error {
	w := s.start()
	var names []string
	for range 2000 {
		if err := x.check(w); err != nil {
			return fmt.Errorf("%w\n  after: %s", err, strings.Join(names, "\n         "))
		}
		moves := x.moves(w)
		if len(moves) == 0 {
			return nil
		}
		m := moves[random.IntN(len(moves))]
		names = append(names, m.name)
		if m.err != nil {
			return fmt.Errorf("%w\n  after: %s", m.err, strings.Join(names, "\n         "))
		}
		w = m.to
	}
	return errors.New("the walk does not end")
}

// quiet reports whether nothing is under way but handlers that wait.
func (w world) quiet() bool {
	for _, s := range w.on {
		if s != "" {
			return false
		}
	}
	return w.late == "" && w.handlers == [slots]handler{}
}

// check holds the promises: at any time none is broken for good, and at every quiet
// end the order can be settled without help and all is conserved.
func (x explorer) check(w world) error {
	if w.books.authorized > 1 || w.books.captured > 1 || w.parcels > 1 {
		return fmt.Errorf("done twice: %+v, %d parcels", w.books, w.parcels)
	}
	if w.said > 1 {
		return errors.New("shipping said two things")
	}
	if w.order.Version != len(w.timeline) {
		return fmt.Errorf("version %d of timeline %s", w.order.Version, w.timeline)
	}
	if w.order.Settled {
		if err := closed(w); err != nil {
			return fmt.Errorf("settled too early: %w", err)
		}
	}
	if !w.quiet() {
		if len(x.progress(w)) == 0 {
			return errors.New("deadlock: messages are held and nothing moves")
		}
		return nil
	}
	return x.settles(w)
}

// progress lists the moves that need no fault and no request.
func (x explorer) progress(w world) []move {
	w.faults, w.cancels, w.expiries = 0, 0, 0
	return x.moves(w)
}

// settles brings a quiet world to its end, asking again as the order does.
func (x explorer) settles(w world) error {
	w.faults, w.cancels, w.expiries = 0, 0, 0
	for range 6 {
		if w.order.Settled {
			return ended(w)
		}
		if !w.order.State.Terminal() {
			w, _ = apply(w, x.rules.orderDeadline(w.order), nil)
		}
		w = askAgain(w)
		for {
			moves := x.moves(w)
			if len(moves) == 0 {
				break
			}
			if moves[0].err != nil {
				return fmt.Errorf("asked again: %s: %w", moves[0].name, moves[0].err)
			}
			w = moves[0].to
		}
	}
	return fmt.Errorf("never settled: %+v, timeline %s, stock %d/%d, %+v, %d parcels",
		w.order, w.timeline, w.onHand, w.reserved, w.books, w.parcels)
}

var legal = map[string]bool{"PCST": true, "PCRST": true, "PCXT": true, "PCRXT": true, "PXT": true}

func ended(w world) error {
	if !legal[w.timeline] {
		return fmt.Errorf("timeline %s is not legal", w.timeline)
	}
	return closed(w)
}

// closed reports whether each service has done with the order, and all is conserved.
func closed(w world) error {
	shippedOrder := w.order.State == order.Shipped
	stock := shippedOrder && w.inventory == inventory.Picked || !shippedOrder && (w.inventory == inventory.Released ||
		w.inventory == inventory.Returned || w.inventory == inventory.Tombstone)
	money := shippedOrder && w.payment == payment.Captured || !shippedOrder && (w.payment == payment.Voided ||
		w.payment == payment.Refunded || w.payment == payment.Tombstone)
	if !stock || !money {
		return fmt.Errorf("a %s order is %q at inventory and %q at payment", w.order.State, w.inventory, w.payment)
	}
	return conserved(w)
}

// conserved compares the end of an order with the books of those who know.
func conserved(w world) error {
	sold := int8(0)
	if w.order.State == order.Shipped {
		sold = 1
	}
	if w.onHand != -sold || w.reserved != 0 {
		return fmt.Errorf("stock of a %s order: %d on hand, %d reserved", w.order.State, w.onHand, w.reserved)
	}
	if w.books.held() != 0 || w.books.captured-w.books.refunded != sold {
		return fmt.Errorf("money of a %s order: %+v", w.order.State, w.books)
	}
	if w.parcels != sold {
		return fmt.Errorf("%d parcels of a %s order", w.parcels, w.order.State)
	}
	return nil
}
