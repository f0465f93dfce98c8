// Command audit proves, or disproves, what the platform promises about a run: see
// README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/kelseyhightower/envconfig"

	"parley.sh/hack/audit/check"
	"parley.sh/hack/audit/evidence"
	"parley.sh/hack/load/journal"
)

// settings say where everything is.
type settings struct {
	Kafka     []string `envconfig:"KAFKA_BROKERS" required:"true"`
	AMQP      string   `envconfig:"AMQP_URL" required:"true"`
	Sim       string   `envconfig:"SIM_URL" required:"true"`
	Order     string   `envconfig:"ORDER_DATABASE_URL" required:"true"`
	Inventory string   `envconfig:"INVENTORY_DATABASE_URL" required:"true"`
	Payment   string   `envconfig:"PAYMENT_DATABASE_URL" required:"true"`
	Shipping  string   `envconfig:"SHIPPING_DATABASE_URL" required:"true"`
}

func (s settings) sources() evidence.Sources {
	return evidence.Sources{
		Databases: evidence.Databases{Order: s.Order, Inventory: s.Inventory, Payment: s.Payment, Shipping: s.Shipping},
		Kafka:     s.Kafka, AMQP: s.AMQP, Sim: s.Sim,
	}
}

func main() {
	path := flag.String("journal", "journal.jsonl", "the journal of the load")
	limit := flag.Duration("wait", 5*time.Minute, "how long the platform may take to come to rest")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, *path, *limit)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "audit:", err)
		os.Exit(1)
	}
}

var errBroken = errors.New("a promise was broken")

func run(ctx context.Context, path string, limit time.Duration) error {
	var s settings
	if err := envconfig.Process("", &s); err != nil {
		return fmt.Errorf("read the environment: %w", err)
	}
	lines, err := journal.Read(path)
	if err != nil {
		return err
	}
	unrest := awaitRest(ctx, s.sources(), limit)
	e, err := evidence.Gather(ctx, s.sources(), lines)
	if err != nil {
		return fmt.Errorf("gather evidence: %w", err)
	}
	e.Unrest = unrest
	return judge(e)
}

// awaitRest waits, and says every few seconds for what.
func awaitRest(ctx context.Context, s evidence.Sources, limit time.Duration) []string {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	said := start
	unrest := evidence.AwaitRest(ctx, s, func(unrest []string) {
		if time.Since(said) > 3*time.Second {
			said = time.Now()
			fmt.Printf("  waiting for rest: %s\n", strings.Join(unrest, "; "))
		}
	})
	fmt.Printf("audit: at rest after %s\n", time.Since(start).Round(10*time.Millisecond))
	return unrest
}

// shown bounds the violations that are printed for one promise.
const shown = 20

// judge runs every check and prints what it finds.
func judge(e *evidence.Evidence) error {
	records := 0
	for _, topic := range e.Topics {
		records += len(topic)
	}
	fmt.Printf("audit: %d orders, %d lines of the journal, %d records, %d movements of stock, %d of the ledger, "+
		"%d by the provider, %d parcels\n", len(e.Orders), len(e.Journal), records, len(e.Movements), len(e.Ledger),
		len(e.Provider), len(e.Carrier))
	broken := 0
	for _, c := range check.All() {
		violations := c.Run(e)
		broken += len(violations)
		mark := "kept"
		if len(violations) > 0 {
			mark = "BROKEN"
		}
		fmt.Printf("  %-6s  %-13s %s\n", mark, c.Name, c.Promise)
		for _, v := range violations[:min(shown, len(violations))] {
			fmt.Printf("          %s: %s\n", v.ID, v.What)
		}
		if len(violations) > shown {
			fmt.Printf("          and %d more\n", len(violations)-shown)
		}
	}
	fmt.Printf("audit: %d violations\n", broken)
	if broken > 0 {
		return errBroken
	}
	return nil
}
