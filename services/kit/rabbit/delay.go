package rabbit

import (
	"strings"
	"time"
)

// DelayKey writes a delay as the names of rungs do: "5s", "2m", "1h30m", without
// the zero units that Duration.String appends.
func DelayKey(delay time.Duration) string {
	s := delay.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
