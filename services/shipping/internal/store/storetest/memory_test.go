package storetest_test

import (
	"testing"

	"parley.sh/services/shipping/internal/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Store { return &storetest.Memory{} })
}
