// Command bench measures the platform's parts side by side with what they are built
// on, and the whole of it, in one run, and prints a table with ratios. It needs the
// three servers in its environment: `make bench` starts them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
)

func main() {
	only := flag.String("only", ".", "measure only what matches this regular expression")
	orders := flag.Int("orders", 4000, "how many orders the whole platform is given")
	rate := flag.Float64("rate", 250, "how many of them a second")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	pattern, err := regexp.Compile(*only)
	if err == nil {
		err = run(ctx, pattern, load{*orders, *rate})
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only *regexp.Regexp, l load) error {
	var rows []row
	for _, b := range benchmarks() {
		if !only.MatchString(b.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measure %s ...\n", b.name)
		found, err := b.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		rows = append(rows, found...)
	}
	if only.MatchString(platformName) {
		fmt.Fprintf(os.Stderr, "measure %s ...\n", platformName)
		found, err := l.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", platformName, err)
		}
		rows = append(rows, found...)
	}
	fmt.Print(table(rows))
	return nil
}
