package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"parley.sh/hack/local/install"
	"parley.sh/hack/local/port"
	"parley.sh/hack/local/process"
	"parley.sh/hack/local/step"
)

// DefaultStartTimeout is how long a server may take from its start to its first answer; the installation is not counted.
const DefaultStartTimeout = 2 * time.Minute

// Options are common to all servers. Dir is required.
type Options struct {
	// Dir is the folder of state and log, made when missing. Give each server one of its own.
	Dir string
	// Port that clients connect to. Zero means a free one.
	Port int
	// PortSetting names what the user changes for another Port, for the error about a taken one.
	PortSetting string
	// StartTimeout is how long Start waits for the first answer. Zero means DefaultStartTimeout.
	StartTimeout time.Duration
	// Progress says what takes long. Nil is silent.
	Progress *step.Printer
}

// Server is what Kafka, Rabbit and Postgres have in common. Make one by NewKafka, NewRabbit or NewPostgres. Its methods
// are safe for concurrent use.
type Server struct {
	name    string
	dir     string
	timeout time.Duration
	claims  []port.Claim
	// log names the server's own log file.
	log string
	// prepare installs the server and makes its folder ready; command is how to run it then; ready asks whether it answers.
	prepare func(ctx context.Context) error
	command func() process.Command
	ready   func(ctx context.Context) error

	// process is that of the last start: read at any time, also while a start or an end is under way, written under mu.
	process  atomic.Pointer[process.Process]
	progress *step.Printer

	// mu is held through each start and each end.
	mu     sync.Mutex
	unlock func()
}

// open checks the options and fills what all servers share.
func (s *Server) open(name string, o Options) error {
	if o.Dir == "" {
		return fmt.Errorf("make server %s: options name no folder", name)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return fmt.Errorf("make server %s: %w", name, err)
	}
	s.name, s.dir, s.progress = name, dir, o.Progress
	s.log = filepath.Join(dir, "server.log")
	s.timeout = o.StartTimeout
	if s.timeout == 0 {
		s.timeout = DefaultStartTimeout
	}
	return nil
}

// claim takes wanted, or a free port when it is zero.
func (s *Server) claim(purpose string, wanted int, setting string) (int, error) {
	p, err := port.Or(wanted)
	if err != nil {
		return 0, fmt.Errorf("make server %s: %w", s.name, err)
	}
	s.claims = append(s.claims, port.Claim{Server: s.name, Purpose: purpose, Port: p, Setting: setting})
	return p, nil
}

// Name is kafka, rabbitmq or postgres.
func (s *Server) Name() string { return s.name }

// LogFile is the file that the server's output is appended to.
func (s *Server) LogFile() string { return s.log }

// Process is the server's process, nil before the first Start. After the end of one it is that which ended.
func (s *Server) Process() *process.Process { return s.process.Load() }

// Done is closed when the process that the last Start made has ended. Before the first Start it is closed.
func (s *Server) Done() <-chan struct{} {
	if p := s.Process(); p != nil {
		return p.Done()
	}
	closed := make(chan struct{})
	close(closed)
	return closed
}

// Start installs the server when it is missing, starts it and returns when it answers its protocol. A server that runs is left
// alone. A taken port is a *port.TakenError. After an error nothing runs.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.Process(); p != nil && p.Alive() {
		return nil
	}
	if err := errors.Join(s.own(), s.clear()); err != nil {
		return err
	}
	for _, c := range s.claims {
		if err := port.Check(c); err != nil {
			return err
		}
	}
	if err := s.prepare(ctx); err != nil {
		return fmt.Errorf("prepare %s: %w", s.name, err)
	}
	return s.progress.Do(ctx, "start "+s.name, s.launch)
}

// own takes the folder's lock and ends what an earlier owner left there.
func (s *Server) own() error {
	if s.unlock != nil {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("make folder of %s: %w", s.name, err)
	}
	unlock, err := install.TryLock(filepath.Join(s.dir, "lock"))
	if err != nil {
		return fmt.Errorf("take folder of %s: %w", s.name, err)
	}
	s.unlock = unlock
	return process.Sweep(s.dir)
}

// clear kills the last process, or what is left of one that ended by another hand than ours.
func (s *Server) clear() error {
	if p := s.Process(); p != nil {
		return p.Kill()
	}
	return nil
}

// launch starts the process and waits for its answer.
func (s *Server) launch(ctx context.Context) error {
	c := s.command()
	c.Name, c.Log, c.Marker = s.name, s.log, s.dir
	p, err := process.Start(c)
	if err != nil {
		return err
	}
	s.process.Store(p)
	if err := s.await(ctx, p); err != nil {
		return errors.Join(err, p.Kill())
	}
	return nil
}

// await asks until the server answers, its process ends, or the time is up.
func (s *Server) await(ctx context.Context, p *process.Process) error {
	const pause, attempt = 100 * time.Millisecond, 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for {
		err := within(ctx, attempt, s.ready)
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("start %s: it ended (%s); the end of %s:\n%s", s.name, p.Reason(), s.log, s.tail())
		case <-ctx.Done():
			return fmt.Errorf("start %s: no answer in time: %w; the end of %s:\n%s", s.name, err, s.log, s.tail())
		case <-time.After(pause):
		}
	}
}

func within(ctx context.Context, limit time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return ask(ctx)
}

func (s *Server) tail() string {
	text, _ := os.ReadFile(s.log)
	return install.Tail(strings.ToValidUTF8(string(text), "?"), 15)
}

// Stop asks the server to end, kills it when it does not, and gives its folder back.
func (s *Server) Stop(ctx context.Context) error {
	return s.end(func(p *process.Process) error { return p.Stop(ctx) })
}

// Kill sends SIGKILL to every process of the server and returns when all of them are gone. Its data stays. A start that is under
// way ends with an error.
func (s *Server) Kill() error {
	return errors.Join(s.clear(), s.end((*process.Process).Kill))
}

func (s *Server) end(how func(*process.Process) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if p := s.Process(); p != nil {
		err = how(p)
	}
	if s.unlock != nil {
		s.unlock()
		s.unlock = nil
	}
	return err
}

// Restart stops the server when it runs and starts it on the same ports and data.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	return s.Start(ctx)
}
