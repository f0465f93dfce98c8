package web

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/fault"
)

// recoverPanic turns a panic of a handler into a 500 and its stack into the log
// line. When the answer has begun, the connection is cut instead: the client must
// not take half an answer for a whole one.
func (s *Server) recoverPanic(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler { //nolint:errorlint // the very value, as net/http compares it
			panic(p) //nolint:forbidigo // net/http asks for it
		}
		s.metrics.panics.Inc()
		begun := c.Writer.Written()
		err := fault.Wrap(fault.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()), "")
		WriteError(c, Status(http.StatusInternalServerError, err))
		if begun {
			s.cut(c)
		}
	}()
	c.Next()
}

// cut closes the connection under the answer.
func (s *Server) cut(c *gin.Context) {
	conn, _, err := c.Writer.Hijack()
	if err != nil {
		return
	}
	_ = conn.Close()
}
