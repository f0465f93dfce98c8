package main

import _ "embed"

// spec is the contract of the API: requests are checked against it.
//
//go:embed openapi.yaml
var spec []byte
