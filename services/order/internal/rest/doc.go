// Package rest is the service's API, as openapi.yaml states it.
//
// The server interface is generated; the documents are those of package client.
// Handlers read a request, call one use case and write a document. Errors are
// written by package web.
package rest

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 --config=codegen.yaml ../../openapi.yaml
