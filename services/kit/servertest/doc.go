// Package servertest gives tests the real servers that the environment names.
//
// A test that needs a server asks for it and is skipped when its variable is
// unset; with REQUIRE_BROKERS=1 the skip is a failure, so that a build that is
// meant to have servers cannot pass without them:
//
//	KAFKA_BROKERS           host:port, comma separated
//	AMQP_URL                amqp://user:password@host:port/vhost
//	AMQP_MANAGEMENT_URL     http://user:password@host:port
//	DATABASE_URL            postgres://user@host:port/database, a role that may create databases
//
// Servers are shared by every test of a run: use Name for whatever is created
// on them. Database gives each test a database of its own. Proxy stands in front of
// a server and cuts, freezes or slows what goes through it.
package servertest
