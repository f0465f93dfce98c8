// Package client is the typed client of the simulated payment provider and
// carrier, and the types of their API. Both are generated from openapi.yaml. To a
// service it stands for the library that a provider ships.
package client

//go:generate oapi-codegen -config codegen.yaml ../openapi.yaml
