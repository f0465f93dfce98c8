package plan

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// unsetRisk is what giving a key back to the broker's default may cost.
func unsetRisk(key string, have Setting) (Risk, string) {
	if have.Default != "" {
		return settingRisk(key, have, have.Default)
	}
	if strings.HasPrefix(key, "retention.") || key == keyCleanupPolicy {
		return Destructive, key + " goes back to a default that the broker does not tell"
	}
	return Safe, ""
}

// settingRisk is what setting a topic's key may cost, seen from its effective
// value, and why.
func settingRisk(key string, have Setting, want string) (Risk, string) {
	switch key {
	case "retention.ms", "retention.bytes":
		if limit(want) < limit(have.Value) {
			return Destructive, key + " is lowered: records beyond it are deleted"
		}
	case keyCleanupPolicy:
		return cleanupRisk(listOf(have.Value), listOf(want))
	case keyMaxMessageBytes:
		if limit(want) < limit(have.Value) {
			return Disruptive, key + " is lowered: larger records are refused from then on"
		}
	case "min.insync.replicas":
		if CanonicalSetting(TypeInt, want) != CanonicalSetting(TypeInt, have.Value) {
			return Disruptive, key + " changes when records are refused and what an acknowledgement is worth"
		}
	case "unclean.leader.election.enable":
		if CanonicalSetting(TypeBool, want) == "true" && CanonicalSetting(TypeBool, have.Value) != "true" {
			return Destructive, key + " lets a replica lead that lacks acknowledged records"
		}
	}
	return Safe, ""
}

// cleanupRisk: a policy that is new to the topic removes records that stayed
// under the old one.
func cleanupRisk(have, want []string) (Risk, string) {
	for _, policy := range want {
		if len(have) > 0 && !slices.Contains(have, policy) {
			return Destructive, keyCleanupPolicy + " " + policy + " removes records that are kept now"
		}
	}
	return Safe, ""
}

// limit reads a number where a negative one means no limit. What is no number is
// no limit either: the broker will refuse it.
func limit(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 {
		return math.MaxInt64
	}
	return n
}

func listOf(s string) []string {
	if c := canonicalList(s); c != "" {
		return strings.Split(c, ",")
	}
	return nil
}
