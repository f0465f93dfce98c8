package world

import (
	"bytes"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"parley.sh/hack/sim/client"
)

// payment is an authorization and what became of it.
type payment struct {
	ID      string               `json:"id"`
	OrderID string               `json:"orderId"`
	Amount  client.Money         `json:"amount"`
	Status  client.PaymentStatus `json:"status"`
	Token   string               `json:"token"`
}

// tokenOf returns the token that decides about op, or the problem that there is
// nothing to decide about.
func tokenOf(tx *bbolt.Tx, op operation) (string, *client.Problem, error) {
	switch {
	case op.Authorize != nil:
		return op.Authorize.Token, nil, nil
	case op.Label != nil:
		token, _ := tokenIn(op.Label.Address)
		return token, nil, nil
	}
	p, found, err := referred(tx, *op.Reference)
	return p.Token, found, err
}

// referred finds the payment that a reference names.
func referred(tx *bbolt.Tx, ref client.Reference) (payment, *client.Problem, error) {
	id := ""
	if ref.AuthorizationId != nil {
		id = *ref.AuthorizationId
	} else {
		ids := authorizations(tx, *ref.OrderId)
		if len(ids) > 1 {
			return payment{}, &ambiguous, nil
		}
		if len(ids) == 1 {
			id = ids[0]
		}
	}
	var p payment
	known, err := get(tx, bucketPayments, []byte(id), &p)
	if err != nil || !known {
		return payment{}, &unknown, err
	}
	return p, nil, nil
}

// authorizations returns the ids of an order's authorizations.
func authorizations(tx *bbolt.Tx, orderID string) []string {
	prefix := append([]byte(orderID), 0)
	var ids []string
	c := tx.Bucket(bucketOrders).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		ids = append(ids, string(k[len(prefix):]))
	}
	return ids
}

// effect does what op asks for and returns its definite answer.
func (w *World) effect(tx *bbolt.Tx, op operation) (answer, error) {
	switch op.Name {
	case opAuthorize:
		return w.authorize(tx, op)
	case opLabel:
		return w.label(tx, op)
	}
	return w.move(tx, op)
}

func (w *World) authorize(tx *bbolt.Tx, op operation) (answer, error) {
	if behave(op.Authorize.Token, op.Name) == declined {
		return problemAnswer(refusal)
	}
	p := payment{
		ID:      "auth_" + uuid.NewString(),
		OrderID: op.Authorize.OrderId,
		Amount:  op.Authorize.Amount,
		Status:  client.PaymentStatusAuthorized,
		Token:   op.Authorize.Token,
	}
	entry := append(append([]byte(p.OrderID), 0), p.ID...)
	if err := put(tx, bucketOrders, entry, struct{}{}); err != nil {
		return answer{}, err
	}
	return w.record(tx, op, p)
}

// move captures, voids or refunds.
func (w *World) move(tx *bbolt.Tx, op operation) (answer, error) {
	p, found, err := referred(tx, *op.Reference)
	if err != nil {
		return answer{}, err
	}
	if found == nil {
		found = ruledOut(p.Status, op.Name)
	}
	if found == nil && behave(p.Token, op.Name) == declined {
		found = &refusal
	}
	if found != nil {
		return problemAnswer(*found)
	}
	p.Status = afterwards[op.Name]
	return w.record(tx, op, p)
}

// afterwards is the status that an operation leaves.
var afterwards = map[string]client.PaymentStatus{
	opCapture: client.PaymentStatusCaptured,
	opVoid:    client.PaymentStatusVoided,
	opRefund:  client.PaymentStatusRefunded,
}

// ruledOut returns why a payment of this status cannot have the operation, or nil.
func ruledOut(status client.PaymentStatus, operation string) *client.Problem {
	if status == afterwards[operation] {
		return &alreadyDone
	}
	switch status {
	case client.PaymentStatusAuthorized:
		if operation == opRefund {
			return &notCaptured
		}
	case client.PaymentStatusCaptured:
		if operation == opVoid {
			return &isCaptured
		}
	case client.PaymentStatusVoided:
		return &isVoided
	case client.PaymentStatusRefunded:
		return &isRefunded
	}
	return nil
}

// record keeps the payment and its movement.
func (w *World) record(tx *bbolt.Tx, op operation, p payment) (answer, error) {
	if err := put(tx, bucketPayments, []byte(p.ID), p); err != nil {
		return answer{}, err
	}
	at := w.now()
	err := add(tx, bucketMovements, func(n int64) any {
		return client.Movement{
			Sequence: n, Kind: client.MovementKind(op.Name), AuthorizationId: p.ID, OrderId: p.OrderID,
			Key: op.key, Amount: p.Amount, At: at,
		}
	})
	if err != nil {
		return answer{}, err
	}
	return encode(http.StatusOK, client.Payment{
		AuthorizationId: p.ID, OrderId: p.OrderID, Amount: p.Amount, Status: p.Status, At: at,
	})
}

// label makes a parcel. A carrier does not care whether the order has one already.
func (w *World) label(tx *bbolt.Tx, op operation) (answer, error) {
	token, _ := tokenIn(op.Label.Address)
	if behave(token, opLabel) == declined {
		return problemAnswer(refusal)
	}
	at, tracking := w.now(), "trk_"+uuid.NewString()
	err := add(tx, bucketParcels, func(n int64) any {
		return client.Parcel{
			Sequence: n, TrackingNumber: tracking, OrderId: op.Label.OrderId, Key: op.key,
			Level: op.Label.Level, Address: op.Label.Address, At: at,
		}
	})
	if err != nil {
		return answer{}, err
	}
	return encode(http.StatusOK, client.Label{
		TrackingNumber: tracking, OrderId: op.Label.OrderId, Level: op.Label.Level, At: at,
	})
}

// now is the time as documents carry it.
func (w *World) now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
