package rest

import (
	"context"

	"parley.sh/services/inventory/client"
	"parley.sh/services/inventory/internal/inventory"
)

// Handler serves the API over the catalogue.
type Handler struct {
	Catalogue inventory.Catalogue
}

var _ StrictServerInterface = Handler{}

// CheckStock implements StrictServerInterface.
func (h Handler) CheckStock(ctx context.Context, r CheckStockRequestObject) (CheckStockResponseObject, error) {
	p, err := h.Catalogue.Product(ctx, r.Params.ProductId)
	if err != nil {
		return nil, err
	}
	return CheckStock200JSONResponse{
		ProductId: p.ID, Available: p.Stock() > 0, Stock: p.Stock(), UnitPrice: toMoney(p.Price),
	}, nil
}

// ListProducts implements StrictServerInterface.
func (h Handler) ListProducts(ctx context.Context, r ListProductsRequestObject) (ListProductsResponseObject, error) {
	limit, after := 50, ""
	if r.Params.Limit != nil {
		limit = *r.Params.Limit
	}
	if r.Params.Cursor != nil {
		after = *r.Params.Cursor
	}
	products, err := h.Catalogue.Products(ctx, after, limit+1)
	if err != nil {
		return nil, err
	}
	return ListProducts200JSONResponse(toPage(products, limit)), nil
}

// GetProduct implements StrictServerInterface.
func (h Handler) GetProduct(ctx context.Context, r GetProductRequestObject) (GetProductResponseObject, error) {
	p, err := h.Catalogue.Product(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return GetProduct200JSONResponse(toProduct(p)), nil
}

// PutProduct implements StrictServerInterface.
func (h Handler) PutProduct(ctx context.Context, r PutProductRequestObject) (PutProductResponseObject, error) {
	p, created, err := h.Catalogue.Put(ctx, inventory.Product{
		ID: r.Id, Name: r.Body.Name, OnHand: r.Body.OnHand,
		Price: inventory.Money{Minor: r.Body.Price.AmountMinor, Currency: r.Body.Price.Currency},
	})
	if err != nil {
		return nil, err
	}
	if created {
		return PutProduct201JSONResponse(toProduct(p)), nil
	}
	return PutProduct200JSONResponse(toProduct(p)), nil
}

// toPage makes a page of at most limit of the products; one more says that there
// is a next page.
func toPage(products []inventory.Product, limit int) client.ProductPage {
	page := client.ProductPage{Products: []client.Product{}}
	for _, p := range products[:min(limit, len(products))] {
		page.Products = append(page.Products, toProduct(p))
	}
	if len(products) > limit {
		page.Next = &products[limit-1].ID
	}
	return page
}

func toProduct(p inventory.Product) client.Product {
	return client.Product{
		ProductId: p.ID, Name: p.Name, Price: toMoney(p.Price),
		OnHand: p.OnHand, Reserved: p.Reserved, Stock: p.Stock(), Version: p.Version,
	}
}

func toMoney(m inventory.Money) client.Money {
	return client.Money{AmountMinor: m.Minor, Currency: m.Currency}
}
