package world

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"parley.sh/hack/sim/client"
)

// operation is one request under an idempotency key. Exactly one of its documents is set.
type operation struct {
	Name      string               `json:"name"`
	Authorize *client.Authorize    `json:"authorize,omitempty"`
	Reference *client.Reference    `json:"reference,omitempty"`
	Label     *client.LabelRequest `json:"label,omitempty"`

	key string
}

// id is the key within its party: provider and carrier know nothing of each other.
func (op operation) id() []byte {
	if op.Name == opLabel {
		return []byte("labels/" + op.key)
	}
	return []byte("payments/" + op.key)
}

// fingerprint tells the parameters of two requests apart.
func (op operation) fingerprint() (string, error) {
	raw, err := json.Marshal(op)
	if err != nil {
		return "", fmt.Errorf("encode the request: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// record is what is kept of a key, for ever.
type record struct {
	Fingerprint string `json:"fingerprint"`
	// Failures counts the 503s of a flaky key.
	Failures int `json:"failures,omitempty"`
	// Due is when accepted work is done; zero when there is none.
	Due time.Time `json:"due,omitzero"`
	// Operation is the accepted work, and Key its key.
	Operation *operation `json:"operation,omitempty"`
	Key       string     `json:"key,omitempty"`
	// Answer is the definite answer, once there is one.
	Answer *answer `json:"answer,omitempty"`
}

// answer is a response as it is kept and replayed.
type answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// verdict is what a request's key makes of it.
type verdict struct {
	answer   answer
	replayed bool
	// hold says that the answer leaves after the delay.
	hold bool
	// due is when the work of the key is done; zero when it is not waited for.
	due time.Time
	// accepted says that this request is the one whose work it is.
	accepted bool
}

// decide runs in the writer: it reads the key, does the work or not, and leaves the
// record in the state that the package comment draws.
func (w *World) decide(tx *bbolt.Tx, op operation) (verdict, error) {
	print, err := op.fingerprint()
	if err != nil {
		return verdict{}, err
	}
	var r record
	known, err := get(tx, bucketKeys, op.id(), &r)
	switch {
	case err != nil:
		return verdict{}, err
	case known && r.Fingerprint != print:
		return refuse(keyReused)
	case r.Answer != nil:
		return verdict{answer: *r.Answer, replayed: true}, nil
	case !r.Due.IsZero():
		return verdict{due: r.Due}, nil
	}
	r.Fingerprint = print
	return w.first(tx, op, r)
}

// first handles a key that has no answer and no work that is due.
func (w *World) first(tx *bbolt.Tx, op operation, r record) (verdict, error) {
	token, found, err := tokenOf(tx, op)
	if err != nil {
		return verdict{}, err
	}
	if found != nil {
		return refuse(*found)
	}
	how := behave(token, op.Name)
	switch {
	case how == flaky && r.Failures < flakyFailures:
		r.Failures++
		if err := put(tx, bucketKeys, op.id(), r); err != nil {
			return verdict{}, err
		}
		return refuse(flakyFailure)
	case how == late:
		return w.accept(tx, op, r)
	}
	a, err := w.do(tx, op, r)
	return verdict{answer: a, hold: how == slow}, err
}

// accept keeps work for later.
func (w *World) accept(tx *bbolt.Tx, op operation, r record) (verdict, error) {
	r.Due, r.Operation, r.Key = w.now().Add(w.opts.Slow), &op, op.key
	if err := put(tx, bucketKeys, op.id(), r); err != nil {
		return verdict{}, err
	}
	return verdict{due: r.Due, accepted: true}, put(tx, bucketDue, op.id(), struct{}{})
}

// do has the effect and keeps its answer, in one transaction.
func (w *World) do(tx *bbolt.Tx, op operation, r record) (answer, error) {
	a, err := w.effect(tx, op)
	if err != nil {
		return answer{}, err
	}
	r.Answer, r.Due, r.Operation = &a, time.Time{}, nil
	return a, put(tx, bucketKeys, op.id(), r)
}

// refuse answers with a problem that is not kept: the key stays as it was.
func refuse(p client.Problem) (verdict, error) {
	a, err := problemAnswer(p)
	return verdict{answer: a}, err
}
