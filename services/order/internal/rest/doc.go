// Package rest is the service's API, as openapi.yaml states it.
//
// The server interface is generated; the documents are those of package client.
// Handlers read a request, call one use case and write a document. Errors are
// written by package web.
package rest

//go:generate oapi-codegen -config codegen.yaml ../../openapi.yaml
