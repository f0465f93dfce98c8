package plan

import (
	"math"
	"strconv"
)

// definitionRisk is what a change of one setting of a policy may cost for an
// object that is there, and why. want is the whole definition to be.
func definitionRisk(f Field, want map[string]any) (Risk, string) {
	switch f.Path {
	case "definition.message-ttl":
		return shrinkRisk(f, want, "messages that wait longer")
	case "definition.max-length", "definition.max-length-bytes":
		return lengthRisk(f, want)
	case "definition.overflow":
		if f.Have != "" || f.Want == "drop-head" {
			return Disruptive, "overflow changes what gives way when the queue is full"
		}
	case "definition.delivery-limit":
		if bound(f.Want) < bound(f.Have) {
			return shrinkRisk(f, want, "messages that returned more often")
		}
	case "definition.dead-letter-exchange", "definition.dead-letter-routing-key", "definition.dead-letter-strategy":
		return deadLetterRisk(f)
	case "definition.alternate-exchange":
		if f.Have != "" {
			return Disruptive, "messages that no binding takes go elsewhere"
		}
	}
	return Safe, ""
}

// shrinkRisk: what leaves the queue by a lowered limit is dead-lettered or lost.
func shrinkRisk(f Field, want map[string]any, what string) (Risk, string) {
	if bound(f.Want) >= bound(f.Have) {
		return Safe, ""
	}
	if want["dead-letter-exchange"] != nil {
		return Disruptive, what + " are dead-lettered"
	}
	return Destructive, what + " are dropped"
}

func lengthRisk(f Field, want map[string]any) (Risk, string) {
	if bound(f.Want) >= bound(f.Have) {
		return Safe, ""
	}
	if want["overflow"] == "reject-publish" {
		return Disruptive, "a full queue refuses messages"
	}
	return Destructive, "the oldest messages beyond the limit are dropped"
}

func deadLetterRisk(f Field) (Risk, string) {
	switch {
	case f.Want == "":
		return Destructive, "messages that are given up are dropped, not dead-lettered"
	case f.Have != "":
		return Disruptive, "messages that are given up go elsewhere"
	}
	return Safe, ""
}

// bound reads a limit of a policy; none, and a negative one, is no limit.
func bound(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return math.MaxInt64
	}
	return n
}
