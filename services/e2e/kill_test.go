package e2e

import (
	"strings"
	"testing"

	"parley.sh/hack/local/stack"
)

const (
	orders = 500
	rate   = 25
)

// TestServicesKilled kills every service process with SIGKILL under load.
func TestServicesKilled(t *testing.T) {
	killUnderLoad(t, stack.Order, stack.Inventory, stack.Payment, stack.Shipping,
		stack.Replica(stack.Order, 2), stack.Replica(stack.Inventory, 2))
}

// TestServersKilled kills both brokers, the database server and the outside world
// with SIGKILL under load.
func TestServersKilled(t *testing.T) {
	killUnderLoad(t, stack.RabbitMQ, stack.Sim, stack.Kafka, stack.Postgres)
}

// killUnderLoad spreads the kills over the time in which orders are placed.
func killUnderLoad(t *testing.T, names ...string) {
	t.Helper()
	l := startLoad(t, orders, rate)
	for i, name := range names {
		l.reach(float64(i+1) / float64(len(names)+1))
		restart(t, name)
	}
	l.finish()
	mustPass(t, journals(t)...)
}

// restart kills a process and starts it again.
func restart(t *testing.T, name string) {
	t.Helper()
	t.Logf("kill -9 %s", name)
	if err := platform.Kill(name); err != nil {
		t.Fatalf("kill %s: %v", name, err)
	}
	revive(t, name)
}

func revive(t *testing.T, name string) {
	t.Helper()
	if err := platform.Restart(t.Context(), name); err != nil {
		t.Fatalf("restart %s: %v", name, err)
	}
}

// TestBrokerStopped stops a broker for as long as orders are placed: they are
// accepted all the same, and settle when it is back.
func TestBrokerStopped(t *testing.T) {
	for _, name := range []string{stack.Kafka, stack.RabbitMQ} {
		t.Run(name, func(t *testing.T) {
			if err := platform.Kill(name); err != nil {
				t.Fatal(err)
			}
			var ids []string
			for range 10 {
				status, id := place(t, stack.Order, good("stopped"), newKey())
				if status != 202 {
					t.Errorf("POST with %s stopped: %d", name, status)
				}
				ids = append(ids, id)
			}
			revive(t, name)
			for _, id := range ids {
				eventually(t, "order "+id+" to settle", func() bool { return get(t, id).Settled })
			}
		})
	}
	mustPass(t, journals(t)...)
}

// TestZAuditCanFail breaks promises behind the platform's back, in a database, on a
// topic and at the provider, and wants each named. It comes last: nothing is whole
// afterwards.
func TestZAuditCanFail(t *testing.T) {
	mustPass(t, journals(t)...)
	breakRow(t)
	breakTopic(t)
	breakStatement(t)
	out, err := audit(t, journals(t)...)
	if err == nil {
		t.Fatalf("an audit of broken promises passed:\n%s", out)
	}
	for _, check := range []string{"stock", "orders topic", "known", "ledger"} {
		if !strings.Contains(out, "BROKEN  "+check) {
			t.Errorf("the audit does not say that %q is broken:\n%s", check, out)
		}
	}
}
