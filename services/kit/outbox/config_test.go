package outbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/config"
)

// TestDefaults keeps Defaults and the tags the same.
func TestDefaults(t *testing.T) {
	t.Parallel()
	var loaded Config
	if err := config.Load(&loaded); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Defaults(), loaded); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}
