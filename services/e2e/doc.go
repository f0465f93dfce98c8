// Package e2e tests the whole platform as processes on one machine: real brokers,
// real databases, two replicas of order and inventory, and SIGKILL.
//
// Each test puts orders through the platform with hack/load while something is
// killed, and ends with hack/audit, which must find every promise kept. The last
// test breaks promises on purpose and wants the audit to say so.
package e2e
