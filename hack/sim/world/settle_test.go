package world

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"parley.sh/hack/sim/client"
)

// A request reads that the work of its key is due; the work is done; then the request
// schedules it. It must not be done again.
func TestWorkThatIsDoneIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	w, err := Open(Options{Path: filepath.Join(t.TempDir(), "world.db"), Slow: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()

	op := operation{Name: opLabel, key: "k", Label: &client.LabelRequest{OrderId: "o", Level: client.Express, Address: "tok_late"}}
	if a, _, err := w.perform(ctx, op); err != nil || a.Status != 200 {
		t.Fatalf("got %+v, %v", a, err)
	}
	<-w.schedule(string(op.id()), time.Now())

	err = w.store.db.View(func(tx *bbolt.Tx) error {
		if n := tx.Bucket(bucketParcels).Stats().KeyN; n != 1 {
			t.Errorf("%d parcels, want 1", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
