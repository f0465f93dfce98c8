package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/fault"
)

// readBody reads the whole body, within its limits of size and time, so that
// nothing after it waits for the client.
func (s *Server) readBody(c *gin.Context) {
	if c.Request.Body == nil || c.Request.Body == http.NoBody {
		return
	}
	if c.Request.ContentLength > s.cfg.MaxBodyBytes {
		c.Writer.Header().Set("Connection", "close")
		s.refuse(c, "body_too_large", s.tooLarge())
		return
	}
	control := http.NewResponseController(c.Writer)
	_ = control.SetReadDeadline(time.Now().Add(s.cfg.ReadTimeout)) // a recorder of a test knows none
	data, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, s.cfg.MaxBodyBytes))
	if err != nil {
		s.refuse(c, "body_unread", s.unread(err))
		return
	}
	// A deadline that passed later would end the request's context.
	_ = control.SetReadDeadline(time.Time{})
	setBody(c.Request, data)
}

func setBody(r *http.Request, data []byte) {
	r.Body = io.NopCloser(bytes.NewReader(data))
	r.ContentLength = int64(len(data))
}

func (s *Server) tooLarge() error {
	return Status(http.StatusRequestEntityTooLarge,
		fault.Newf(fault.Invalid, "the body is larger than %d bytes", s.cfg.MaxBodyBytes))
}

// unread says why a body could not be read.
func (s *Server) unread(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return s.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Status(http.StatusRequestTimeout,
			fault.Wrap(fault.Invalid, fmt.Errorf("read the body: %w", err), "the body did not arrive in time"))
	}
	return fault.Wrap(fault.Invalid, fmt.Errorf("read the body: %w", err), "the body cannot be read")
}
