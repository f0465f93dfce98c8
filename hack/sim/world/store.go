package world

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// The buckets of the file.
var (
	bucketKeys      = []byte("keys")      // party/key -> record
	bucketDue       = []byte("due")       // party/key -> nothing: records whose work is due
	bucketPayments  = []byte("payments")  // authorization id -> payment
	bucketOrders    = []byte("orders")    // order id, zero byte, authorization id -> nothing
	bucketMovements = []byte("movements") // sequence -> movement
	bucketParcels   = []byte("parcels")   // sequence -> parcel
)

// maxBatch bounds the changes of one commit, and so the time that one waits for others.
const maxBatch = 256

var errStopped = errors.New("the world has stopped")

// store is a bbolt file with one writer. Changes that wait while one commit is
// written share the next, so that an fsync serves many requests.
type store struct {
	db      *bbolt.DB
	writes  chan write
	stopped chan struct{}
}

type write struct {
	change func(*bbolt.Tx) error
	done   chan error
}

// openStore opens or makes the file. A file that another process holds is an error.
func openStore(path string) (*store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:        time.Second,
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
	})
	if err != nil {
		return nil, fmt.Errorf("open %s (is another simulator using it?): %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{
			bucketKeys, bucketDue, bucketPayments, bucketOrders, bucketMovements, bucketParcels,
		} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return fmt.Errorf("make bucket %s: %w", name, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", path, err), db.Close())
	}
	return &store{db: db, writes: make(chan write), stopped: make(chan struct{})}, nil
}

// run is the writer. It returns when ctx ends; what it took by then is committed.
func (s *store) run(ctx context.Context) {
	defer close(s.stopped)
	for {
		select {
		case first := <-s.writes:
			s.commit(s.gather(first))
		case <-ctx.Done():
			return
		}
	}
}

// gather takes what waits at this moment and does not wait for more.
func (s *store) gather(first write) []write {
	batch := []write{first}
	for len(batch) < maxBatch {
		select {
		case next := <-s.writes:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// commit makes the changes of a batch in one transaction. bbolt syncs the file
// before Update returns. A change fails only by a defect or a broken disk; the
// whole batch then fails, and nothing of it has happened.
func (s *store) commit(batch []write) {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for _, w := range batch {
			if err := w.change(tx); err != nil {
				return err
			}
		}
		return nil
	})
	for _, w := range batch {
		w.done <- err
	}
}

// change runs fn in the writer and returns when its effect is on disk. It does not
// give up when the caller goes away: what was asked for happens or does not.
func (s *store) change(fn func(*bbolt.Tx) error) error {
	w := write{change: fn, done: make(chan error, 1)}
	select {
	case s.writes <- w:
		return <-w.done
	case <-s.stopped:
		return errStopped
	}
}

func (s *store) close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the state: %w", err)
	}
	return nil
}

// get reads a document into v and reports whether it is there.
func get(tx *bbolt.Tx, bucket, key []byte, v any) (bool, error) {
	raw := tx.Bucket(bucket).Get(key)
	if raw == nil {
		return false, nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return false, fmt.Errorf("read %s/%s: %w", bucket, key, err)
	}
	return true, nil
}

func put(tx *bbolt.Tx, bucket, key []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s/%s: %w", bucket, key, err)
	}
	if err := tx.Bucket(bucket).Put(key, raw); err != nil {
		return fmt.Errorf("write %s/%s: %w", bucket, key, err)
	}
	return nil
}

// add appends to a statement: make gets the next position, which is lost with the
// transaction, so that positions have no gaps.
func add(tx *bbolt.Tx, bucket []byte, entry func(sequence int64) any) error {
	n, err := tx.Bucket(bucket).NextSequence()
	if err != nil {
		return fmt.Errorf("append to %s: %w", bucket, err)
	}
	return put(tx, bucket, position(n), entry(int64(n)))
}

func position(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// page reads at most limit entries behind after and reports whether there are more.
func page[T any](tx *bbolt.Tx, bucket []byte, after int64, limit int) (entries []T, more bool, err error) {
	entries = []T{}
	c := tx.Bucket(bucket).Cursor()
	for k, v := c.Seek(position(uint64(after) + 1)); k != nil; k, v = c.Next() {
		if len(entries) == limit {
			return entries, true, nil
		}
		var e T
		if err := json.Unmarshal(v, &e); err != nil {
			return nil, false, fmt.Errorf("read entry of %s: %w", bucket, err)
		}
		entries = append(entries, e)
	}
	return entries, false, nil
}
