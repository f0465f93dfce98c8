package deadline_test

import (
	"fmt"
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

func TestFormatHasMillisecondsAlways(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("east", 3600)
	for want, at := range map[string]time.Time{
		"2026-11-23T09:00:00.000Z": time.Date(2026, 11, 23, 10, 0, 0, 999_999, east),
		"2026-11-23T10:00:00.007Z": time.Date(2026, 11, 23, 10, 0, 0, 7_999_999, time.UTC),
		"2026-12-31T23:59:59.999Z": time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	} {
		if got := deadline.Format(at); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
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

// FuzzParse reads what any client may send: whatever is read survives being sent on.
func FuzzParse(f *testing.F) {
	f.Add("2026-11-23T10:00:00.123Z")
	f.Add("2026-11-23T10:00:00+23:59")
	f.Fuzz(func(t *testing.T, value string) {
		read, err := deadline.Parse(value)
		if err != nil || read.Year() < 1 || read.Year() > 9998 {
			return
		}
		again, err := deadline.Parse(deadline.Format(read))
		if err != nil || !again.Equal(read.Truncate(time.Millisecond)) {
			t.Errorf("%q became %v, %v", value, again, err)
		}
	})
}

func ExampleFormat() {
	fmt.Println(deadline.Header, deadline.Format(time.Unix(1_795_420_800, 250_000_000)))
	// Output: X-Request-Deadline 2026-11-23T08:00:00.250Z
}
