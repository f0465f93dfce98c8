// Command inventory is the inventory service: see README.md.
package main

import "parley.sh/services/kit/lifecycle"

func main() { lifecycle.Main("inventory", run) }
