// Package stack runs the whole platform on one machine: Kafka, RabbitMQ, PostgreSQL, the simulator of the outside world and the
// services, each a process that can be killed and started again by name.
//
//	p, err := stack.New(stack.Options{Dir: t.TempDir(), Replicas: map[string]int{stack.Order: 2}})
//	err = stack.Build(ctx, stack.BuildOptions{})      // go build of all programs into bin/
//	err = p.Start(ctx)                                // returns when every process is ready
//	err = p.Kill("order-2")                           // SIGKILL
//	err = p.Restart(ctx, "order-2")                   // the same port, state and environment
//	err = p.WaitReady(ctx)                            // every service answers /readyz
//	err = p.Stop(ctx)
//
// Replicas of a service are named order, order-2, order-3. Every process keeps its state and its log below Dir, and state.json
// there says what runs: see Read. Start makes one database with a role of its own for each service, with generated
// passwords, and applies the topology with the project's own command.
//
// Servers that Options.Use names are used instead of being started, and never stopped.
package stack
