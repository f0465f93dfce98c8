package rabbit

import (
	"strconv"
	"time"
)

// DelayKey writes a delay as the names of rungs do: a whole number of the largest
// unit that leaves none over, such as "5s", "90s", "2m" or "1h". Write it like this in
// the manifest of the queue, whose text names the rung. A millisecond is the least.
func DelayKey(delay time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if delay >= unit.length && delay%unit.length == 0 {
			return strconv.FormatInt(int64(delay/unit.length), 10) + unit.name
		}
	}
	return strconv.FormatInt(delay.Milliseconds(), 10) + "ms"
}
