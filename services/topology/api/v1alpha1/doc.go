// Package v1alpha1 is the API of managed messaging objects: group
// messaging.parley.sh, version v1alpha1.
//
// A [Topic] is a topic of a Kafka cluster; a [Queue] and an [Exchange] are what
// RabbitMQ calls by these names. Bindings, the retry ladder and the dead-letter
// place of a queue are fields of it, never objects of their own: whoever owns a
// queue owns all that makes it work. Each object names its broker by
// [BrokerRef], so that one folder of manifests serves a laptop and a cluster.
//
// The comments of the types are the reference for those who write manifests.
// The Problems method of each kind states every rule that a schema can state
// too; the ones that need a broker are the plan's.
package v1alpha1

// +kubebuilder:object:generate=true
// +groupName=messaging.parley.sh
