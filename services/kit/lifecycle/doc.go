// Package lifecycle runs a process from its configuration to its exit code.
//
// Main loads the configuration, starts telemetry, logs what is in effect, calls
// run with a context that SIGTERM and SIGINT end, and turns its error into an
// exit code. Serve, called at the end of run, keeps the long-running parts of
// the process:
//
//	return lifecycle.Serve(ctx, cfg.Config,
//		lifecycle.Stage{{Name: "http", Run: server.Run}, {Name: "orders", Run: consumer.Run}},
//		lifecycle.Stage{{Name: "relay", Run: relay.Run}},
//		lifecycle.Stage{{Name: "kafka", Run: publisher.Run}},
//	)
//
// All parts start together. They stop stage by stage, so that what takes in work
// is quiet before what the work needs goes away:
//
//	running --signal, or a part failed--> stage 0 told to stop
//	   stage n told to stop --its parts returned--> stage n+1 told to stop
//	   last stage returned --> Serve returns, run's defers close, telemetry flushes
//	   SHUTDOWN_TIMEOUT after the signal --> hard stop: everything still running is told
//	   5 s after the hard stop --> Serve returns without the parts that do not listen
//
// A part's context ends when its stage is told to stop, which means "take no more
// work". Work in flight runs on Finish(ctx): the same values, ended by the hard
// stop only.
package lifecycle
