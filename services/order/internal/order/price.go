package order

import (
	"fmt"
	"math"

	"parley.sh/services/kit/fault"
)

// MaxAmount is the largest amount, in minor units: the largest integer that every
// reader of JSON keeps exactly.
const MaxAmount int64 = 1<<53 - 1

// Total returns what items cost together. Items of different currencies, and a
// total above MaxAmount, are Invalid.
func Total(items []Item) (Money, error) {
	if len(items) == 0 {
		return Money{}, invalid(fault.Field{Name: "items", Rule: "must hold 1 to 100 items"})
	}
	total := Money{Currency: items[0].UnitPrice.Currency}
	for i, item := range items {
		if item.UnitPrice.Currency != total.Currency {
			return Money{}, invalid(fault.Field{
				Name: fmt.Sprintf("items[%d].productId", i), Rule: "must be sold in the currency of the first item",
			})
		}
		sum, ok := addProduct(total.AmountMinor, item.Quantity, item.UnitPrice.AmountMinor)
		if !ok {
			return Money{}, invalid(fault.Field{
				Name: "items", Rule: fmt.Sprintf("must cost at most %d minor units together", MaxAmount),
			})
		}
		total.AmountMinor = sum
	}
	return total, nil
}

// addProduct returns sum + quantity*price, all of them not negative, and whether
// that is at most MaxAmount.
func addProduct(sum, quantity, price int64) (int64, bool) {
	if quantity != 0 && price > math.MaxInt64/quantity {
		return 0, false
	}
	product := quantity * price
	if product > MaxAmount || sum > MaxAmount-product {
		return 0, false
	}
	return sum + product, true
}
