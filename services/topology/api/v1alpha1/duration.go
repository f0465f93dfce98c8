package v1alpha1

import (
	"math"
	"regexp"
	"strconv"
	"time"
)

// Duration is a whole number and a unit: ms, s, m or h, such as "500ms" or "2m".
// Its text is kept as written, because it names things: the rung of a retry
// ladder for "2m" is "<queue>.retry.2m".
//
// +kubebuilder:validation:Pattern=`^[1-9][0-9]*(ms|s|m|h)$`
// +kubebuilder:validation:MaxLength=16
type Duration string

var durationPattern = regexp.MustCompile(`^([1-9][0-9]*)(ms|s|m|h)$`)

// maxDuration is the longest time that RabbitMQ takes: 2^32-1 ms, 49.7 days.
const maxDuration = math.MaxUint32 * time.Millisecond

// Parse returns the time that d stands for. It is false for a text that is not a
// Duration and for one longer than 2^32-1 milliseconds, which no broker takes.
func (d Duration) Parse() (time.Duration, bool) {
	m := durationPattern.FindStringSubmatch(string(d))
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	unit := map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	}[m[2]]
	if err != nil || n > int64(maxDuration/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// Milliseconds is d in milliseconds; 0 if d does not parse.
func (d Duration) Milliseconds() int64 {
	t, _ := d.Parse()
	return t.Milliseconds()
}
