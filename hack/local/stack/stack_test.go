package stack

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley.sh/hack/local/process"
	"parley.sh/hack/local/server"
)

// serveVariable makes the test program a service: one that answers /healthz and /readyz, or one that never answers.
const (
	serveVariable = "STACK_TEST_SERVE"
	answering     = "answering"
	mute          = "mute"
)

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		serve()
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

func serve() {
	ok := func(http.ResponseWriter, *http.Request) {}
	http.HandleFunc("/healthz", ok)
	http.HandleFunc("/readyz", ok)
	if os.Getenv(serveVariable) == mute {
		select {}
	}
	s := http.Server{Addr: os.Getenv("HTTP_ADDR"), ReadHeaderTimeout: time.Second}
	_ = s.ListenAndServe()
	os.Exit(1)
}

// small is a stack of the simulator and one service, on servers that are somewhere else.
func small(t *testing.T) *Stack {
	t.Helper()
	s, err := New(Options{Dir: t.TempDir(), Root: t.TempDir(), Use: elsewhere})
	if err != nil {
		t.Fatal(err)
	}
	s.sim = service(t, Sim, answering)
	s.programs, s.order = map[string]*server.Service{Order: service(t, Order, answering)}, []string{Order}
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(t.Context())) })
	return s
}

// service is the test program as a service of the given kind.
func service(t *testing.T, name, kind string) *server.Service {
	t.Helper()
	program, err := server.NewService(server.ServiceOptions{
		Options: server.Options{Dir: t.TempDir()}, Name: name, Program: os.Args[0], Env: []string{serveVariable + "=" + kind},
	})
	if err != nil {
		t.Fatal(err)
	}
	return program
}

var elsewhere = Servers{
	Kafka: "kafka:9092", AMQP: "amqp://user:secret@rabbit:5672/", Management: "http://user:secret@rabbit:15672",
	Database: "postgres://admin:secret@db:5432/postgres",
}

func TestSupervise(t *testing.T) {
	t.Parallel()
	s := small(t)
	if err := errors.Join(s.sim.Start(t.Context()), s.startServices(t.Context())); err != nil {
		t.Fatal(err)
	}
	s.supervise(t.Context())
	for range 3 {
		first := s.Process(Order)
		if err := first.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, "another process", func() bool {
			next := s.Process(Order)
			return next.PID != 0 && next != first && s.WaitReady(t.Context()) == nil
		})
	}
	state, err := Read(s.options.Dir)
	if err != nil || !state.Running() || state.URLs[Order] != s.URL(Order) {
		t.Errorf("state = %+v, %v, want ours", state, err)
	}
	last := s.Process(Order)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if last.Alive() || s.Process(Order) != (process.Identity{}) {
		t.Error("the service runs after Stop")
	}
	if _, err := Read(s.options.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("state after Stop = %v, want fs.ErrNotExist", err)
	}
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	timeout, tick := time.After(30*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-timeout:
			t.Fatalf("in 30 s not: %s", what)
		case <-tick.C:
		}
	}
}

// A process that takes long to start must not keep others from being watched, nor from being seen.
func TestSlowStartHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := small(t)
	if err := s.startServices(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.sim = service(t, Sim, mute)
	started := make(chan error, 1)
	go func() { started <- s.startUnit(t.Context(), s.sim.Server) }()
	await(t, "the mute one runs", func() bool { return s.Process(Sim).PID != 0 })
	first := s.Process(Order)
	if err := errors.Join(s.Kill(Order), s.Restart(t.Context(), Order)); err != nil {
		t.Fatal(err)
	}
	if s.Process(Order) == first {
		t.Error("order was not started again")
	}
	if err := s.Kill(Sim); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err == nil {
		t.Error("the start of a program that never answers succeeded")
	}
}

func TestKillAndRestart(t *testing.T) {
	t.Parallel()
	s := small(t)
	if err := s.Restart(t.Context(), Order); err != nil {
		t.Fatal(err)
	}
	address, first := s.URL(Order), s.Process(Order)
	if err := s.Kill(Order); err != nil {
		t.Fatal(err)
	}
	if first.Alive() {
		t.Error("alive after Kill")
	}
	if err := s.Restart(t.Context(), Order); err != nil {
		t.Fatal(err)
	}
	if s.URL(Order) != address || s.Process(Order) == first {
		t.Errorf("after Restart: %s, process %v; want %s and another process", s.URL(Order), s.Process(Order), address)
	}
	for name, call := range map[string]error{
		"kill":    s.Kill("nobody"),
		"restart": s.Restart(t.Context(), "nobody"),
		"ready":   s.WaitReady(t.Context(), "nobody"),
	} {
		if call == nil {
			t.Errorf("%s of an unknown process is no error", name)
		}
	}
}

func TestNewPlansEverything(t *testing.T) {
	t.Parallel()
	s, err := New(Options{
		Dir: t.TempDir(), Root: t.TempDir(), Use: elsewhere,
		Replicas: map[string]int{Order: 3, Inventory: 2},
		Ports:    map[string]int{Order: 8081},
		Env:      map[string][]string{"": {"A=all", "B=all"}, Order: {"B=order"}, "order-2": {"C=second"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{Sim, "inventory", "inventory-2", "payment", "shipping", "order", "order-2", "order-3"}
	if got := s.Names(); !slices.Equal(got, want) {
		t.Errorf("names = %q, want %q", got, want)
	}
	if got := s.URL(Order); got != "http://127.0.0.1:8081" {
		t.Errorf("order is at %s", got)
	}
	env := effective(s.programEnv(Order, "order-2", s.serviceEnv(Order, 2)...))
	for name, value := range map[string]string{
		"A": "all", "B": "order", "C": "second", "KAFKA_BROKERS": "kafka:9092", "INVENTORY_URL": s.URL("inventory-2"),
		"DATABASE_URL": s.DatabaseURL(Order),
	} {
		if env[name] != value {
			t.Errorf("%s of order-2 = %q, want %q", name, env[name], value)
		}
	}
	if third := effective(s.serviceEnv(Order, 3)); third["INVENTORY_URL"] != s.URL(Inventory) {
		t.Errorf("order-3 calls %s, want the first inventory", third["INVENTORY_URL"])
	}
	if own := s.DatabaseURL(Order); !strings.HasPrefix(own, "postgres://parley_order:") || !strings.HasSuffix(own, "@db:5432/parley_order") {
		t.Errorf("database of order = %s", own)
	}
}

// effective is what a process sees of an environment: the last of equal names.
func effective(env []string) map[string]string {
	seen := map[string]string{}
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		seen[name] = value
	}
	return seen
}

func TestRabbitAddressHidesThePassword(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]Servers{
		"given":   elsewhere,
		"derived": {Kafka: elsewhere.Kafka, Database: elsewhere.Database, AMQP: elsewhere.AMQP},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := New(Options{Dir: t.TempDir(), Root: t.TempDir(), Use: use})
			if err != nil {
				t.Fatal(err)
			}
			address, password, err := s.rabbitAddress()
			const want = "amqp://user@rabbit:5672/?management=http%3A%2F%2Frabbit%3A15672"
			if err != nil || address != want || password != "secret" {
				t.Errorf("address = %s, password %q, %v; want %s and the password apart", address, password, err, want)
			}
		})
	}
}
