package rest

import (
	"context"

	"parley.sh/services/shipping/client"
	"parley.sh/services/shipping/internal/shipping"
)

// Shipments is where shipments are read.
type Shipments interface {
	// View returns the shipment of an order, NotFound or Unavailable.
	View(ctx context.Context, orderID string) (shipping.Shipment, error)
}

// Handler serves the API.
type Handler struct {
	Shipments Shipments
}

var _ StrictServerInterface = Handler{}

// GetShipment implements StrictServerInterface.
func (h Handler) GetShipment(ctx context.Context, r GetShipmentRequestObject) (GetShipmentResponseObject, error) {
	s, err := h.Shipments.View(ctx, r.OrderId)
	if err != nil {
		return nil, err
	}
	return GetShipment200JSONResponse(toShipment(s)), nil
}

// toShipment leaves out what a tombstone does not have.
func toShipment(s shipping.Shipment) client.Shipment {
	out := client.Shipment{OrderId: s.OrderID, State: client.ShipmentState(s.State)}
	if s.Level != "" {
		level := client.ShipmentLevel(s.Level)
		out.Level = &level
	}
	if s.TrackingNumber != "" {
		out.TrackingNumber = &s.TrackingNumber
	}
	return out
}
