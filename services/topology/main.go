// Command topology plans and applies topics, queues and exchanges of Kafka and
// RabbitMQ from manifests. See README.md.
package main

import (
	"os"

	"parley.sh/services/topology/internal/cli"
)

func main() { os.Exit(cli.Main(cli.System())) }
