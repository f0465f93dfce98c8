package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"parley.sh/hack/local/stack"
	"parley.sh/hack/local/step"
)

const platformName = "orders"

// load is what the whole platform is given.
type load struct {
	orders int
	rate   float64
}

// run starts the platform with servers of its own, whose time it can read, and puts
// good orders through it.
func (l load) run(ctx context.Context) (rows []row, err error) {
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	progress := step.New(os.Stderr)
	bin := filepath.Join(dir, "bin")
	p, err := stack.New(stack.Options{
		Dir: filepath.Join(dir, "state"), Bin: bin, Progress: progress,
		Build: func(ctx context.Context) error {
			return stack.Build(ctx, stack.BuildOptions{Bin: bin, Progress: progress})
		},
	})
	if err != nil {
		return nil, err
	}
	if err := p.Start(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Stop(context.WithoutCancel(ctx))) }()
	if err := l.warmUp(ctx, p, dir); err != nil {
		return nil, err
	}
	return l.measure(ctx, p, dir)
}

// warmUp fills caches and lets Kafka's JVM compile.
func (l load) warmUp(ctx context.Context, p *stack.Stack, dir string) error {
	_, err := load{min(500, l.orders), l.rate / 2}.put(ctx, p, dir, "warm")
	return err
}

// figures are what the load writes.
type figures struct {
	Accepted  int     `json:"accepted"`
	PerSecond float64 `json:"perSecond"`
	P50       int64   `json:"p50"`
	P99       int64   `json:"p99"`
}

func (l load) measure(ctx context.Context, p *stack.Stack, dir string) ([]row, error) {
	before, err := spent(p)
	if err != nil {
		return nil, err
	}
	f, err := l.put(ctx, p, dir, "measured")
	if err != nil {
		return nil, err
	}
	after, err := spent(p)
	if err != nil {
		return nil, err
	}
	rows := []row{
		{fmt.Sprintf("orders from POST to settled, %d at %.0f/s, orders/s", l.orders, l.rate), number(f.PerSecond), "200"},
		{"POST to settled, p50, ms", strconv.FormatInt(f.P50, 10), ""},
		{"POST to settled, p99, ms", strconv.FormatInt(f.P99, 10), ""},
	}
	total := 0.0
	for _, name := range p.Names() {
		each := (after[name] - before[name]).Seconds() * 1000 / float64(f.Accepted)
		total += each
		rows = append(rows, row{"CPU per order, " + name + ", ms", number(each), ""})
	}
	return append(rows, row{"CPU per order, all processes, ms", number(total), ""}), nil
}

// put runs the load and reads its figures.
func (l load) put(ctx context.Context, p *stack.Stack, dir, name string) (figures, error) {
	summary := filepath.Join(dir, name+".json")
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "bin", "load"), "-good", "-timeline=false",
		"-orders", strconv.Itoa(l.orders), "-rate", strconv.FormatFloat(l.rate, 'f', -1, 64),
		"-journal", filepath.Join(dir, name+".jsonl"), "-summary", summary)
	cmd.Env = append(os.Environ(), p.Environment()...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return figures{}, fmt.Errorf("run the load: %w", err)
	}
	data, err := os.ReadFile(summary)
	if err != nil {
		return figures{}, err
	}
	var f figures
	err = json.Unmarshal(data, &f)
	return f, err
}
