package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"parley.sh/services/kit/lifecycle"
)

// headerSlack is how far beyond MaxHeaderBytes net/http reads, so that the answer
// to a little too much is ours; to far too much it is net/http's plain text.
const headerSlack = 4

// Run listens on HTTP_ADDR and serves until ctx ends; then it drains as the package
// comment says and returns nil. Requests in flight are cut off when
// lifecycle.Finish(ctx) ends. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen on HTTP_ADDR: %w", err)
	}
	s.addr = listener.Addr()
	close(s.listening)
	s.opts.Log.InfoContext(ctx, "listening", "addr", s.addr.String())
	server := s.newServer(lifecycle.Finish(ctx))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		s.end()
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	err = s.drain(lifecycle.Finish(ctx), server)
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// Listening returns a channel that is closed once the server accepts connections.
func (s *Server) Listening() <-chan struct{} { return s.listening }

// Addr returns where the server listens; call it only after Listening.
func (s *Server) Addr() net.Addr { return s.addr }

func (s *Server) newServer(base context.Context) *http.Server {
	return &http.Server{
		Handler:           s.Engine,
		ReadHeaderTimeout: s.cfg.ReadTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    headerSlack * s.cfg.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
}

// drain lets load balancers notice, then finishes what is in flight.
func (s *Server) drain(finish context.Context, server *http.Server) error {
	s.health.drain()
	s.opts.Log.InfoContext(finish, "draining", "in_flight", s.slots.taken(), "streams", s.streams.taken())
	wait := time.NewTimer(s.opts.DrainDelay)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-finish.Done():
	}
	s.end()
	if err := server.Shutdown(finish); err != nil {
		return errors.Join(fmt.Errorf("finish requests in flight: %w", err), server.Close())
	}
	return nil
}
