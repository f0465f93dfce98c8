package port_test

import (
	"errors"
	"net"
	"testing"

	"parley.sh/hack/local/port"
)

func TestFree(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 20 {
		ports, err := port.Free(5)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range ports {
			if seen[p] || p < 1024 {
				t.Errorf("port %d was given twice, or is reserved", p)
			}
			seen[p] = true
			if err := port.Check(port.Claim{Port: p}); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestCheckTaken(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{"loopback": "127.0.0.1:0", "all interfaces": ":0"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = listener.Close() }()
			taken := port.Of(listener.Addr().String())
			var got *port.TakenError
			err = port.Check(port.Claim{Server: "kafka", Purpose: "clients", Port: taken, Setting: "KAFKA_PORT"})
			if !errors.As(err, &got) {
				t.Fatalf("check = %v, want a *port.TakenError", err)
			}
			if got.Owner == "" || got.Server != "kafka" || got.Port != taken || got.Setting != "KAFKA_PORT" {
				t.Errorf("error = %+v", got)
			}
		})
	}
}

func TestOr(t *testing.T) {
	t.Parallel()
	if got, err := port.Or(8081); err != nil || got != 8081 {
		t.Errorf("Or(8081) = %d, %v", got, err)
	}
	if got, err := port.Or(0); err != nil || got == 0 {
		t.Errorf("Or(0) = %d, %v", got, err)
	}
}
