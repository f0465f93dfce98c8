// Package client is the typed client of the shipping service, and the types of
// its API. Both are generated from openapi.yaml.
package client

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config codegen.yaml ../openapi.yaml
