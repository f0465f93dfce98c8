package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// AtLeast reports a value below the least one. Durations are shown as such.
func AtLeast[T cmp.Ordered](variable string, value, least T) error {
	if value >= least {
		return nil
	}
	return Invalid(variable, "is too small", fmt.Sprintf("give %v or more", least))
}

// Between reports a value outside [least, most].
func Between[T cmp.Ordered](variable string, value, least, most T) error {
	if value >= least && value <= most {
		return nil
	}
	return Invalid(variable, "is out of range", fmt.Sprintf("give %v to %v", least, most))
}

// OneOf reports a value that is none of the allowed ones.
func OneOf[T ~string](variable string, value T, allowed ...T) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	return Invalid(variable, "is not a known choice", "give one of "+strings.Join(names, ", "))
}

// URL reports a value that is not an absolute URL with a host and one of the schemes.
func URL(variable, value string, schemes ...string) error {
	u, err := url.Parse(value)
	if err == nil && u.Host != "" && slices.Contains(schemes, u.Scheme) {
		return nil
	}
	return Invalid(variable, "is not a URL of the right kind",
		"give "+strings.Join(schemes, ":// or ")+"://host:port")
}

// Address reports a value that is not host:port, where the host may be empty.
func Address(variable, value string) error {
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err == nil {
		return nil
	}
	return Invalid(variable, "is not an address", "give host:port or :port")
}

// All joins the results of checks into the result of a Validate method.
func All(checks ...error) error { return errors.Join(checks...) }
