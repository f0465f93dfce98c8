// Package config reads a process's settings from its environment, once.
//
// A service declares one struct; the packages of the kit that it uses bring
// their own, which it holds as fields:
//
//	type Config struct {
//		lifecycle.Config
//		Database postgres.Config
//		// LegTimeout is how long a leg may stay open before it is asked for again.
//		LegTimeout time.Duration `envconfig:"LEG_TIMEOUT" default:"2m"`
//	}
//
// Tags: envconfig (the variable's whole name, required), default, required, and
// example (shown when a required variable is missing). A nested struct adds no
// prefix unless it has an envconfig tag itself, for parts that a service has more
// than one of: `envconfig:"CARRIER"` makes its URL CARRIER_URL. A part may have a
// Validate() error method; it is called for every part that has one and reports
// with Invalid, several at once with errors.Join.
//
// Load promises to name every bad variable at once, each with what is wrong and
// what to do, and never to repeat a value: it may be a password that was put
// into the wrong variable. hack/configdoc writes the reference of a service's
// variables from the same structs.
package config
