// Package rest serves the API of the shipping service.
package rest

//go:generate oapi-codegen -config codegen.yaml ../../openapi.yaml
