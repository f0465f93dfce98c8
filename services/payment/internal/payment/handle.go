package payment

import (
	"context"
	"fmt"

	"parley.sh/services/payment/machine"
)

// Transact runs fn in one transaction on behalf of the message at hand.
type Transact func(ctx context.Context, fn func(context.Context, Tx) error) error

// Tx is what a handler may do inside a transaction. Every method may return
// Unavailable.
type Tx interface {
	// Payment makes the order's row if it is not there, and locks it.
	Payment(ctx context.Context, orderID string) (Payment, error)
	// Done records that the message has taken effect. It reports false for a
	// repetition.
	Done(ctx context.Context) (fresh bool, err error)
	// Save writes the row.
	Save(ctx context.Context, p Payment) error
	// Open writes an intent, or reads the one that is there: its version wins.
	Open(ctx context.Context, i Intent) (Intent, error)
	// Intent reads an open intent of an order.
	Intent(ctx context.Context, p Payment, kind machine.Intent) (Intent, error)
	// Record writes a movement to the ledger.
	Record(ctx context.Context, e Entry) error
	// Announce publishes a fact when the transaction commits.
	Announce(ctx context.Context, a Announcement) error
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
func (h Handler) Place(ctx context.Context, transact Transact, o Placed) error {
	return h.handle(ctx, transact, request{
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
func (h Handler) Fulfil(ctx context.Context, transact Transact, c Command) error {
	return h.handle(ctx, transact, request{orderID: c.OrderID, version: c.OrderVersion, decide: machine.OnFulfil})
}

// Undo voids or refunds what an order holds, or leaves a tombstone.
func (h Handler) Undo(ctx context.Context, transact Transact, c Command) error {
	return h.handle(ctx, transact, request{
		orderID: c.OrderID, version: c.OrderVersion,
		decide: func(s machine.State) (machine.Decision, error) { return machine.OnUndo(s), nil },
	})
}

// maxRounds bounds the rounds of one message. Two suffice by the machine's tables:
// finish another's intent, then carry out one's own.
const maxRounds = 4

// handle repeats: decide, call, record, until the message itself is done. A round
// that finished another message's intent is followed by one that decides again.
func (h Handler) handle(ctx context.Context, transact Transact, r request) error {
	for range maxRounds {
		next, err := begin(ctx, transact, r)
		if err != nil || next.done {
			return err
		}
		result, err := h.Provider.Call(ctx, next.intent)
		if err != nil {
			return fmt.Errorf("%s order %s: %w", next.intent.Kind, r.orderID, err)
		}
		if err := record(ctx, transact, next, result); err != nil || next.own {
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
func begin(ctx context.Context, transact Transact, r request) (step, error) {
	var next step
	err := transact(ctx, func(ctx context.Context, tx Tx) error {
		p, err := tx.Payment(ctx, r.orderID)
		if err != nil {
			return err
		}
		d, err := r.decide(p.State)
		if err != nil {
			return fmt.Errorf("decide about order %s: %w", r.orderID, err)
		}
		switch {
		case d.Finish != machine.NoIntent:
			next.intent, err = tx.Intent(ctx, p, d.Finish)
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

// open writes the intent of a call and the state that says it is open.
func open(ctx context.Context, tx Tx, p Payment, d machine.Decision, r request) (Intent, error) {
	if p.State == machine.None && r.fill != nil {
		r.fill(&p)
	}
	if p.State != d.State {
		p.State = d.State
		if err := tx.Save(ctx, p); err != nil {
			return Intent{}, err
		}
	}
	return tx.Open(ctx, Intent{
		OrderID: p.OrderID, Kind: d.Call, OrderVersion: r.version,
		Amount: p.Amount, Token: p.Token, ProviderRef: p.ProviderRef,
	})
}

// settle ends a message that needs no call.
func settle(ctx context.Context, tx Tx, p Payment, d machine.Decision, version int) error {
	fresh, err := tx.Done(ctx)
	if err != nil || !fresh || d.State == p.State {
		return err
	}
	p.State = d.State
	if err := tx.Save(ctx, p); err != nil {
		return err
	}
	return tx.Announce(ctx, Announcement{Fact: d.Fact, OrderID: p.OrderID, OrderVersion: version})
}

// record writes an answer, unless somebody did meanwhile, and with it the end of
// the message if the intent is its own.
func record(ctx context.Context, transact Transact, s step, result Result) error {
	return transact(ctx, func(ctx context.Context, tx Tx) error {
		p, err := tx.Payment(ctx, s.intent.OrderID)
		if err != nil {
			return err
		}
		d, err := machine.OnResult(p.State, s.intent.Kind, result.Answer)
		if err != nil {
			return fmt.Errorf("order %s: %w", p.OrderID, err)
		}
		if s.own {
			if _, err := tx.Done(ctx); err != nil {
				return err
			}
		}
		if d.State == p.State {
			return nil
		}
		return apply(ctx, tx, p, d, s.intent, result)
	})
}

// apply writes the state, the movement and the fact of an answer.
func apply(ctx context.Context, tx Tx, p Payment, d machine.Decision, i Intent, result Result) error {
	p.State = d.State
	if result.ProviderRef != "" {
		p.ProviderRef = result.ProviderRef
	}
	if err := tx.Save(ctx, p); err != nil {
		return err
	}
	if result.Answer == machine.Done {
		if err := tx.Record(ctx, EntryOf(i)); err != nil {
			return err
		}
	}
	return tx.Announce(ctx, Announcement{
		Fact: d.Fact, OrderID: p.OrderID, OrderVersion: i.OrderVersion, Amount: &i.Amount, ProviderRef: p.ProviderRef,
	})
}
