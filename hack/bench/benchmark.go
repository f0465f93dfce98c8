package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// benchmark is one Go benchmark that measures two things in one run.
type benchmark struct {
	name     string
	pkg      string
	function string
	times    string
	// figures are the metrics to show, by their units.
	figures []figure
}

// figure is one line of the table.
type figure struct {
	unit, what, aim string
}

func benchmarks() []benchmark {
	return []benchmark{
		{"kafka publish", "./services/kit/kafka", "BenchmarkPublish", "3x", []figure{
			{"kit-msg/s", "Kafka publish through the kit, messages/s", ""},
			{"raw-msg/s", "raw sarama AsyncProducer, messages/s", ""},
			{"ratio", "kit over raw", "0.95"},
		}},
		{"kafka consume", "./services/kit/kafka", "BenchmarkConsumeKeyed", "1x", []figure{
			{"s/run", "10,000 messages of 0 to 5 ms, 20 keys, one partition, s", ""},
			{"ideal-s", "the ideal: the largest sum of one key, s", ""},
			{"of-ideal", "over the ideal", "at most 1.15"},
			{"times-serial", "times as fast as a serial consumer", ""},
		}},
		{"rabbitmq publish", "./services/kit/rabbit", "BenchmarkPublish", "3x", []figure{
			{"kit-msg/s", "RabbitMQ confirmed publish through the kit, messages/s", ""},
			{"raw-msg/s", "raw deferred confirms in an equal window, messages/s", ""},
			{"single-msg/s", "one confirm at a time, messages/s", ""},
			{"kit/raw", "kit over raw", "0.95"},
			{"kit/single", "kit over one at a time", "10"},
		}},
		{"outbox insert", "./services/kit/outbox", "BenchmarkInsert", "2x", []figure{
			{"without/s", "business insert without outbox, transactions/s", ""},
			{"queue/s", "with it in the round trip of the insert (outbox.Queue), transactions/s", ""},
			{"add/s", "with it in a round trip of its own (outbox.Add), transactions/s", ""},
			{"queue-ratio", "Queue over without", "0.8"},
			{"add-ratio", "Add over without", ""},
		}},
		{"outbox drain", "./services/kit/outbox", "BenchmarkDrainKafka", "3x", []figure{
			{"rows/s", "relay drain into Kafka, rows/s", "30000"},
		}},
		{"rest", "./services/kit/rest", "BenchmarkOverPlain", "3x", []figure{
			{"rest-calls/s", "resilient REST call, calls/s", ""},
			{"plain-calls/s", "plain net/http, calls/s", ""},
			{"ratio", "resilient over plain", "0.95"},
		}},
	}
}

// run runs the benchmark and returns its figures.
func (b benchmark) run(ctx context.Context) ([]row, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^"+b.function+"$", "-benchtime", b.times, b.pkg)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	metrics, err := parse(string(out), b.function)
	if err != nil {
		return nil, err
	}
	rows := make([]row, 0, len(b.figures))
	for _, f := range b.figures {
		value, ok := metrics[f.unit]
		if !ok {
			return nil, fmt.Errorf("no figure %s in:\n%s", f.unit, out)
		}
		rows = append(rows, row{f.what, number(value), f.aim})
	}
	return rows, nil
}

// parse reads the metrics of a benchmark's line: pairs of value and unit.
func parse(out, function string) (map[string]float64, error) {
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[0], function) {
			continue
		}
		metrics := map[string]float64{}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("read %q: %w", line, err)
			}
			metrics[fields[i+1]] = value
		}
		return metrics, nil
	}
	return nil, fmt.Errorf("no line of %s in:\n%s", function, out)
}

// row is one line of the table.
type row struct{ what, value, aim string }

func number(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func table(rows []row) string {
	var b strings.Builder
	b.WriteString("| what | figure | aim |\n|---|---:|---:|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.what, r.value, r.aim)
	}
	return b.String()
}
