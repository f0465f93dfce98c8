package inventory

import "parley.sh/services/kit/fault"

// Money is an amount in the minor unit of its currency.
type Money struct {
	Minor    int64
	Currency string
}

// Product is a product and its counts.
type Product struct {
	ID       string
	Name     string
	Price    Money
	OnHand   int64
	Reserved int64
	// Version rises by one with every change of Stock or Price.
	Version int64
}

// Stock is how many can be ordered.
func (p Product) Stock() int64 { return p.OnHand - p.Reserved }

// After returns the product as a movement leaves it.
func (p Product) After(m Movement) Product {
	p.OnHand += m.OnHand
	p.Reserved += m.Reserved
	if m.Stock() != 0 {
		p.Version++
	}
	return p
}

// Set returns the product with the name, price and count on hand of another. A
// count below what is reserved is a Conflict.
func (p Product) Set(to Product) (Product, error) {
	if to.OnHand < p.Reserved {
		return p, fault.New(fault.Conflict, "onHand is below what orders have reserved")
	}
	if to.OnHand != p.OnHand || to.Price != p.Price {
		p.Version++
	}
	p.Name, p.Price, p.OnHand = to.Name, to.Price, to.OnHand
	return p, nil
}
