package contract_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/contract"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

var update = flag.Bool("update", false, "write the golden documents")

const (
	orderID   = "01935f2e-7c1a-7000-8000-000000000001"
	messageID = "01935f2e-7c1a-7000-8000-000000000002"
)

var at = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// samples holds one full value of every message type.
func samples() []contract.Payload {
	items := []contract.Item{{ProductID: "123", Quantity: 2}, {ProductID: "456", Quantity: 1}}
	amount := contract.Money{AmountMinor: 2997, Currency: "EUR"}
	return []contract.Payload{
		contract.OrderPlacedEvent{
			OrderID: orderID, Version: 1, CustomerID: "c-1", Items: items, Amount: amount,
			Token: "tok_ok", Level: contract.LevelExpress, ShipTo: "1 Harbour Street",
		},
		contract.OrderConfirmedEvent{OrderID: orderID, Version: 2},
		contract.OrderCancellationRequestedEvent{OrderID: orderID, Version: 3, Reason: contract.ReasonCustomerRequest},
		contract.OrderShippedEvent{OrderID: orderID, Version: 3, TrackingNumber: "PX1"},
		contract.OrderCancelledEvent{OrderID: orderID, Version: 2, Reason: contract.ReasonOutOfStock},
		contract.OrderSettledEvent{OrderID: orderID, Version: 4},
		contract.StockReservedEvent{OrderID: orderID, OrderVersion: 1, Items: items},
		contract.StockRejectedEvent{OrderID: orderID, OrderVersion: 1, Shortages: []contract.Shortage{{ProductID: "123", Requested: 2}}},
		contract.StockPickedEvent{OrderID: orderID, OrderVersion: 2, Items: items},
		contract.StockReleasedEvent{OrderID: orderID, OrderVersion: 2},
		contract.StockReturnedEvent{OrderID: orderID, OrderVersion: 3, Items: items},
		contract.PaymentAuthorizedEvent{OrderID: orderID, OrderVersion: 1, Amount: amount, ProviderRef: "pay_1"},
		contract.PaymentDeclinedEvent{OrderID: orderID, OrderVersion: 1, Amount: amount},
		contract.PaymentCapturedEvent{OrderID: orderID, OrderVersion: 2, Amount: amount, ProviderRef: "pay_1"},
		contract.PaymentVoidedEvent{OrderID: orderID, OrderVersion: 2, Amount: &amount},
		contract.PaymentRefundedEvent{OrderID: orderID, OrderVersion: 3, Amount: amount},
		contract.ShipmentDispatchedEvent{OrderID: orderID, OrderVersion: 2, TrackingNumber: "PX1", Level: contract.LevelExpress},
		contract.ShipmentFailedEvent{OrderID: orderID, OrderVersion: 2, Reason: contract.FailedCarrier},
		contract.StockLevelChangedEvent{ProductID: "123", Version: 7, Stock: 48, Price: contract.Money{AmountMinor: 999, Currency: "EUR"}},
		contract.FulfilOrder{OrderID: orderID, OrderVersion: 2, Items: items, Amount: amount, Level: contract.LevelExpress, ShipTo: "1 Harbour Street"},
		contract.UndoOrder{OrderID: orderID, OrderVersion: 2, Reason: contract.ReasonTimedOut},
		contract.CancelShipment{OrderID: orderID, OrderVersion: 3, Reason: contract.ReasonCustomerRequest},
		contract.PrintLabel{OrderID: orderID, OrderVersion: 2, Level: contract.LevelStandard, ShipTo: "1 Harbour Street"},
		contract.OrderUpdated{OrderID: orderID, Version: 4},
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	var names []string
	for _, p := range samples() {
		names = append(names, p.Type())
		t.Run(p.Type(), func(t *testing.T) {
			t.Parallel()
			checkGolden(t, p)
		})
	}
	if diff := cmp.Diff(contract.Types(), names); diff != "" {
		t.Errorf("every type of the catalogue needs a sample (-catalogue +samples):\n%s", diff)
	}
}

func checkGolden(t *testing.T, p contract.Payload) {
	t.Helper()
	m, err := contract.NewMessage(p, messageID, at)
	if err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, m.Data, "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	file := filepath.Join("testdata", p.Type()+".json")
	if *update {
		if err := os.WriteFile(file, pretty.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(golden), pretty.String()); diff != "" {
		t.Errorf("the wire format changed; if it is meant and only adds, run with -update (-golden +now):\n%s", diff)
	}
	if err := decodeAs(m); err != nil {
		t.Errorf("the sample breaks its own schema: %v", err)
	}
}

// decodeAs decodes m as the type that its header names.
func decodeAs(m message.Message) error {
	decoders := map[string]func(message.Message) error{}
	add(decoders, contract.OrderPlacedEvent{}, contract.Decode[contract.OrderPlacedEvent])
	add(decoders, contract.OrderConfirmedEvent{}, contract.Decode[contract.OrderConfirmedEvent])
	add(decoders, contract.OrderCancellationRequestedEvent{}, contract.Decode[contract.OrderCancellationRequestedEvent])
	add(decoders, contract.OrderShippedEvent{}, contract.Decode[contract.OrderShippedEvent])
	add(decoders, contract.OrderCancelledEvent{}, contract.Decode[contract.OrderCancelledEvent])
	add(decoders, contract.OrderSettledEvent{}, contract.Decode[contract.OrderSettledEvent])
	add(decoders, contract.StockReservedEvent{}, contract.Decode[contract.StockReservedEvent])
	add(decoders, contract.StockRejectedEvent{}, contract.Decode[contract.StockRejectedEvent])
	add(decoders, contract.StockPickedEvent{}, contract.Decode[contract.StockPickedEvent])
	add(decoders, contract.StockReleasedEvent{}, contract.Decode[contract.StockReleasedEvent])
	add(decoders, contract.StockReturnedEvent{}, contract.Decode[contract.StockReturnedEvent])
	add(decoders, contract.PaymentAuthorizedEvent{}, contract.Decode[contract.PaymentAuthorizedEvent])
	add(decoders, contract.PaymentDeclinedEvent{}, contract.Decode[contract.PaymentDeclinedEvent])
	add(decoders, contract.PaymentCapturedEvent{}, contract.Decode[contract.PaymentCapturedEvent])
	add(decoders, contract.PaymentVoidedEvent{}, contract.Decode[contract.PaymentVoidedEvent])
	add(decoders, contract.PaymentRefundedEvent{}, contract.Decode[contract.PaymentRefundedEvent])
	add(decoders, contract.ShipmentDispatchedEvent{}, contract.Decode[contract.ShipmentDispatchedEvent])
	add(decoders, contract.ShipmentFailedEvent{}, contract.Decode[contract.ShipmentFailedEvent])
	add(decoders, contract.StockLevelChangedEvent{}, contract.Decode[contract.StockLevelChangedEvent])
	add(decoders, contract.FulfilOrder{}, contract.Decode[contract.FulfilOrder])
	add(decoders, contract.UndoOrder{}, contract.Decode[contract.UndoOrder])
	add(decoders, contract.CancelShipment{}, contract.Decode[contract.CancelShipment])
	add(decoders, contract.PrintLabel{}, contract.Decode[contract.PrintLabel])
	add(decoders, contract.OrderUpdated{}, contract.Decode[contract.OrderUpdated])
	return decoders[m.Type](m)
}

func add[P contract.Payload](to map[string]func(message.Message) error, p P, decode func(message.Message) (P, error)) {
	to[p.Type()] = func(m message.Message) error {
		_, err := decode(m)
		return err
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := `{"orderId":"` + orderID + `","orderVersion":2,"reason":"carrier"}`
	tests := map[string]struct {
		data  string
		fault bool
		field string
	}{
		"as it should be":  {data: good},
		"an unknown field": {data: `{"since":"v2",` + good[1:]},
		"no JSON":          {data: `{`, fault: true},
		"two documents":    {data: good + good, fault: true},
		"a tombstone":      {data: ``, fault: true},
		"a missing field":  {data: `{"orderId":"` + orderID + `","orderVersion":2}`, fault: true, field: "reason"},
		"an unknown value": {data: `{"orderId":"` + orderID + `","orderVersion":2,"reason":"tired"}`, fault: true, field: "reason"},
		"a wrong type":     {data: `{"orderId":"` + orderID + `","orderVersion":"2","reason":"carrier"}`, fault: true, field: "orderVersion"},
		"another subject":  {data: `{"orderId":"01935f2e-7c1a-7000-8000-00000000000f","orderVersion":2,"reason":"carrier"}`, fault: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := message.Message{Type: "ShipmentFailedEvent", Subject: orderID, Data: []byte(tc.data)}
			handler := contract.Handle(func(context.Context, message.Message, contract.ShipmentFailedEvent) error { return nil })
			err := handler(t.Context(), m)
			if got := fault.Is(err, fault.Invalid); got != tc.fault {
				t.Fatalf("Invalid = %v, want %v: %v", got, tc.fault, err)
			}
			if tc.field != "" && !slices.ContainsFunc(fieldsOf(t, err), func(f fault.Field) bool { return f.Name == tc.field }) {
				t.Errorf("%v does not name the field %s", fieldsOf(t, err), tc.field)
			}
		})
	}
}

func fieldsOf(t *testing.T, err error) []fault.Field {
	t.Helper()
	f, ok := err.(*fault.Error) //nolint:errorlint // Decode returns it unwrapped
	if !ok {
		t.Fatalf("%T is not a *fault.Error", err)
	}
	return f.Fields
}

func FuzzDecode(f *testing.F) {
	for _, p := range samples() {
		m, err := contract.NewMessage(p, messageID, at)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.Type, m.Data)
	}
	f.Fuzz(func(t *testing.T, messageType string, data []byte) {
		if !slices.Contains(contract.Types(), messageType) {
			return
		}
		m := message.Message{Type: messageType, Subject: orderID, Data: data}
		if err := decodeAs(m); err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("an error of decoding must be Invalid, not %v", err)
		}
	})
}
