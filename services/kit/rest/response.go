package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
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

// stream guards an answer on its way. Until the answer begins it is the attempt's
// timeout; then it is the answer's body: at most so many bytes, within the call's
// deadline.
//
// One timer does for both. It is set to the attempt's timeout, and what it does when
// it fires depends on who came first, by phase: before the answer it ends the
// attempt; after it, it sets itself to the deadline, which few answers live to see.
type stream struct {
	from     io.ReadCloser
	left     int64
	deadline time.Time
	phase    atomic.Int32
	timer    *time.Timer
	cancel   context.CancelCauseFunc
}

// The phases of a stream.
const (
	waiting int32 = iota
	begun
	expired
)

// begin makes the stream the body that comes from r. It is false when the timer was
// faster: r cannot be read then.
func (s *stream) begin(r io.ReadCloser) bool {
	s.from = r
	return s.phase.CompareAndSwap(waiting, begun)
}

// expire is what the timer does.
func (s *stream) expire() {
	if s.phase.CompareAndSwap(waiting, expired) {
		s.cancel(errTimeout)
		return
	}
	if s.phase.Load() == expired {
		return
	}
	// The answer has begun, so s.timer was set before.
	if left := time.Until(s.deadline); left > 0 {
		s.timer.Reset(left)
		return
	}
	s.cancel(errTimeout)
}

// release lets go of the timer and the context.
func (s *stream) release() {
	s.phase.Store(expired) // before Stop: a timer that fires now must not set itself again
	s.timer.Stop()
	s.cancel(nil)
}

var errTooLong = errors.New("answer longer than MAX_RESPONSE")

// Read implements io.Reader. A connection that breaks, or a deadline that passes, in
// the middle of an answer is of kind Unavailable.
func (s *stream) Read(p []byte) (int, error) {
	if s.left < 0 {
		return 0, fault.Wrap(fault.Internal, errTooLong, "")
	}
	if int64(len(p))-1 > s.left {
		p = p[:s.left+1] // one more than allowed, to tell a full answer from a longer one
	}
	n, err := s.from.Read(p)
	s.left -= int64(n)
	if s.left < 0 {
		return n - 1, fault.Wrap(fault.Internal, errTooLong, "")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fault.Wrap(fault.Unavailable, fmt.Errorf("read the answer: %w", err), "")
	}
	return n, err // io.EOF must be itself
}

// Close implements io.Closer.
func (s *stream) Close() error {
	err := s.from.Close()
	s.release()
	return err // as the transport says it
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
