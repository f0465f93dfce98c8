package inventory

import "context"

// Catalogue is where products are read and set. Every method may return
// Unavailable.
type Catalogue interface {
	// Product returns a product, or NotFound.
	Product(ctx context.Context, id string) (Product, error)
	// Products returns up to limit products whose ids come after the given one.
	Products(ctx context.Context, after string, limit int) ([]Product, error)
	// Put makes a product or sets its name, price and count on hand; a changed
	// count is a movement. A count below what is reserved is a Conflict.
	Put(ctx context.Context, p Product) (now Product, created bool, err error)
}
