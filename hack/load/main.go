// Command load puts orders through the platform and keeps a journal of what it was
// told: see README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/kelseyhightower/envconfig"

	"parley.sh/hack/load/journal"
)

// settings say where the platform is.
type settings struct {
	Orders []string `envconfig:"ORDER_URL" required:"true"`
	Kafka  []string `envconfig:"KAFKA_BROKERS"`
	AMQP   string   `envconfig:"AMQP_URL"`
}

// options say what to put through it.
type options struct {
	orders  int
	rate    float64
	journal string
	seed    uint64
	settle  time.Duration
	trace   bool
	good    bool
	summary string
}

func main() {
	var o options
	flag.IntVar(&o.orders, "orders", 1000, "how many orders to place")
	flag.Float64Var(&o.rate, "rate", 100, "orders a second, placed whether or not the ones before were answered")
	flag.StringVar(&o.journal, "journal", "journal.jsonl", "the journal; an old one is gone on with")
	flag.Uint64Var(&o.seed, "seed", 0, "decides the orders; 0 takes the time")
	flag.DurationVar(&o.settle, "settle", 4*time.Minute, "how long accepted orders may take to settle after the last was placed")
	flag.BoolVar(&o.trace, "timeline", true, "print one order's way over REST, Kafka and RabbitMQ")
	flag.BoolVar(&o.good, "good", false, "place good orders only")
	flag.StringVar(&o.summary, "summary", "", "a file for the figures as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	var s settings
	if err := envconfig.Process("", &s); err != nil {
		return fmt.Errorf("read the environment: %w", err)
	}
	if o.orders < 1 || o.rate <= 0 {
		return errors.New("-orders and -rate must be positive")
	}
	r, err := newRunner(o, s.Orders)
	if err != nil {
		return err
	}
	defer func() { _ = r.journal.Close() }()
	tap := openTap(s, o.trace)
	defer tap.close()
	if err := r.run(ctx); err != nil {
		return err
	}
	r.report()
	if err := r.summarize(o.summary); err != nil {
		return err
	}
	r.showTimeline(ctx, tap)
	return r.verdict()
}

// newRunner opens the journal and reads what an earlier load left in it.
func newRunner(o options, urls []string) (*runner, error) {
	lines, err := journal.Read(o.journal)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	j, err := journal.Open(o.journal)
	if err != nil {
		return nil, err
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	return &runner{
		o: o, journal: j, urls: urls, seen: map[string]*order{},
		http:  &http.Client{Timeout: requestTimeout, Transport: transport()},
		plans: resume(lines, newPlanner(o.seed, o.good), o.orders),
	}, nil
}
