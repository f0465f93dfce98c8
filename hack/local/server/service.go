package server

import (
	"context"
	"fmt"
	"net/http"

	"parley.sh/hack/local/process"
)

// ServiceOptions say how to run a program that serves HTTP and answers /healthz. Name and Program are required.
type ServiceOptions struct {
	Options
	Name string
	// Program is the path of the built program.
	Program string
	// AddrVariable is the variable that tells the program where to listen. Empty means HTTP_ADDR.
	AddrVariable string
	// Env is the rest of the program's environment.
	Env []string
}

// Service is a program of the platform: one of the services, or the simulator. It is not waited for longer than until it
// answers /healthz: whether it is ready depends on servers that may be down on purpose. See Ready.
type Service struct {
	*Server
	options ServiceOptions
	port    int
}

// NewService chooses the port of a service; Start starts it.
func NewService(o ServiceOptions) (*Service, error) {
	if o.AddrVariable == "" {
		o.AddrVariable = "HTTP_ADDR"
	}
	s := &Service{Server: &Server{}, options: o}
	if err := s.open(o.Name, o.Options); err != nil {
		return nil, err
	}
	var err error
	if s.port, err = s.claim("HTTP", o.Port, o.PortSetting); err != nil {
		return nil, err
	}
	s.prepare = func(context.Context) error { return nil }
	s.command, s.ready = s.run, s.lives
	return s, nil
}

// Addr is host:port of the service.
func (s *Service) Addr() string { return local(s.port) }

// URL is the base of the service's addresses, without a slash at the end.
func (s *Service) URL() string { return "http://" + s.Addr() }

func (s *Service) run() process.Command {
	return process.Command{
		Path: s.options.Program,
		Env:  append([]string{s.options.AddrVariable + "=" + s.Addr()}, s.options.Env...),
		Dir:  s.dir,
	}
}

func (s *Service) lives(ctx context.Context) error { return s.ask(ctx, "/healthz") }

// Ready returns nil when the service says at /readyz that it may receive traffic.
func (s *Service) Ready(ctx context.Context) error { return s.ask(ctx, "/readyz") }

func (s *Service) ask(ctx context.Context, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s: %w", s.name, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", s.name, err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s: %s answers %s", s.name, path, response.Status)
	}
	return nil
}
