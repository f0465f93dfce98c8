package inventory

import "parley.sh/services/inventory/machine"

// Kind says why a count changed.
type Kind string

// The kinds of movement. Those of orders are the machine's.
const (
	Seed     Kind = "seed"
	Adjust   Kind = "adjust"
	Reserve       = Kind(machine.Reserve)
	Pick          = Kind(machine.Pick)
	Release       = Kind(machine.Release)
	TakeBack      = Kind(machine.TakeBack)
)

// Movement is one change of a product's counts. OrderID is empty for a seed or an
// adjustment.
type Movement struct {
	ProductID string
	OrderID   string
	Kind      Kind
	OnHand    int64
	Reserved  int64
}

// Stock is by how much it changes what can be ordered: a pick takes what was
// reserved, and leaves that as it is.
func (m Movement) Stock() int64 { return m.OnHand - m.Reserved }

// Movements returns what a movement of an order does to each of its items.
func Movements(orderID string, m machine.Movement, items []Item) []Movement {
	if m == machine.Still {
		return nil
	}
	moves := make([]Movement, len(items))
	for i, item := range items {
		moves[i] = Movement{ProductID: item.ProductID, OrderID: orderID, Kind: Kind(m)}
		switch m {
		case machine.Reserve:
			moves[i].Reserved = item.Quantity
		case machine.Pick:
			moves[i].OnHand, moves[i].Reserved = -item.Quantity, -item.Quantity
		case machine.Release:
			moves[i].Reserved = -item.Quantity
		case machine.TakeBack:
			moves[i].OnHand = item.Quantity
		case machine.Still:
		}
	}
	return moves
}
