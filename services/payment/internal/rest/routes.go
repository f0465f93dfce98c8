package rest

import (
	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/web"
)

// Register serves the API on router:
//
//	GET /api/payments/{orderId}   the payment of an order and its ledger
func Register(router gin.IRouter, h Handler) {
	strict := NewStrictHandlerWithOptions(h, nil, StrictGinServerOptions{
		RequestErrorHandlerFunc:  web.RequestError,
		HandlerErrorFunc:         web.WriteError,
		ResponseErrorHandlerFunc: web.ResponseError,
	})
	RegisterHandlersWithOptions(router, strict, GinServerOptions{ErrorHandler: web.BindError})
}
