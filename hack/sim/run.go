package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"parley.sh/hack/sim/world"
	"parley.sh/services/kit/lifecycle"
	"parley.sh/services/kit/telemetry"
)

// run opens the state and serves it until ctx ends.
func run(ctx context.Context, cfg Config, t *telemetry.Telemetry) error {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("make SIM_DATA: %w", err)
	}
	w, err := world.Open(world.Options{
		Path:    filepath.Join(cfg.Data, "world.db"),
		Slow:    cfg.Slow,
		Latency: cfg.Latency,
		Log:     t.Log,
	})
	if err != nil {
		return fmt.Errorf("open the world: %w", err)
	}
	s := &server{addr: cfg.Addr, limit: cfg.ShutdownTimeout, handler: w.Handler(), log: t.Log}
	return lifecycle.Serve(ctx, cfg.Config,
		lifecycle.Stage{{Name: "http", Run: s.run}},
		lifecycle.Stage{{Name: "world", Run: w.Run}},
	)
}

// server is the HTTP side. It has no write timeout: slow tokens answer late on purpose.
type server struct {
	addr    string
	limit   time.Duration
	handler http.Handler
	log     *slog.Logger
}

// run serves until ctx ends, then lets requests in flight finish.
func (s *server) run(ctx context.Context) error {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("listen on SIM_ADDR %s: %w", s.addr, err)
	}
	h := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	s.log.InfoContext(ctx, "listening", "addr", l.Addr().String())
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	return shutDown(lifecycle.Finish(ctx), h, ended)
}

func shutDown(ctx context.Context, h *http.Server, ended <-chan error) error {
	err := h.Shutdown(ctx)
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}
