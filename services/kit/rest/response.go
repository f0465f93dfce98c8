package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"parley.sh/services/kit/fault"
)

// maxFailure is how much of a failed answer is kept. The rest is cut off.
const maxFailure = 64 << 10

// buffer reads a failed answer into memory and gives its connection back. A longer
// one, or one that breaks off, is cut, and its connection closed.
func buffer(resp *http.Response) {
	start, err := io.ReadAll(io.LimitReader(resp.Body, maxFailure))
	_ = resp.Body.Close()
	if err != nil || resp.ContentLength != int64(len(start)) {
		resp.Header.Del("Content-Length")
		resp.ContentLength = int64(len(start))
	}
	resp.Body = io.NopCloser(bytes.NewReader(start))
}

// body is an answer on its way: at most limit bytes of it, and the release of what
// the call holds when it is closed.
type body struct {
	io.ReadCloser
	left    int64
	release func()
	cancel  func()
}

var errTooLong = errors.New("answer longer than MAX_RESPONSE")

func (c *call) limited(r io.ReadCloser, release func()) io.ReadCloser {
	b := &body{ReadCloser: r, left: c.cfg.MaxResponse, release: release, cancel: c.cancel}
	if b.left == 0 {
		b.left = 1<<63 - 1
	}
	return b
}

// Read implements io.Reader. A connection that breaks, or a deadline that passes, in
// the middle of an answer is of kind Unavailable.
func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, fault.Wrap(fault.Internal, errTooLong, "")
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more than allowed, to tell a full answer from a longer one
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n - 1, fault.Wrap(fault.Internal, errTooLong, "")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fault.Wrap(fault.Unavailable, fmt.Errorf("read the answer: %w", err), "")
	}
	return n, err //nolint:wrapcheck // io.EOF must be itself
}

// Close implements io.Closer.
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.release()
	b.cancel()
	return err
}

// retryAfter reads a Retry-After header in either of its forms (RFC 9110, 10.2.3).
// Zero means none, or one that makes no sense.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
