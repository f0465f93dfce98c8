package inventory

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

// Item is a quantity of a product.
type Item struct {
	ProductID string `json:"productId"`
	Quantity  int64  `json:"quantity"`
}

// Shortage is a product of which there was too little.
type Shortage struct {
	ProductID string
	Requested int64
	Available int64
}

// Shortages lists the items that the products, by id, cannot serve. A product that
// is not there has none.
func Shortages(items []Item, products map[string]Product) []Shortage {
	var missing []Shortage
	for _, item := range items {
		if stock := products[item.ProductID].Stock(); stock < item.Quantity {
			missing = append(missing, Shortage{item.ProductID, item.Quantity, stock})
		}
	}
	return missing
}

// ProductIDs lists the products of items.
func ProductIDs(items []Item) []string {
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.ProductID
	}
	return ids
}
