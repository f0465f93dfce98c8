package evidence

import (
	"context"
	"fmt"
	"net/http"

	"parley.sh/hack/sim/client"
	"parley.sh/services/kit/rest"
)

// readStatements reads the statements of the provider and of the carrier.
func (e *Evidence) readStatements(ctx context.Context, url string) error {
	api, err := client.NewClientWithResponses(url, client.WithHTTPClient(http.DefaultClient))
	if err != nil {
		return fmt.Errorf("make the client of the simulator: %w", err)
	}
	if err := e.readProvider(ctx, api); err != nil {
		return fmt.Errorf("read the provider's statement: %w", err)
	}
	if err := e.readCarrier(ctx, api); err != nil {
		return fmt.Errorf("read the carrier's statement: %w", err)
	}
	return nil
}

// page is how many lines of a statement are read at once.
const page = 1000

func (e *Evidence) readProvider(ctx context.Context, api *client.ClientWithResponses) error {
	limit := page
	for after := new(int64); after != nil; {
		r, err := api.ListMovementsWithResponse(ctx, &client.ListMovementsParams{After: after, Limit: &limit})
		if err != nil {
			return err
		}
		if err := rest.Check(r.HTTPResponse, r.Body, nil); err != nil {
			return err
		}
		for _, m := range r.JSON200.Movements {
			e.Provider = append(e.Provider, ProviderMovement{
				OrderID: m.OrderId, Kind: string(m.Kind), Key: m.Key,
				Amount: Money{Minor: m.Amount.AmountMinor, Currency: m.Amount.Currency},
			})
		}
		after = r.JSON200.Next
	}
	return nil
}

func (e *Evidence) readCarrier(ctx context.Context, api *client.ClientWithResponses) error {
	limit := page
	for after := new(int64); after != nil; {
		r, err := api.ListParcelsWithResponse(ctx, &client.ListParcelsParams{After: after, Limit: &limit})
		if err != nil {
			return err
		}
		if err := rest.Check(r.HTTPResponse, r.Body, nil); err != nil {
			return err
		}
		for _, p := range r.JSON200.Parcels {
			e.Carrier = append(e.Carrier, Parcel{OrderID: p.OrderId, TrackingNumber: p.TrackingNumber})
		}
		after = r.JSON200.Next
	}
	return nil
}
