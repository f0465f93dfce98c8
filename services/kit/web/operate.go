package web

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/swaggest/swgui/v5emb"
)

// operational are the routes for those who run the service. They have no slots, so
// that an overloaded service can still be looked at, and are logged at debug level.
var operational = map[string]bool{
	"/healthz": true, "/readyz": true, "/metrics": true, "/openapi.json": true, "/docs": true, "/docs/*path": true,
}

// operate registers the endpoints of operation.
func (s *Server) operate() error {
	s.Engine.GET("/healthz", s.health.live)
	s.Engine.GET("/readyz", s.health.ready)
	s.Engine.GET("/metrics", gin.WrapH(promhttp.HandlerFor(s.opts.Registry, promhttp.HandlerOpts{
		Registry: s.opts.Registry, MaxRequestsInFlight: 4,
	})))
	if s.opts.Spec == nil {
		return nil
	}
	document, err := json.Marshal(s.opts.Spec)
	if err != nil {
		return fmt.Errorf("encode the API document: %w", err)
	}
	s.Engine.GET("/openapi.json", func(c *gin.Context) { c.Data(http.StatusOK, "application/json", document) })
	viewer := gin.WrapH(v5emb.New(s.opts.Service, "/openapi.json", "/docs/"))
	s.Engine.GET("/docs", func(c *gin.Context) { c.Redirect(http.StatusMovedPermanently, "/docs/") })
	s.Engine.GET("/docs/*path", viewer)
	return nil
}
