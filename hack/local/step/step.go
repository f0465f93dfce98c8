// Package step tells a person at a terminal what takes long, that it goes on, and how long it took.
package step

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// repeat is how often a step that goes on says so.
const repeat = 10 * time.Second

// Printer writes one line per event. It is safe for concurrent use; a nil Printer is silent.
type Printer struct {
	mu sync.Mutex
	w  io.Writer
}

// New returns a Printer that writes to w.
func New(w io.Writer) *Printer { return &Printer{w: w} }

// Do runs one step and reports its start, that it goes on, and its end with the time that it took.
func (p *Printer) Do(ctx context.Context, name string, run func(context.Context) error) error {
	start := time.Now()
	p.Say("%s ...", name)
	stop := p.remind(name, start)
	err := run(ctx)
	stop()
	if err != nil {
		p.Say("%s: failed after %s", name, since(start))
		return err
	}
	p.Say("%s: %s", name, since(start))
	return nil
}

// Say writes one line.
func (p *Printer) Say(format string, args ...any) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintf(p.w, format+"\n", args...)
}

// remind says that the step goes on until the returned function is called, which waits for the reminder to end.
func (p *Printer) remind(name string, start time.Time) func() {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(repeat)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				p.Say("%s ... %s so far", name, since(start))
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

func since(start time.Time) time.Duration {
	return time.Since(start).Round(100 * time.Millisecond)
}
