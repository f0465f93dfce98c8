// Command order is the order service: it accepts orders and leads each of them to
// its end. See README.md.
package main

import "parley.sh/services/kit/lifecycle"

func main() { lifecycle.Main("order", run) }
