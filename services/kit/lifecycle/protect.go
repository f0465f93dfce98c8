package lifecycle

import (
	"fmt"
	"runtime/debug"
)

// protect calls f and makes a panic an error that holds the stack.
func protect(f func() error) error {
	var result error
	func() {
		defer func() {
			if p := recover(); p != nil {
				result = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		result = f()
	}()
	return result
}
