package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley.sh/hack/sim/client"
)

// journal is what callers know: every request that they made and every definite
// answer that they got. It outlives the simulator.
type journal struct {
	mu       sync.Mutex
	asked    map[string]job    // by key
	answered map[string]string // by key: the answer's body
}

// job is one request of the run.
type job struct{ operation, key, order, token string }

// kinds are the operations of an order, in an order of their own that a provider
// must cope with: some come too early, and are refused.
var kinds = []string{"authorize", "capture", "refund", "label"}

var tokens = []string{
	"tok_ok", "tok_ok", "tok_ok", "tok_flaky", "tok_slow_capture", "tok_late", "tok_declined", "tok_flaky_all",
}

// Killed at any moment, the simulator has done everything that it answered, and
// nothing twice; what it accepted for later it does after the restart.
func TestSIGKILLLosesNothingThatWasAnswered(t *testing.T) {
	t.Parallel()
	j := &journal{asked: map[string]job{}, answered: map[string]string{}}
	data := t.TempDir()
	for round := range 4 {
		c := spawn(t, data)
		stop := make(chan struct{})
		var callers sync.WaitGroup
		var definite atomic.Int64
		for worker := range 24 {
			callers.Go(func() { j.work(t, c, fmt.Sprintf("%d-%d", round, worker), stop, &definite) })
		}
		for definite.Load() < 150 { // enough in flight, whatever the machine
			<-time.After(time.Millisecond)
		}
		c.kill()
		close(stop)
		callers.Wait()
	}
	c := spawn(t, data)
	j.repeat(t, c)
	j.audit(t, c)
}

// work makes requests until the simulator is killed: new ones, and equal ones from
// several callers at once.
func (j *journal) work(t *testing.T, c *child, name string, stop <-chan struct{}, definite *atomic.Int64) {
	t.Helper()
	api := c.api()
	for n := 0; ; n++ {
		order := fmt.Sprintf("%s-%d", name, n)
		token := tokens[rand.IntN(len(tokens))] // a mix
		for _, operation := range kinds {
			one := job{operation, operation + "." + order, order, token}
			var twins sync.WaitGroup
			for range 2 {
				twins.Go(func() {
					if j.try(t, api, one) {
						definite.Add(1)
					}
				})
			}
			twins.Wait()
			select {
			case <-stop:
				return
			default:
			}
		}
	}
}

// try asks once and records a definite answer. Two different ones to one key are a
// broken promise.
func (j *journal) try(t *testing.T, api *client.ClientWithResponses, one job) bool {
	t.Helper()
	j.mu.Lock()
	j.asked[one.key] = one
	j.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	status, body, err := one.send(ctx, api)
	if err != nil || status == 503 || status == 404 {
		return false // nothing is known, or nothing was done
	}
	if status != 200 && status != 402 && status != 409 {
		t.Errorf("%s: got %d: %s", one.key, status, body)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if before, ok := j.answered[one.key]; ok && before != body {
		t.Errorf("%s was answered %s and then %s", one.key, before, body)
	}
	j.answered[one.key] = body
	return true
}

func (one job) send(ctx context.Context, api *client.ClientWithResponses) (int, string, error) {
	reference := client.Reference{OrderId: &one.order}
	switch one.operation {
	case "authorize":
		params := &client.AuthorizePaymentParams{IdempotencyKey: one.key}
		return said(api.AuthorizePaymentWithResponse(ctx, params, client.Authorize{
			OrderId: one.order, Token: one.token, Amount: client.Money{AmountMinor: 100, Currency: "EUR"},
		}))
	case "capture":
		return said(api.CapturePaymentWithResponse(ctx, &client.CapturePaymentParams{IdempotencyKey: one.key}, reference))
	case "refund":
		return said(api.RefundPaymentWithResponse(ctx, &client.RefundPaymentParams{IdempotencyKey: one.key}, reference))
	}
	return said(api.CreateLabelWithResponse(ctx, &client.CreateLabelParams{IdempotencyKey: one.key}, client.LabelRequest{
		OrderId: one.order, Level: client.Standard, Address: "1 Main Street " + one.token,
	}))
}

// response is what all generated responses have.
type response interface {
	StatusCode() int
	GetBody() []byte
}

func said[R response](r R, err error) (int, string, error) {
	if err != nil {
		return 0, "", err
	}
	return r.StatusCode(), string(r.GetBody()), nil
}

// repeat asks for everything again, as callers do that do not know, until every
// request has its definite answer or can have none.
func (j *journal) repeat(t *testing.T, c *child) {
	t.Helper()
	api := c.api()
	var callers sync.WaitGroup
	slots := make(chan struct{}, 32)
	for _, one := range maps.Clone(j.asked) { // try writes to it
		slots <- struct{}{}
		callers.Go(func() {
			defer func() { <-slots }()
			for range 3 { // a flaky key may fail twice more
				if j.try(t, api, one) {
					return
				}
			}
		})
	}
	callers.Wait()
}

// audit holds the statements against the journal.
func (j *journal) audit(t *testing.T, c *child) {
	t.Helper()
	seen := map[string]bool{}
	once := func(key string, sequence int64, want int) {
		t.Helper()
		if seen[key] {
			t.Errorf("%s had two effects", key)
		}
		seen[key] = true
		if sequence != int64(want) {
			t.Errorf("entry %d of a statement has sequence %d", want, sequence)
		}
		if _, ok := j.answered[key]; !ok {
			t.Errorf("%s had an effect and no answer, asked again and again", key)
		}
	}
	for i, m := range movements(t, c) {
		once(m.Key, m.Sequence, i+1)
	}
	for i, p := range parcels(t, c) {
		once(p.Key, p.Sequence, i+1)
	}
	for key, body := range j.answered {
		if problem := isProblem(body); problem == seen[key] {
			t.Errorf("%s was answered %s; in a statement: %v", key, body, seen[key])
		}
	}
	t.Logf("%d requests, %d definite answers, %d effects", len(j.asked), len(j.answered), len(seen))
}

func isProblem(body string) bool { return len(body) > 8 && body[:8] == `{"code":` }

func movements(t *testing.T, c *child) (all []client.Movement) {
	t.Helper()
	var after int64
	for {
		r, err := c.api().ListMovementsWithResponse(t.Context(), &client.ListMovementsParams{After: &after})
		if err != nil || r.JSON200 == nil {
			t.Fatalf("read the statement: %v, %v", r, err)
		}
		all = append(all, r.JSON200.Movements...)
		if r.JSON200.Next == nil {
			return all
		}
		after = *r.JSON200.Next
	}
}

func parcels(t *testing.T, c *child) (all []client.Parcel) {
	t.Helper()
	var after int64
	for {
		r, err := c.api().ListParcelsWithResponse(t.Context(), &client.ListParcelsParams{After: &after})
		if err != nil || r.JSON200 == nil {
			t.Fatalf("read the statement: %v, %v", r, err)
		}
		all = append(all, r.JSON200.Parcels...)
		if r.JSON200.Next == nil {
			return all
		}
		after = *r.JSON200.Next
	}
}
