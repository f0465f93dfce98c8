// Command shipping is the shipping service: see README.md.
package main

import "parley.sh/services/kit/lifecycle"

func main() { lifecycle.Main("shipping", run) }
