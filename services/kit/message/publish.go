package message

import (
	"errors"
	"fmt"
)

// PublishError says which messages of a Publish were not confirmed. Errs has one
// entry per message; nil means confirmed.
type PublishError struct {
	Errs []error
}

// Error reports how many failed, and the first reason.
func (e *PublishError) Error() string {
	failed := 0
	var first error
	for _, err := range e.Errs {
		if err != nil {
			failed++
			if first == nil {
				first = err
			}
		}
	}
	return fmt.Sprintf("%d of %d messages were not confirmed: %v", failed, len(e.Errs), first)
}

// Unwrap returns the reasons.
func (e *PublishError) Unwrap() []error {
	var errs []error
	for _, err := range e.Errs {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// JoinResults returns nil if every entry of errs is nil, else a *PublishError that
// owns errs. Publishers end with it.
func JoinResults(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return &PublishError{Errs: errs}
		}
	}
	return nil
}

// Results spreads the error of a Publish of n messages over the messages: that of
// a *PublishError one by one, any other error to each.
func Results(err error, n int) []error {
	var p *PublishError
	if errors.As(err, &p) && len(p.Errs) == n {
		return p.Errs
	}
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}
