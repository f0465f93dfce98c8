// Package cli is the command line: validate, plan and apply.
//
// It reads manifests, finds the address of each broker that they name, and runs
// the plan against each. Brokers do not wait for each other's failures: what can
// be planned or applied is, and the exit code says whether all could.
//
//	0  all is as the manifests say, or was made so
//	1  an error: nothing was changed unless the output says so
//	2  plan --detailed-exitcode: there are changes
package cli
