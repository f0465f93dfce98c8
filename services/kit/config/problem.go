package config

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with one variable.
type Problem struct {
	// Variable is the name of the environment variable, empty when the problem
	// is not that of a single one.
	Variable string
	// What says what is wrong, without the value: "is not a duration".
	What string
	// Fix says what to do: "give a number with a unit, such as 30s".
	Fix string
}

// Error implements error in one sentence.
func (p *Problem) Error() string {
	text := strings.TrimSpace(p.Variable + " " + p.What)
	if p.Fix == "" {
		return text
	}
	return text + ": " + p.Fix
}

// Invalid returns the problem that Validate methods report. What and fix must not
// hold the value.
func Invalid(variable, what, fix string) error {
	return &Problem{Variable: variable, What: what, Fix: fix}
}

// Error lists everything that is wrong with a configuration, in the order of the
// struct's fields.
type Error struct {
	Problems []*Problem
}

// Error implements error: one line a problem.
func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	lines = append(lines, fmt.Sprintf("the configuration has %d problem(s)", len(e.Problems)))
	for _, p := range e.Problems {
		lines = append(lines, p.Error())
	}
	return strings.Join(lines, "\n  ")
}

// Unwrap returns the problems, for errors.As and errors.Is.
func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		errs[i] = p
	}
	return errs
}

// report collects problems, the first of each variable only: a value that could
// not be read is zero, and what a Validate says about that zero is noise.
type report struct {
	problems []*Problem
	seen     map[string]bool
}

func (r *report) add(p *Problem) {
	key := p.Variable
	if key == "" {
		key = p.What
	}
	if r.seen[key] {
		return
	}
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	r.seen[key] = true
	r.problems = append(r.problems, p)
}

// addAll takes apart what errors.Join put together. A part does not know the prefix
// of its variables, so it is put before the names here.
func (r *report) addAll(err error, prefix string) {
	if err == nil {
		return
	}
	many, ok := err.(interface{ Unwrap() []error })
	if ok {
		for _, one := range many.Unwrap() {
			r.addAll(one, prefix)
		}
		return
	}
	var p *Problem
	if errors.As(err, &p) {
		named := *p
		if named.Variable != "" {
			named.Variable = prefix + named.Variable
		}
		r.add(&named)
		return
	}
	r.add(&Problem{What: err.Error()})
}

func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return &Error{Problems: r.problems}
}
