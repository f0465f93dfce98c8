// Package client is the typed client of the shipping service, and the types of
// its API. Both are generated from openapi.yaml.
package client

//go:generate oapi-codegen -config codegen.yaml ../openapi.yaml
