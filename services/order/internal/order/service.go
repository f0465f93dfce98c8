package order

import (
	"context"
	"crypto/sha256"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/machine"
)

// Errors that the edge answers in a way of its own.
var (
	// ErrKeyReused refuses an Idempotency-Key that belongs to another request.
	ErrKeyReused = fault.New(fault.Conflict, "the Idempotency-Key belongs to another request")
	// ErrKeyTaken is what Store.Create returns to the loser of a race.
	ErrKeyTaken = fault.New(fault.Conflict, "the Idempotency-Key is taken")
	// ErrShipped refuses a cancellation after the point of no return.
	ErrShipped = fault.New(fault.Conflict, "the order has been shipped")
)

// Key is an Idempotency-Key that was used.
type Key struct {
	CustomerID  string
	Key         string
	Fingerprint [sha256.Size]byte
	OrderID     string
	At          time.Time
}

// Receipt identifies the message that brought a fact, so that the store applies
// it once.
type Receipt struct {
	Consumer string
	ID       string
	Source   string
	Type     string
	Time     time.Time
}

// Store keeps orders. All of its errors are Unavailable when the database is.
type Store interface {
	// Create writes a new order and its key in one transaction, with what the change
	// announces. ErrKeyTaken: the customer has used the key.
	Create(ctx context.Context, c Change, k Key) error
	// Key returns a key that was used. NotFound: it was not, or is forgotten.
	Key(ctx context.Context, customerID, key string) (Key, error)
	// Order returns an order. NotFound: there is none.
	Order(ctx context.Context, id string) (Order, error)
	// Update locks the order, gives it to decide and writes the change, in one
	// transaction, and returns the order after it. With a receipt it does so once for
	// each message: a repetition is not decided again. decide must be pure. NotFound:
	// there is no such order.
	Update(ctx context.Context, id string, r *Receipt, decide Decide) (Order, error)
}

// Decide says what becomes of an order. A change that equals the order writes
// nothing; an error writes nothing either.
type Decide func(Order) (Change, error)

// Meter counts what happens. It is called after the fact has become durable.
type Meter interface {
	// Checked counts an order whose stock was checked, or not.
	Checked(Checked)
	// AskedAgain counts work that was asked for again.
	AskedAgain(machine.Work)
	// Alerted counts a deadline that found an order cancelling: shipping is silent.
	Alerted(ctx context.Context, orderID string)
}

// Service holds the use cases. It is safe for concurrent use.
type Service struct {
	store        Store
	availability *Availability
	meter        Meter
	timing       Timing
	now          func() time.Time
	newID        func() string
	trace        func(context.Context) string
}

// Settings are what a Service is made of; all of it is required.
type Settings struct {
	Store        Store
	Availability *Availability
	Meter        Meter
	Timing       Timing
	// Now is the clock and NewID makes ids of orders, UUIDs of version 7.
	Now   func() time.Time
	NewID func() string
	// Trace returns the traceparent of a context, or nothing.
	Trace func(context.Context) string
}

// NewService returns a Service.
func NewService(s Settings) *Service {
	return &Service{
		store: s.Store, availability: s.Availability, meter: s.Meter, timing: s.Timing,
		now: s.Now, newID: s.NewID, trace: s.Trace,
	}
}
