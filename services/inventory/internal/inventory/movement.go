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

// Movements returns what a movement of an order does to each of its items.
func Movements(orderID string, m machine.Movement, items []Item) []Movement {
	moves := make([]Movement, 0, len(items))
	for _, item := range items {
		move := Movement{ProductID: item.ProductID, OrderID: orderID, Kind: Kind(m)}
		switch m {
		case machine.Reserve:
			move.Reserved = item.Quantity
		case machine.Pick:
			move.OnHand, move.Reserved = -item.Quantity, -item.Quantity
		case machine.Release:
			move.Reserved = -item.Quantity
		case machine.TakeBack:
			move.OnHand = item.Quantity
		case machine.Still:
			continue
		}
		moves = append(moves, move)
	}
	return moves
}
