// Package rest serves the API of the payment service.
package rest

//go:generate oapi-codegen -config codegen.yaml ../../openapi.yaml
