package rest

import (
	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/web"
)

// Register puts the operations of openapi.yaml on an engine of package web: nothing else is served
// under /api.
func Register(e *gin.Engine, h *Handler) {
	strict := NewStrictHandlerWithOptions(h, nil, StrictGinServerOptions{
		RequestErrorHandlerFunc:  web.RequestError,
		HandlerErrorFunc:         web.WriteError,
		ResponseErrorHandlerFunc: web.ResponseError,
	})
	RegisterHandlersWithOptions(e, strict, GinServerOptions{ErrorHandler: web.BindError})
}
