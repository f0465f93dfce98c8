package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"parley.sh/hack/load/journal"
	"parley.sh/services/order/client"
)

const (
	// requestTimeout bounds one request.
	requestTimeout = 10 * time.Second
	// firstPause and longPause bound the pause before a request is repeated.
	firstPause = 100 * time.Millisecond
	longPause  = 3 * time.Second
	// copies is how often a repeated order's POST is sent at once.
	copies = 4
)

func transport() *http.Transport {
	return &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second}
}

// placeUntilAnswered sends a POST, again and again under the same key, until the
// answer is definite. It reports false when ctx ended before.
func (r *runner) placeUntilAnswered(ctx context.Context, p plan) (status int, id string, ok bool) {
	if p.Plan != journal.Repeated {
		return r.placeAgain(ctx, p)
	}
	var wg sync.WaitGroup
	for range copies - 1 {
		wg.Go(func() {
			status, id, ok := r.placeAgain(ctx, p)
			if ok {
				r.write(journal.Line{Kind: journal.Placed, Key: p.Key, Customer: p.Customer, Status: status, OrderID: id})
			}
		})
	}
	status, id, ok = r.placeAgain(ctx, p)
	wg.Wait()
	return status, id, ok
}

func (r *runner) placeAgain(ctx context.Context, p plan) (status int, id string, ok bool) {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		if status, id := r.place(ctx, p); definite(status) {
			return status, id, true
		}
		if !sleep(ctx, pause) {
			return 0, "", false
		}
	}
}

// definite reports whether a status answers for good. Too many requests, a timeout
// or a server's trouble do not: the order may exist or not.
func definite(status int) bool {
	return status >= 200 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// place sends a POST once. A status of 0 is no answer.
func (r *runner) place(ctx context.Context, p plan) (status int, id string) {
	api, err := client.NewClientWithResponses(r.url(), client.WithHTTPClient(r.http))
	if err != nil {
		return 0, ""
	}
	answer, err := api.PlaceOrderWithResponse(ctx, &client.PlaceOrderParams{IdempotencyKey: p.Key}, body(p))
	if err != nil {
		return 0, ""
	}
	if answer.JSON202 != nil {
		return answer.StatusCode(), answer.JSON202.ID.String()
	}
	return answer.StatusCode(), ""
}

func body(p plan) client.PlaceOrder {
	items := make([]client.PlaceItem, len(p.Items))
	for i, item := range p.Items {
		items[i] = client.PlaceItem{ProductID: item.ProductID, Quantity: item.Quantity}
	}
	return client.PlaceOrder{
		CustomerID: p.Customer, Items: items,
		Payment:  client.PlacePayment{Token: p.Token},
		Shipping: client.Shipping{Level: client.ShippingLevel(p.Level), Address: &p.Address},
	}
}

// cancelUntilAnswered asks to cancel until the answer is definite.
func (r *runner) cancelUntilAnswered(ctx context.Context, id string) (status int, ok bool) {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		if status := r.cancelOnce(ctx, id); definite(status) {
			return status, true
		}
		if !sleep(ctx, pause) {
			return 0, false
		}
	}
}

func (r *runner) cancelOnce(ctx context.Context, id string) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url()+"/api/orders/"+id+"/cancel", nil)
	if err != nil {
		return 0
	}
	answer, err := r.http.Do(request)
	if err != nil {
		return 0
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode
}

// sleep waits about d. It reports false when ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d/2 + rand.N(d)):
		return true
	}
}
