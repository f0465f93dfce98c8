// Package deadline carries a request's deadline between services.
//
// The caller sends the moment after which it will not look at the answer; the
// server drops work whose moment has passed. An absolute time needs clocks that
// agree within a few hundred milliseconds, and survives queues on the way.
package deadline

import "time"

// Header is the request header that holds the deadline, in RFC 3339 with
// milliseconds and in UTC.
const Header = "X-Request-Deadline"

const layout = "2006-01-02T15:04:05.000Z07:00"

// Format returns t as the header carries it.
func Format(t time.Time) string { return t.UTC().Format(layout) }

// Parse reads a header's value. The error of a malformed one is a *time.ParseError.
func Parse(value string) (time.Time, error) { return time.Parse(time.RFC3339Nano, value) }
