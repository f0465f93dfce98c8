package web

import (
	"context"
	"crypto/rand"
	"regexp"
)

// RequestIDHeader carries a request's id, both ways.
const RequestIDHeader = "X-Request-Id"

// trustedID is what an incoming id must look like to be kept. Anything else could
// put whatever it likes into our logs.
var trustedID = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

type requestIDKey struct{}

// RequestID returns the id of the request that ctx belongs to, or nothing.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// requestID keeps a well-formed id and replaces every other one.
func requestID(given string) string {
	if trustedID.MatchString(given) {
		return given
	}
	return rand.Text()
}
