package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"

	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/fault"
)

// The hooks for handlers that oapi-codegen generates for Gin:
//
//	strict := client.NewStrictHandlerWithOptions(handler, nil, client.StrictGinServerOptions{
//		RequestErrorHandlerFunc:  web.RequestError,
//		HandlerErrorFunc:         web.WriteError,
//		ResponseErrorHandlerFunc: web.ResponseError,
//	})
//	client.RegisterHandlersWithOptions(server.Engine, strict, client.GinServerOptions{
//		ErrorHandler: web.BindError,
//	})

// BindError is GinServerOptions.ErrorHandler: a parameter that satisfied the
// document and still did not fit its type.
func BindError(c *gin.Context, err error, _ int) {
	WriteError(c, &fault.Error{
		Kind: fault.Invalid, Public: "a parameter cannot be read", Fields: parameterField(err), Cause: err,
	})
}

// parameterText is how the generated code begins; the name in it is the document's.
var parameterText = regexp.MustCompile(
	`^(?:Invalid format for parameter ([\w.-]+):|Expected one value for ([\w.-]+),|` +
		`(?:Query argument|Header parameter) ([\w.-]+) is required)`)

func parameterField(err error) []fault.Field {
	m := parameterText.FindStringSubmatch(err.Error())
	if m == nil {
		return nil
	}
	for i, rule := range []string{"cannot be read", "must be given once", "is required"} {
		if name := m[i+1]; name != "" {
			return []fault.Field{{Name: name, Rule: rule}}
		}
	}
	return nil
}

// RequestError is StrictGinServerOptions.RequestErrorHandlerFunc: a body that
// satisfied the document and still did not fit its type.
func RequestError(c *gin.Context, err error) {
	f := &fault.Error{Kind: fault.Invalid, Public: "the body cannot be read", Cause: err}
	var misfit *json.UnmarshalTypeError
	if errors.As(err, &misfit) {
		f.Fields = []fault.Field{{Name: shortened(misfit.Field), Rule: "is of the wrong type or out of range"}}
	}
	WriteError(c, f)
}

// ResponseError is StrictGinServerOptions.ResponseErrorHandlerFunc: an answer that
// could not be encoded or sent.
func ResponseError(c *gin.Context, err error) {
	WriteError(c, Status(http.StatusInternalServerError, fault.Wrap(fault.Internal, err, "")))
}
