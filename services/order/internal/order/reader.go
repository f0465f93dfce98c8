package order

import (
	"context"

	"parley.sh/services/order/machine"
)

// Filter says which orders to list, newest first.
type Filter struct {
	// CustomerID and State restrict the list unless they are empty.
	CustomerID string
	State      machine.State
	// Before is the id of the last order of the page before; empty for the first.
	Before string
	// Limit is how many at most.
	Limit int
}

// Position is a place in the changes of all orders. No change can appear before a
// position that was read.
type Position string

// Placement is an entry and its place among those of all orders.
type Placement struct {
	Entry

	Position Position
}

// Reader answers questions and changes nothing. All of its errors are Unavailable
// when the database is.
type Reader interface {
	// Order returns an order. NotFound: there is none.
	Order(ctx context.Context, id string) (Order, error)
	// Orders returns the orders of a filter.
	Orders(ctx context.Context, f Filter) ([]Order, error)
	// Timeline returns the entries of an order after a version, in order.
	Timeline(ctx context.Context, id string, after int) ([]Entry, error)
	// Changes returns the entries of all orders after a position, in order. Invalid:
	// after is no position.
	Changes(ctx context.Context, after Position, limit int) ([]Placement, error)
	// Now returns a position that every later change lies behind.
	Now(ctx context.Context) (Position, error)
}
