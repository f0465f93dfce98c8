package inventory

// Item is a quantity of a product.
type Item struct {
	ProductID string
	Quantity  int64
}

// Merge returns items with each product once, in the order of their first mention.
// Those of an order are so already; a sender that does not hold to it must not move
// stock that is never moved back.
func Merge(items []Item) []Item {
	at := make(map[string]int, len(items))
	merged := make([]Item, 0, len(items))
	for _, item := range items {
		if i, ok := at[item.ProductID]; ok {
			merged[i].Quantity += item.Quantity
			continue
		}
		at[item.ProductID] = len(merged)
		merged = append(merged, item)
	}
	return merged
}

// ProductIDs lists the products of items.
func ProductIDs(items []Item) []string {
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.ProductID
	}
	return ids
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
