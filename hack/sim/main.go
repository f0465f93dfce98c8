// Command sim simulates what lies outside the platform: a payment provider and a
// carrier, over HTTP, with durable state. See openapi.yaml for its API and package
// world for what it promises.
package main

import "parley.sh/services/kit/lifecycle"

func main() { lifecycle.Main("sim", run) }
