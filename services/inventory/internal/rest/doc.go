// Package rest serves the API of the inventory service.
package rest

//go:generate oapi-codegen -config codegen.yaml ../../openapi.yaml
