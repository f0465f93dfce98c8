package inventory

import "context"

// Catalogue is where products are read and set. Every method may return
// Unavailable.
type Catalogue interface {
	// Product returns a product, or NotFound.
	Product(ctx context.Context, id string) (Product, error)
	// Products returns up to limit products whose ids come after the given one, in the
	// order of their ids.
	Products(ctx context.Context, after string, limit int) ([]Product, error)
	// Put makes a product, or sets one as Product.Set says, with its error; a changed
	// count is recorded as a movement.
	Put(ctx context.Context, p Product) (now Product, created bool, err error)
}
