package rest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// preferredWait returns the preference "wait" of a Prefer header (RFC 7240), in
// whole seconds and at most limit; zero if there is none. What is not understood is
// ignored, as the RFC asks; of several the first counts.
func preferredWait(header *string, limit time.Duration) time.Duration {
	if header == nil {
		return 0
	}
	for preference := range strings.SplitSeq(*header, ",") {
		preference, _, _ = strings.Cut(preference, ";")
		name, value, _ := strings.Cut(preference, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 32)
		if err != nil {
			return 0
		}
		return min(time.Duration(seconds)*time.Second, limit) //nolint:gosec // 32 bits of seconds
	}
	return 0
}

// applied returns the value of Preference-Applied.
func applied(wait time.Duration) *string {
	s := fmt.Sprintf("wait=%d", int(wait.Seconds()))
	return &s
}
