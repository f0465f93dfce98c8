// Command payment is the payment service: see README.md.
package main

import "parley.sh/services/kit/lifecycle"

func main() { lifecycle.Main("payment", run) }
