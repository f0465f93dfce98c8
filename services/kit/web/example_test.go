package web_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/web"
)

func ExampleHandle() {
	server, err := web.New(web.Config{
		MaxBodyBytes: 1 << 20, MaxHeaderBytes: 1 << 14, RequestTimeout: 1e9, MaxInFlight: 10, MaxStreams: 10,
	}, web.Options{Service: "order", Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	if err != nil {
		panic(err)
	}
	server.Engine.GET("/api/orders/:id", web.Handle(func(*gin.Context) error {
		return fault.New(fault.NotFound, "there is no such order")
	}))

	request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/api/orders/7", http.NoBody)
	request.Header.Set(web.RequestIDHeader, "example-0001")
	answer := httptest.NewRecorder()
	server.Engine.ServeHTTP(answer, request)
	fmt.Println(answer.Code, answer.Header().Get("Content-Type"))
	fmt.Println(answer.Body)
	// Output:
	// 404 application/problem+json
	// {"type":"about:blank","title":"Not Found","status":404,"detail":"there is no such order","requestId":"example-0001"}
}
