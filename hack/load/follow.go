package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// change is one event of the stream of all orders.
type change struct {
	OrderID string    `json:"orderId"`
	Change  string    `json:"change"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// follow reads the stream of all orders until ctx ends, going on after the last
// event that it has seen whenever the stream breaks.
func (r *runner) follow(ctx context.Context) {
	last := ""
	for ctx.Err() == nil {
		last = r.stream(ctx, last)
		if !sleep(ctx, 200*time.Millisecond) {
			return
		}
	}
}

func (r *runner) stream(ctx context.Context, last string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url()+"/api/events", nil)
	if err != nil {
		return last
	}
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	// Not the client of the requests: a stream has no end.
	answer, err := (&http.Client{Transport: r.http.Transport}).Do(request)
	if err != nil {
		return last
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id:"); ok {
			last = strings.TrimSpace(id)
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data:"); ok {
			var c change
			if json.Unmarshal([]byte(data), &c) == nil {
				r.note(c)
			}
		}
	}
	return last
}

// note records a change. Its time is the service's: on one machine the clocks are
// one.
func (r *runner) note(c change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.seen[c.OrderID]
	if o == nil {
		// The stream may be quicker than the answer.
		o = &order{began: c.At}
		r.seen[c.OrderID] = o
	}
	since := max(c.At.Sub(o.began), time.Microsecond)
	switch c.Change {
	case "shipped", "cancelled":
		o.terminal, o.end = since, strings.TrimSpace(c.Change+" "+c.Reason)
	case "settled":
		o.settled = since
	}
}

// ask reads orders that the stream has not told the end of.
func (r *runner) ask(ctx context.Context, ids []string) {
	for _, id := range ids[:min(50, len(ids))] {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url()+"/api/orders/"+id, nil)
		if err != nil {
			return
		}
		answer, err := r.http.Do(request)
		if err != nil {
			continue
		}
		var found struct {
			Timeline []change `json:"timeline"`
		}
		if json.NewDecoder(answer.Body).Decode(&found) == nil {
			for _, c := range found.Timeline {
				r.note(c)
			}
		}
		_ = answer.Body.Close()
	}
}
