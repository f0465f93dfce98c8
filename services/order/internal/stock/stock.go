// Package stock asks inventory over REST what can be ordered.
package stock

import (
	"context"
	"errors"
	"fmt"

	"parley.sh/services/inventory/client"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
	"parley.sh/services/order/internal/order"
)

// Inventory implements order.Stock.
type Inventory struct {
	calls client.ClientWithResponsesInterface
}

// New returns an Inventory that calls through c.
func New(c *rest.Client) (*Inventory, error) {
	calls, err := client.NewClientWithResponses(c.URL(), client.WithHTTPClient(c))
	if err != nil {
		return nil, fmt.Errorf("make the client of inventory: %w", err)
	}
	return &Inventory{calls: calls}, nil
}

// Level implements order.Stock.
func (i *Inventory) Level(ctx context.Context, productID string) (order.Level, error) {
	answer, err := i.calls.CheckStockWithResponse(ctx, &client.CheckStockParams{ProductId: productID})
	if answer == nil {
		answer = &client.CheckStockResponse{}
	}
	if err := rest.Check(answer.HTTPResponse, answer.Body, err); err != nil {
		return order.Level{}, fmt.Errorf("ask inventory: %w", private(err))
	}
	if answer.JSON200 == nil {
		return order.Level{}, fault.Wrap(fault.Internal, errors.New("inventory's answer has no document"), "")
	}
	return level(*answer.JSON200), nil
}

// private keeps what inventory refuses from being shown as what the customer did
// wrong: order has checked the product's id, so a refusal is a defect between the
// two services.
func private(err error) error {
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.Conflict) {
		return fault.Wrap(fault.Internal, err, "")
	}
	return err
}

func level(c client.StockCheck) order.Level {
	return order.Level{
		Stock: c.Stock,
		Price: order.Money{AmountMinor: c.UnitPrice.AmountMinor, Currency: c.UnitPrice.Currency},
	}
}
