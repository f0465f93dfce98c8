// Package client is the typed client of the inventory service, and the types of
// its API. Both are generated from openapi.yaml.
package client

//go:generate oapi-codegen -config codegen.yaml ../openapi.yaml
