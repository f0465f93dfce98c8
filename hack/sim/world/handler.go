package world

import (
	"context"
	"errors"
	"net/http"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"parley.sh/hack/sim/client"
)

// reply is what a handler says.
type reply struct {
	answer
	replayed bool
}

// endpoint handles one path. An error is a defect, or a caller that went away.
type endpoint struct {
	method string
	handle handle
}

type handle func(http.ResponseWriter, *http.Request) (reply, error)

// Handler returns the API of openapi.yaml.
func (w *World) Handler() http.Handler {
	paths := map[string]endpoint{
		"/payments/authorize": {http.MethodPost, post(w, checkAuthorize, func(v client.Authorize) operation {
			return operation{Name: opAuthorize, Authorize: &v}
		})},
		"/payments/capture": {http.MethodPost, w.reference(opCapture)},
		"/payments/void":    {http.MethodPost, w.reference(opVoid)},
		"/payments/refund":  {http.MethodPost, w.reference(opRefund)},
		"/labels": {http.MethodPost, post(w, checkLabel, func(v client.LabelRequest) operation {
			return operation{Name: opLabel, Label: &v}
		})},
		"/statement/payments": {http.MethodGet, w.movements},
		"/statement/labels":   {http.MethodGet, w.parcels},
		"/healthz":            {http.MethodGet, w.health},
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.serve(rw, r, paths) })
}

func (w *World) serve(rw http.ResponseWriter, r *http.Request, paths map[string]endpoint) {
	e, ok := paths[r.URL.Path]
	if !ok {
		w.refuse(rw, r, noRoute)
		return
	}
	if r.Method != e.method {
		rw.Header().Set("Allow", e.method)
		w.refuse(rw, r, noMethod)
		return
	}
	said, err := e.handle(rw, r)
	if err != nil {
		w.fail(rw, r, err)
		return
	}
	send(rw, said)
}

// post handles the requests of one operation.
func post[T any](w *World, check func(T) rules, operate func(T) operation) handle {
	return func(rw http.ResponseWriter, r *http.Request) (reply, error) {
		document, bad := decode[T](rw, r)
		if bad != nil {
			return say(problemAnswer(*bad))
		}
		broken := check(document)
		key := r.Header.Get("Idempotency-Key")
		broken.check(keyPattern.MatchString(key), "Idempotency-Key", "must be 1 to 255 visible ASCII characters")
		if len(broken) > 0 {
			return say(problemAnswer(invalid(broken)))
		}
		if err := pause(r.Context(), w.opts.Latency); err != nil {
			return reply{}, err
		}
		op := operate(document)
		op.key = key
		a, replayed, err := w.perform(r.Context(), op)
		return reply{a, replayed}, err
	}
}

func (w *World) reference(name string) handle {
	return post(w, checkReference, func(v client.Reference) operation {
		return operation{Name: name, Reference: &v}
	})
}

func (w *World) movements(_ http.ResponseWriter, r *http.Request) (reply, error) {
	return statement(w, r, bucketMovements, func(all []client.Movement, more bool) any {
		p := client.MovementPage{Movements: all}
		if more {
			p.Next = &all[len(all)-1].Sequence
		}
		return p
	})
}

func (w *World) parcels(_ http.ResponseWriter, r *http.Request) (reply, error) {
	return statement(w, r, bucketParcels, func(all []client.Parcel, more bool) any {
		p := client.ParcelPage{Parcels: all}
		if more {
			p.Next = &all[len(all)-1].Sequence
		}
		return p
	})
}

// statement answers a page of what is on disk.
func statement[T any](w *World, r *http.Request, bucket []byte, document func([]T, bool) any) (reply, error) {
	after, limit, broken := checkPage(r)
	if len(broken) > 0 {
		return say(problemAnswer(invalid(broken)))
	}
	var entries []T
	var more bool
	err := w.store.db.View(func(tx *bbolt.Tx) (err error) {
		entries, more, err = page[T](tx, bucket, after, limit)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	return say(encode(http.StatusOK, document(entries, more)))
}

// health reads the state, so that a closed or broken one shows.
func (w *World) health(http.ResponseWriter, *http.Request) (reply, error) {
	if err := w.store.db.View(func(*bbolt.Tx) error { return nil }); err != nil {
		return reply{}, err
	}
	return say(encode(http.StatusOK, client.Health{Status: client.Ok}))
}

func say(a answer, err error) (reply, error) { return reply{answer: a}, err }

// fail answers an error. To a caller that went away nothing can be said: its
// connection is closed.
func (w *World) fail(rw http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, errStopped), errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		w.refuse(rw, r, stopping)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's word for closing without an answer
	default:
		w.opts.Log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
		w.refuse(rw, r, broken)
	}
}

func (w *World) refuse(rw http.ResponseWriter, r *http.Request, p client.Problem) {
	a, err := problemAnswer(p)
	if err != nil {
		w.opts.Log.ErrorContext(r.Context(), "problem not encoded", "err", err)
	}
	send(rw, reply{answer: a})
}

func send(rw http.ResponseWriter, said reply) {
	kind := "application/json"
	if said.Status >= http.StatusBadRequest {
		kind = "application/problem+json"
	}
	rw.Header().Set("Content-Type", kind)
	if said.replayed {
		rw.Header().Set("Idempotent-Replayed", "true")
	}
	rw.WriteHeader(said.Status)
	_, _ = rw.Write(said.Body) // a caller that went away asks again
}
