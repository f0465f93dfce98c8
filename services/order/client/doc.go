// Package client is the typed client of the order service: its documents and its
// calls, generated from openapi.yaml. Give it a Doer of package kit/rest for
// retries, a breaker and deadlines.
package client

//go:generate oapi-codegen -config codegen.yaml ../openapi.yaml
