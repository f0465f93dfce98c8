package server_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"parley.sh/hack/local/port"
	"parley.sh/hack/local/process"
	"parley.sh/hack/local/server"
	"parley.sh/hack/local/step"
)

// requireServers skips a test that starts servers of its own unless the run is one with servers: installing them is not what
// a unit test does.
func requireServers(t *testing.T) {
	t.Helper()
	if os.Getenv("REQUIRE_BROKERS") != "1" {
		t.Skip("set REQUIRE_BROKERS=1 to install and start servers")
	}
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// subject is what the tests need of any server.
type subject interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Kill() error
	Restart(ctx context.Context) error
	Process() *process.Process
	Done() <-chan struct{}
	Addr() string
}

// options of one server below a fresh folder.
func options(t *testing.T) server.Options {
	t.Helper()
	return server.Options{Dir: t.TempDir(), Progress: step.New(t.Output())}
}

// testLife starts, kills, restarts and stops a server, and checks after each start that it kept what was written first.
func testLife(t *testing.T, s subject, write, check func(ctx context.Context) error) {
	t.Helper()
	ctx := deadline(t)
	t.Cleanup(func() {
		if err := s.Kill(); err != nil {
			t.Errorf("kill at the end: %v", err)
		}
	})
	must(t, "start", s.Start(ctx))
	must(t, "write", write(ctx))
	must(t, "check", check(ctx))

	first := s.Process().PID()
	must(t, "start again", s.Start(ctx))
	if got := s.Process().PID(); got != first {
		t.Errorf("a second start made process %d beside %d", got, first)
	}

	addr := s.Addr()
	must(t, "kill", s.Kill())
	free(t, s)
	must(t, "start after kill", s.Start(ctx))
	must(t, "check after kill", check(ctx))
	if s.Addr() != addr {
		t.Errorf("address after restart = %s, want %s", s.Addr(), addr)
	}

	// A kill by a stranger: the first process alone gets the signal.
	done := s.Done()
	must(t, "signal", s.Process().Signal(os.Kill))
	<-done
	must(t, "start after a stranger's kill", s.Start(ctx))
	must(t, "check after a stranger's kill", check(ctx))

	must(t, "restart", s.Restart(ctx))
	must(t, "check after restart", check(ctx))
	must(t, "stop", s.Stop(ctx))
	free(t, s)
	must(t, "stop again", s.Stop(ctx))
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// free checks that nothing answers at the server's address.
func free(t *testing.T, s subject) {
	t.Helper()
	if err := port.Check(port.Claim{Port: port.Of(s.Addr())}); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

// hold listens on a port until the test ends.
func hold(t *testing.T) int {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, "listen", err)
	t.Cleanup(func() { _ = listener.Close() })
	return port.Of(listener.Addr().String())
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	taken := hold(t)
	base := func() server.Options {
		return server.Options{Dir: t.TempDir(), Port: taken, PortSetting: "SOME_PORT"}
	}
	makers := map[string]func() (subject, error){
		"kafka":      func() (subject, error) { return server.NewKafka(server.KafkaOptions{Options: base()}) },
		"rabbitmq":   func() (subject, error) { return server.NewRabbit(server.RabbitOptions{Options: base()}) },
		"postgres":   func() (subject, error) { return server.NewPostgres(server.PostgresOptions{Options: base()}) },
		"management": func() (subject, error) { return management(t, taken) },
	}
	for name, make := range makers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := make()
			must(t, "make", err)
			t.Cleanup(func() { _ = s.Kill() })
			var got *port.TakenError
			if err := s.Start(t.Context()); !errors.As(err, &got) {
				t.Fatalf("start = %v, want a *port.TakenError", err)
			}
			if got.Port != taken || got.Setting != "SOME_PORT" || got.Owner == "" {
				t.Errorf("error = %+v, want port %d, its owner, and the setting", got, taken)
			}
		})
	}
}

func management(t *testing.T, taken int) (subject, error) {
	t.Helper()
	return server.NewRabbit(server.RabbitOptions{
		Options: server.Options{Dir: t.TempDir()}, ManagementPort: taken, ManagementSetting: "SOME_PORT",
	})
}

func TestFolderHasOneOwner(t *testing.T) {
	requireServers(t)
	t.Parallel()
	o := options(t)
	first, err := server.NewPostgres(server.PostgresOptions{Options: o})
	must(t, "make", err)
	must(t, "start", first.Start(deadline(t)))
	t.Cleanup(func() { _ = first.Kill() })
	second, err := server.NewPostgres(server.PostgresOptions{Options: o})
	must(t, "make", err)
	if err := second.Start(t.Context()); err == nil {
		t.Error("a second server started in the folder of a running one")
	}
	must(t, "the first still answers", server.AskPostgres(t.Context(), first.URL()))
}

func TestRefusedSettingIsShown(t *testing.T) {
	requireServers(t)
	t.Parallel()
	p, err := server.NewPostgres(server.PostgresOptions{
		Options: options(t), Settings: map[string]string{"no_such_setting": "1"},
	})
	must(t, "make", err)
	if err := p.Start(deadline(t)); err == nil {
		t.Fatal("started with an unknown setting")
	}
	if p.Process().Alive() {
		t.Error("a process runs after a start that did not succeed")
	}
}

func name(n int) string { return "item-" + strconv.Itoa(n) }
