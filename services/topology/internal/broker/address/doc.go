// Package address reads the addresses of brokers as the command line and the
// environment give them:
//
//	kafka[s]://user@host:port,host:port?mechanism=SCRAM-SHA-512&ca=FILE
//	amqp[s]://user@host:port/vhost?management=http[s]://host:port&ca=FILE
//
// Passwords never stand on a command line, where every user of the machine can
// read them: they come from the environment.
package address
