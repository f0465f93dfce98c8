package order

import (
	"context"
	"errors"
)

// isCanceled reports whether err only says that somebody else gave up.
func isCanceled(err error) bool { return errors.Is(err, context.Canceled) }
