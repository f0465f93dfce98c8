package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"parley.sh/hack/local/process"
)

// State is what a running stack tells other processes about itself.
type State struct {
	// Owner is the process that runs the stack.
	Owner process.Identity `json:"owner"`
	// Processes of the stack by name.
	Processes map[string]process.Identity `json:"processes"`
	// URLs of services and simulator by name.
	URLs map[string]string `json:"urls"`
	// Environment is Stack.Environment.
	Environment []string `json:"environment"`
}

// Running reports whether the owner of the stack runs.
func (s State) Running() bool { return s.Owner.Alive() }

// Read returns the state of the stack that was last started in dir and not stopped; an error is fs.ErrNotExist when there is none.
func Read(dir string) (State, error) {
	var state State
	raw, err := os.ReadFile(filepath.Join(dir, stateName))
	if err != nil {
		return state, fmt.Errorf("read state of the stack: %w", err)
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		return state, fmt.Errorf("read state of the stack in %s: %w", dir, err)
	}
	return state, nil
}

const stateName = "state.json"

func (s *Stack) stateFile() string { return filepath.Join(s.options.Dir, stateName) }

// save writes the state under another name and renames it: readers see the old one or the new one. It holds passwords.
func (s *Stack) save() error {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	raw, err := json.MarshalIndent(s.state(), "", "  ")
	if err != nil {
		return fmt.Errorf("write state of the stack: %w", err)
	}
	part := s.stateFile() + ".part"
	if err := errors.Join(os.WriteFile(part, raw, 0o600), os.Rename(part, s.stateFile())); err != nil {
		return fmt.Errorf("write state of the stack: %w", err)
	}
	return nil
}

func (s *Stack) state() State {
	state := State{
		Owner: process.Self(), Processes: map[string]process.Identity{}, URLs: map[string]string{},
		Environment: s.Environment(),
	}
	for _, name := range s.Names() {
		if id := s.Process(name); id.PID != 0 {
			state.Processes[name] = id
		}
		if address := s.URL(name); address != "" {
			state.URLs[name] = address
		}
	}
	return state
}

// LogFiles lists the log files below the folder of a stack by process name.
func LogFiles(dir string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "server.log"))
	if err == nil && len(files) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("find logs below %s: %w", dir, err)
	}
	logs := map[string]string{}
	for _, file := range files {
		logs[filepath.Base(filepath.Dir(file))] = file
	}
	return logs, nil
}
