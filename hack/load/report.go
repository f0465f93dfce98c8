package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/mattn/go-isatty"
)

// progress prints a line a second on a terminal, and one in five elsewhere.
func (r *runner) progress(ctx context.Context) {
	every, end := 5*time.Second, "\n"
	if isatty.IsTerminal(os.Stdout.Fd()) {
		every, end = time.Second, "\r"
		defer fmt.Println()
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			fmt.Printf("  %s%s", r.tally(), end)
		}
	}
}

func (r *runner) tally() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	accepted, refused, terminal, settled := 0, 0, 0, 0
	for _, o := range r.orders {
		switch {
		case o.id != "":
			accepted++
		case o.status != 0:
			refused++
		}
		if o.terminal > 0 {
			terminal++
		}
		if o.settled > 0 {
			settled++
		}
	}
	return fmt.Sprintf("%5s  sent %d of %d  accepted %d  refused %d  shipped or cancelled %d  settled %d",
		time.Since(r.start).Round(time.Second), len(r.orders), len(r.plans), accepted, refused, terminal, settled)
}

// report prints how the orders ended and how long they took.
func (r *runner) report() {
	r.mu.Lock()
	defer r.mu.Unlock()
	outcomes := map[[2]string]int{}
	accepted := 0
	for _, o := range r.orders {
		if o.id != "" {
			accepted++
		}
		outcomes[[2]string{string(o.plan), outcomeOf(o)}]++
	}
	fmt.Printf("\n  %-16s %-30s %s\n", "meant", "ended", "orders")
	keys := slices.SortedFunc(maps.Keys(outcomes), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		fmt.Printf("  %-16s %-30s %6d\n", k[0], k[1], outcomes[k])
	}
	fmt.Printf("\n  %d orders in %s, %d accepted: %.1f a second to settled\n", len(r.orders),
		r.took.Round(100*time.Millisecond), accepted, float64(accepted)/r.took.Seconds())
	r.latencies()
}

func outcomeOf(o *order) string {
	switch {
	case o.status == 0:
		return "no answer"
	case o.id == "":
		return fmt.Sprintf("refused with %d %s", o.status, http.StatusText(o.status))
	case o.end == "":
		return "not ended"
	case o.settled == 0:
		return o.end + ", not settled"
	}
	return o.end
}

func (r *runner) latencies() {
	var answered, terminal, settled []time.Duration
	for _, o := range r.orders {
		if o.id == "" {
			continue
		}
		answered = append(answered, o.answered)
		if o.terminal > 0 {
			terminal = append(terminal, o.terminal)
		}
		if o.settled > 0 {
			settled = append(settled, o.settled)
		}
	}
	fmt.Printf("  %-24s %10s %10s %10s\n", "from POST to", "p50", "p95", "p99")
	for _, row := range []struct {
		name string
		all  []time.Duration
	}{{"202 Accepted", answered}, {"shipped or cancelled", terminal}, {"settled", settled}} {
		fmt.Printf("  %-24s %10s %10s %10s\n", row.name,
			quantile(row.all, 0.50), quantile(row.all, 0.95), quantile(row.all, 0.99))
	}
}

// summary is what -summary writes.
type summary struct {
	Accepted  int     `json:"accepted"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	// Of the time from POST to settled, in milliseconds.
	P50 int64 `json:"p50"`
	P95 int64 `json:"p95"`
	P99 int64 `json:"p99"`
}

// summarize writes the figures to a file; an empty path writes none.
func (r *runner) summarize(path string) error {
	if path == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var settled []time.Duration
	for _, o := range r.orders {
		if o.settled > 0 {
			settled = append(settled, o.settled)
		}
	}
	data, err := json.Marshal(summary{
		Accepted: len(settled), Seconds: r.took.Seconds(), PerSecond: float64(len(settled)) / r.took.Seconds(),
		P50: quantile(settled, 0.50).Milliseconds(), P95: quantile(settled, 0.95).Milliseconds(),
		P99: quantile(settled, 0.99).Milliseconds(),
	})
	if err != nil {
		return fmt.Errorf("encode the summary: %w", err)
	}
	return os.WriteFile(path, data, 0o600)
}

// quantile returns the smallest duration that a share q of all does not exceed.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(q*float64(len(all))), len(all)-1)].Round(time.Millisecond)
}
