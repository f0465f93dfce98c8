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

// Format returns t as the header carries it, cut to the millisecond. Every call
// writes one, so it takes the fast path of package time, which knows no
// milliseconds, and adds them.
func Format(t time.Time) string {
	b := t.UTC().AppendFormat(make([]byte, 0, 32), time.RFC3339)
	ms := t.Nanosecond() / int(time.Millisecond)
	b = append(b[:len(b)-len("Z")], '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
	return string(b)
}

// Parse reads a header's value. The error of a malformed one is a *time.ParseError.
func Parse(value string) (time.Time, error) { return time.Parse(time.RFC3339Nano, value) }
