// Package server runs Kafka, RabbitMQ and PostgreSQL as processes of this machine, for a one-machine run and for tests.
//
//	k, err := server.NewKafka(server.KafkaOptions{Options: server.Options{Dir: t.TempDir()}})
//	err = k.Start(ctx)       // installs what is missing, returns when the server answers its protocol
//	err = k.Kill()           // SIGKILL to everything that belongs to it
//	err = k.Start(ctx)       // the same ports, the same data
//	err = k.Stop(ctx)        // asks it to end; kills after a time
//
// A server keeps all its state in the folder that its options name, listens on 127.0.0.1 only and writes its output to
// <folder>/server.log. Data is written as in production: fsync and synchronous_commit are on. It dies with the process
// that started it. A folder belongs to one process at a time: a lock says so, and a new owner kills what a dead one left.
//
//	        Start            Stop, Kill, or it dies
//	stopped -----> running ------------------------> stopped
//
// Ports that are not given are chosen when the server is made and stay the same for its life.
package server
