package web

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/deadline"
	"parley.sh/services/kit/fault"
)

// writeSlack is what the writing of an answer may take beyond the request's deadline.
const writeSlack = 5 * time.Second

// limitSize refuses URLs and headers that are too large.
func (s *Server) limitSize(c *gin.Context) {
	if len(c.Request.RequestURI) > s.cfg.MaxHeaderBytes/2 {
		s.refuse(c, "uri_too_long",
			Status(http.StatusRequestURITooLong, fault.New(fault.Invalid, "the URL is too long")))
		return
	}
	size := 0
	for name, values := range c.Request.Header {
		for _, value := range values {
			size += len(name) + len(value) + len(": \r\n")
		}
	}
	if size > s.cfg.MaxHeaderBytes {
		s.refuse(c, "header_too_large", Status(http.StatusRequestHeaderFieldsTooLarge,
			fault.New(fault.Invalid, "the request headers are too large")))
	}
}

// refuse ends a request before its handler and counts why.
func (s *Server) refuse(c *gin.Context, reason string, err error) {
	s.metrics.refused.WithLabelValues(reason).Inc()
	WriteError(c, err)
}

// slots bounds how many requests of a sort are in hand.
type slots struct {
	most  int64
	inUse atomic.Int64
}

func newSlots(most int) *slots { return &slots{most: int64(most)} }

// take reports whether there was a slot; give it back with release.
func (s *slots) take() bool {
	if s.inUse.Add(1) > s.most {
		s.inUse.Add(-1)
		return false
	}
	return true
}

func (s *slots) release() { s.inUse.Add(-1) }

func (s *slots) taken() int64 { return s.inUse.Load() }

// limitConcurrency refuses what exceeds the slots: a queue would only make
// everybody late.
func (s *Server) limitConcurrency(c *gin.Context) {
	if operational[c.FullPath()] {
		return
	}
	of, reason := s.slots, "overload"
	if s.api.isStream(c) {
		of, reason = s.streams, "too_many_streams"
	}
	if !of.take() {
		s.refuse(c, reason, &fault.Error{
			Kind: fault.Unavailable, Public: "the service is at its limit", RetryAfter: time.Second,
		})
		return
	}
	defer of.release()
	c.Next()
}

// limitTime gives a request its deadline: ours, or the caller's if that is earlier.
// A stream ends with the server's drain instead.
func (s *Server) limitTime(c *gin.Context) {
	if s.api.isStream(c) {
		ctx, cancel := context.WithCancel(c.Request.Context())
		defer cancel()
		defer context.AfterFunc(s.ending, cancel)()
		c.Request = c.Request.WithContext(ctx)
		// The connection may have carried a request with a deadline before.
		_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Time{})
		c.Next()
		return
	}
	until, err := s.until(c.Request)
	if err != nil {
		WriteError(c, err)
		return
	}
	if !time.Now().Before(until) {
		s.refuse(c, "deadline_passed", Status(http.StatusGatewayTimeout,
			fault.New(fault.Unavailable, "the deadline of the request had passed when it arrived")))
		return
	}
	ctx, cancel := context.WithDeadline(c.Request.Context(), until)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	// A recorder of a test knows no deadlines.
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(until.Add(writeSlack))
	c.Next()
}

func (s *Server) until(r *http.Request) (time.Time, error) {
	own := time.Now().Add(s.cfg.RequestTimeout)
	given := r.Header.Get(deadline.Header)
	if given == "" {
		return own, nil
	}
	callers, err := deadline.Parse(given)
	if err != nil {
		return time.Time{}, &fault.Error{
			Kind: fault.Invalid, Public: "the request is not valid", Cause: err,
			Fields: []fault.Field{{Name: deadline.Header, Rule: "must be a time in RFC 3339"}},
		}
	}
	if callers.Before(own) {
		return callers, nil
	}
	return own, nil
}
