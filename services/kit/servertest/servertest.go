package servertest

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The variables that name the servers of a test run.
const (
	KafkaVariable      = "KAFKA_BROKERS"
	AMQPVariable       = "AMQP_URL"
	ManagementVariable = "AMQP_MANAGEMENT_URL"
	DatabaseVariable   = "DATABASE_URL"
	// RequireVariable set to 1 turns a missing server into a failure.
	RequireVariable = "REQUIRE_BROKERS"
)

// managementOffset is what separates RabbitMQ's two ports where the management
// address is not given: 15672 and 5672 on a common server, 15673 and 15672 on a
// server of the local run, whose ports follow each other.
const managementOffset = 1

// Kafka returns the bootstrap addresses of the Kafka under test.
func Kafka(tb testing.TB) []string {
	tb.Helper()
	return strings.Split(variable(tb, KafkaVariable), ",")
}

// AMQP returns the URL of the RabbitMQ under test.
func AMQP(tb testing.TB) string {
	tb.Helper()
	return variable(tb, AMQPVariable)
}

// Management returns the URL of RabbitMQ's management API, credentials included
// and without a trailing slash. Unless AMQP_MANAGEMENT_URL names it, it is
// derived from AMQP_URL: same host and user, port 15672 beside the standard 5672,
// else the port that follows.
func Management(tb testing.TB) string {
	tb.Helper()
	if given := os.Getenv(ManagementVariable); given != "" {
		return strings.TrimSuffix(given, "/")
	}
	derived, err := management(variable(tb, AMQPVariable))
	if err != nil {
		tb.Fatalf("derive the management address from %s: %v", AMQPVariable, err)
	}
	return derived
}

// Name returns a short name that no other test uses: the test's own name in
// lower case and dashes, cut, and a random tail. It suits topics, queues,
// exchanges, groups and, with dashes replaced, tables.
func Name(tb testing.TB) string {
	tb.Helper()
	return unique(tb.Name())
}

func unique(name string) string {
	const longest = 24
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + ('a' - 'A')
		}
		return '-'
	}, name)
	if len(safe) > longest {
		safe = safe[:longest]
	}
	var tail [5]byte
	_, _ = rand.Read(tail[:]) // never fails: see crypto/rand.Read
	return strings.Trim(safe, "-") + "-" + hex.EncodeToString(tail[:])
}

func variable(tb testing.TB, name string) string {
	tb.Helper()
	value := os.Getenv(name)
	if value != "" {
		return value
	}
	if os.Getenv(RequireVariable) == "1" {
		tb.Fatalf("%s=1 but %s is not set: start the servers and name them", RequireVariable, name)
	}
	tb.Skipf("%s is not set", name)
	return ""
}

func management(amqp string) (string, error) {
	u, err := url.Parse(amqp)
	if err != nil {
		return "", err
	}
	port, err := strconv.ParseUint(cmp.Or(u.Port(), "5672"), 10, 16)
	if err != nil {
		return "", err
	}
	if port == 5672 {
		port = 15672
	} else {
		port += managementOffset
	}
	m := url.URL{Scheme: "http", User: u.User, Host: net.JoinHostPort(u.Hostname(), strconv.FormatUint(port, 10))}
	if u.Scheme == "amqps" {
		m.Scheme = "https"
	}
	return m.String(), nil
}
