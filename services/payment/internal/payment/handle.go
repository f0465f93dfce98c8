package payment

import (
	"context"
	"fmt"

	"parley.sh/services/payment/machine"
)

// Transactions are those of the message at hand. Each locks the order's row, which it
// makes if it is not there, and runs fn. They may return Unavailable, and Invalid for a
// message too old to tell whether it has been handled.
type Transactions interface {
	// Look runs fn, which may end the message by Tx.Done.
	Look(ctx context.Context, orderID string, fn Act) error
	// Once runs fn and ends the message. For one that has ended before it runs nothing
	// and returns nil.
	Once(ctx context.Context, orderID string, fn Act) error
}

// Act is what a handler does inside a transaction, about the payment as it stands.
type Act func(ctx context.Context, tx Tx, p Payment) error

// Tx is what a handler may do inside a transaction. Every method may return
// Unavailable.
type Tx interface {
	// Done records that the message has taken effect. It reports false for a
	// repetition.
	Done(ctx context.Context) (fresh bool, err error)
	// Open writes the row and the intent that its state says is open.
	Open(ctx context.Context, p Payment, i Intent) error
	// Intent reads the intent that is open according to the row.
	Intent(ctx context.Context, p Payment) (Intent, error)
	// Save writes a change, and announces it when the transaction commits.
	Save(ctx context.Context, c Change) error
}

// Provider moves the money.
type Provider interface {
	// Call carries out an intent under its id and returns the definite answer. Any
	// error means that the outcome is unknown; the same call may be made again.
	Call(ctx context.Context, i Intent) (Result, error)
}

// Handler carries messages through: decide, call, record. It has no state of its
// own and is safe for concurrent use.
type Handler struct {
	Provider Provider
}

// request is a message as the flow sees it.
type request struct {
	orderID string
	version int
	// fill completes the row of an order that is heard of for the first time.
	fill   func(*Payment)
	decide func(machine.State) (machine.Decision, error)
}

// Placed is the part of OrderPlacedEvent that payment acts on.
type Placed struct {
	OrderID string
	Version int
	Amount  Money
	Token   string
}

// Place authorizes an order's amount.
func (h Handler) Place(ctx context.Context, t Transactions, o Placed) error {
	return h.handle(ctx, t, request{
		orderID: o.OrderID, version: o.Version,
		fill:   func(p *Payment) { p.Amount, p.Token = o.Amount, o.Token },
		decide: func(s machine.State) (machine.Decision, error) { return machine.OnPlaced(s), nil },
	})
}

// Command is the part of FulfilOrder and UndoOrder that payment acts on.
type Command struct {
	OrderID      string
	OrderVersion int
}

// Fulfil captures what is authorized for an order.
func (h Handler) Fulfil(ctx context.Context, t Transactions, c Command) error {
	return h.handle(ctx, t, request{orderID: c.OrderID, version: c.OrderVersion, decide: machine.OnFulfil})
}

// Undo voids or refunds what an order holds, or leaves a tombstone.
func (h Handler) Undo(ctx context.Context, t Transactions, c Command) error {
	return h.handle(ctx, t, request{
		orderID: c.OrderID, version: c.OrderVersion,
		decide: func(s machine.State) (machine.Decision, error) { return machine.OnUndo(s), nil },
	})
}

// maxRounds bounds the rounds of one message. Two suffice by the machine's tables:
// finish another's intent, then carry out one's own.
const maxRounds = 4

// handle repeats: decide, call, record, until the message itself is done. A round
// that finished another message's intent is followed by one that decides again.
func (h Handler) handle(ctx context.Context, t Transactions, r request) error {
	for range maxRounds {
		next, err := begin(ctx, t, r)
		if err != nil || next.done {
			return err
		}
		result, err := h.Provider.Call(ctx, next.intent)
		if err != nil {
			return fmt.Errorf("%s order %s: %w", next.intent.Kind, r.orderID, err)
		}
		if err := record(ctx, t, next, result); err != nil || next.own {
			return err
		}
	}
	return fmt.Errorf("order %s changed its state %d times under one message", r.orderID, maxRounds)
}

// step is what a message needs next: nothing, or a call.
type step struct {
	done   bool
	intent Intent
	// own tells the message's own intent from another's that is finished first.
	own bool
}

// begin decides under the row's lock, and commits either the whole effect or the
// intent of a call.
func begin(ctx context.Context, t Transactions, r request) (step, error) {
	var next step
	err := t.Look(ctx, r.orderID, func(ctx context.Context, tx Tx, p Payment) error {
		d, err := r.decide(p.State)
		if err != nil {
			return fmt.Errorf("decide about order %s: %w", r.orderID, err)
		}
		switch {
		case d.Finish != machine.NoIntent:
			next.intent, err = tx.Intent(ctx, p)
		case d.Call != machine.NoIntent:
			next.own = true
			next.intent, err = open(ctx, tx, p, d, r)
		default:
			next.done = true
			err = settle(ctx, tx, p, d, r.version)
		}
		return err
	})
	return next, err
}

// open joins the intent of a call if it is open already, or opens it.
func open(ctx context.Context, tx Tx, p Payment, d machine.Decision, r request) (Intent, error) {
	if p.State == d.State {
		return tx.Intent(ctx, p)
	}
	if p.State == machine.None && r.fill != nil {
		r.fill(&p)
	}
	p.State = d.State
	i := p.intent(d.Call, r.version)
	return i, tx.Open(ctx, p, i)
}

// settle ends a message that needs no call.
func settle(ctx context.Context, tx Tx, p Payment, d machine.Decision, version int) error {
	fresh, err := tx.Done(ctx)
	if err != nil || !fresh || d.State == p.State {
		return err
	}
	p.State = d.State
	return tx.Save(ctx, Change{
		Payment: p, Announcement: Announcement{Fact: d.Fact, OrderID: p.OrderID, OrderVersion: version},
	})
}

// record writes an answer, unless somebody did meanwhile, and with it the end of
// the message if the intent is its own.
func record(ctx context.Context, t Transactions, s step, result Result) error {
	within := t.Look
	if s.own {
		within = t.Once
	}
	return within(ctx, s.intent.OrderID, func(ctx context.Context, tx Tx, p Payment) error {
		d, err := machine.OnResult(p.State, s.intent.Kind, result.Answer)
		if err != nil {
			return fmt.Errorf("order %s: %w", p.OrderID, err)
		}
		if d.State == p.State {
			return nil
		}
		return tx.Save(ctx, changeBy(p, d, s.intent, result))
	})
}

// changeBy returns what an answer makes of a payment: its state, the movement and
// the fact.
func changeBy(p Payment, d machine.Decision, i Intent, result Result) Change {
	p.State = d.State
	if result.ProviderRef != "" {
		p.ProviderRef = result.ProviderRef
	}
	c := Change{Payment: p, Announcement: Announcement{
		Fact: d.Fact, OrderID: p.OrderID, OrderVersion: i.OrderVersion, Amount: &i.Amount, ProviderRef: p.ProviderRef,
	}}
	if result.Answer == machine.Done {
		e := EntryOf(i)
		c.Entry = &e
	}
	return c
}
