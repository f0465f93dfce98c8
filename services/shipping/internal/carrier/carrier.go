// Package carrier calls the carrier.
package carrier

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"parley.sh/hack/sim/client"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
	"parley.sh/services/shipping/internal/shipping"
	"parley.sh/services/shipping/machine"
)

// Carrier is the carrier behind a resilient client.
type Carrier struct {
	api *client.ClientWithResponses
}

var _ shipping.Carrier = (*Carrier)(nil)

// New returns the carrier that c calls.
func New(c *rest.Client) (*Carrier, error) {
	api, err := client.NewClientWithResponses(c.URL(), client.WithHTTPClient(c))
	if err != nil {
		return nil, fmt.Errorf("make the carrier's client: %w", err)
	}
	return &Carrier{api: api}, nil
}

// Label implements shipping.Carrier. Every attempt for a shipment has the same key.
func (c *Carrier) Label(ctx context.Context, s shipping.Shipment) (shipping.Result, error) {
	r, err := c.api.CreateLabelWithResponse(ctx, &client.CreateLabelParams{IdempotencyKey: s.LabelID()},
		client.LabelRequest{OrderId: s.OrderID, Level: client.Level(s.Level), Address: s.Address})
	if err != nil {
		return shipping.Result{}, rest.Check(nil, nil, err)
	}
	if err := rest.Check(r.HTTPResponse, r.Body, nil); err != nil {
		return refusal(err)
	}
	if r.JSON200 == nil || r.JSON200.TrackingNumber == "" || r.JSON200.OrderId != s.OrderID {
		return shipping.Result{}, fault.New(fault.Internal, "the carrier answered without the order's label")
	}
	return shipping.Result{Answer: machine.Labelled, TrackingNumber: r.JSON200.TrackingNumber}, nil
}

// refusal tells the carrier's definite refusals, of what it will not carry and of
// what it finds malformed, from everything that leaves the outcome unknown: a
// timeout, a 5xx, a 429, an open breaker, and also an answer that we do not understand.
func refusal(err error) (shipping.Result, error) {
	var problem *rest.Problem
	if fault.Is(err, fault.Unavailable) || !errors.As(err, &problem) {
		return shipping.Result{}, err
	}
	declined := problem.Status == http.StatusPaymentRequired && client.Code(problem.Code) == client.CodeDeclined
	if declined || problem.Status == http.StatusBadRequest {
		return shipping.Result{Answer: machine.Refused}, nil
	}
	return shipping.Result{}, fault.Wrap(fault.Internal, err, "the carrier's answer is not in the protocol")
}
