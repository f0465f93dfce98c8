package deadline_test

import (
	"testing"
	"time"

	"parley.sh/services/kit/deadline"
)

func TestParseReadsWhatFormatWrote(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 23, 10, 0, 0, 123_000_000, time.FixedZone("east", 3600))
	got, err := deadline.Parse(deadline.Format(want))
	if err != nil || !got.Equal(want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestParseRefusesWhatIsNoTime(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", "soon", "1700000000", "2026-13-01T00:00:00Z"} {
		if _, err := deadline.Parse(value); err == nil {
			t.Errorf("%q was read as a time", value)
		}
	}
}
