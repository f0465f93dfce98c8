package rest

import (
	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/web"
)

// Register serves the API on router:
//
//	GET /api/inventory/check?productId=   what can be ordered of a product
//	GET /api/inventory/products           the catalogue
//	GET /api/inventory/products/{id}      one product
//	PUT /api/inventory/products/{id}      make or set a product
func Register(router gin.IRouter, h Handler) {
	strict := NewStrictHandlerWithOptions(h, nil, StrictGinServerOptions{
		RequestErrorHandlerFunc:  web.RequestError,
		HandlerErrorFunc:         web.WriteError,
		ResponseErrorHandlerFunc: web.ResponseError,
	})
	RegisterHandlersWithOptions(router, strict, GinServerOptions{ErrorHandler: web.BindError})
}
