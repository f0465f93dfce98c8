package model

import (
	"slices"
	"strings"

	inventory "parley.sh/services/inventory/machine"
	order "parley.sh/services/order/machine"
	payment "parley.sh/services/payment/machine"
	shipping "parley.sh/services/shipping/machine"
)

// msg is a message of the order. The zero value is none.
type msg byte

// The messages: the work first, then the facts.
const (
	none msg = iota
	placed
	fulfil
	undo
	cancelShipment
	printLabel
	stockReserved
	stockRejected
	stockPicked
	stockReleased
	stockReturned
	paymentAuthorized
	paymentDeclined
	paymentCaptured
	paymentVoided
	paymentRefunded
	dispatched
	failedCarrier
	failedCancelled
)

// intent is a call to the outside. The zero value is none.
type intent byte

const (
	noIntent intent = iota
	authorize
	capture
	void
	refund
	label
)

// phase is how far a handler has come.
type phase byte

const (
	idle     phase = iota
	calling        // the intent is committed, the call not made
	answered       // the definite answer is in hand, not recorded
	waiting        // a mutant's: holds its message until the state changes
	stale          // a mutant's: has read the row and will write it back
)

// handler is one message being handled. Place is the queue it was taken from.
type handler struct {
	place   place
	msg     msg
	phase   phase
	intent  intent
	own     bool
	refused bool
	call    byte
	// seen is what a mutant that does not lock its row has read.
	seen snapshot
}

// snapshot is a row as it was read.
type snapshot struct {
	order order.Order
	state string
}

// place is where messages lie.
type place byte

// The places: two consumers of Orders, three of the facts, and four queues.
const (
	placedAtInventory place = iota
	placedAtPayment
	inventoryFacts
	paymentFacts
	shipmentFacts
	inventoryQueue
	paymentQueue
	shippingQueue
	labelQueue
	places
)

// kafka reports whether a place keeps the order of its messages.
func (p place) kafka() bool { return p <= shipmentFacts }

// slots is how many handlers of one service are followed at once.
const slots = 3

// world is everything durable about one order. It is comparable, so that a world
// that was seen is known again.
type world struct {
	order    order.Order
	timeline string

	inventory inventory.State
	onHand    int8
	reserved  int8

	payment payment.State
	books   books

	shipping shipping.State
	parcels  int8
	// said counts the facts of shipping: it says one thing only.
	said int8

	// on holds the messages of each place: in order on Kafka, sorted on RabbitMQ.
	on [places]string
	// handlers are those of payment and shipping, and of mutants.
	handlers [slots]handler
	// late are calls that the outside has taken and not done yet, as intent and call id.
	late string
	// calls numbers a mutant's calls; the real ones have one id for ever.
	calls byte

	declines bool
	refuses  bool
	cancels  int8
	expiries int8
	faults   int8
}

// books are the provider's: what was done how often, and under which keys.
type books struct {
	authorized, captured, voided, refunded int8
	// done holds the keys that have an answer: intent and call id.
	done string
}

func (b books) held() int8 { return b.authorized - b.captured - b.voided }

// put adds a message to a place.
func (w *world) put(p place, m msg) {
	if p.kafka() {
		w.on[p] += string(rune(m))
		return
	}
	w.on[p] = sorted(w.on[p] + string(rune(m)))
}

// take removes one message from a place: its first one on Kafka.
func (w *world) take(p place, m msg) {
	w.on[p] = strings.Replace(w.on[p], string(rune(m)), "", 1)
}

func sorted(s string) string {
	r := []rune(s)
	slices.Sort(r)
	return string(r)
}

// work sends what an order asks of others, to every queue that is bound to it.
func (w *world) work(k order.Work) {
	switch k {
	case order.FulfilOrder:
		w.put(inventoryQueue, fulfil)
		w.put(paymentQueue, fulfil)
		w.put(shippingQueue, fulfil)
	case order.UndoOrder:
		w.put(inventoryQueue, undo)
		w.put(paymentQueue, undo)
	case order.CancelShipment:
		w.put(shippingQueue, cancelShipment)
	case order.NoWork:
	}
}

// hold gives a handler a slot. It reports false when all are taken.
func (w *world) hold(h handler) bool {
	for i := range w.handlers {
		if w.handlers[i].phase == idle {
			w.handlers[i] = h
			w.normalize()
			return true
		}
	}
	return false
}

// release empties a handler's slot.
func (w *world) release(i int) {
	w.handlers[i] = handler{}
	w.normalize()
}

// normalize sorts the handlers, so that worlds that differ by slot only are one.
func (w *world) normalize() {
	slices.SortStableFunc(w.handlers[:], compareHandlers)
}

func compareHandlers(a, b handler) int {
	for _, d := range []int{
		int(a.phase) - int(b.phase), int(a.place) - int(b.place), int(a.msg) - int(b.msg),
		int(a.intent) - int(b.intent), int(a.call) - int(b.call), bit(a.own) - bit(b.own),
		bit(a.refused) - bit(b.refused), strings.Compare(a.seen.state, b.seen.state),
		a.seen.order.Version - b.seen.order.Version, int(a.seen.order.Stock) - int(b.seen.order.Stock),
		int(a.seen.order.Money) - int(b.seen.order.Money),
	} {
		if d != 0 {
			return d
		}
	}
	return 0
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// busy reports how many handlers hold a message of a place.
func (w *world) busy(p place) int {
	n := 0
	for _, h := range w.handlers {
		if h.phase != idle && h.place == p {
			n++
		}
	}
	return n
}
