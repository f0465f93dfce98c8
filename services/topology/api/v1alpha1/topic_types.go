package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Topic is a topic of a Kafka cluster, with the dead-letter topics of the
// consumer groups that read it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=mtp,categories=messaging
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.brokerRef.name`
// +kubebuilder:printcolumn:name="Topic",type=string,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Partitions",type=integer,JSONPath=`.spec.partitions`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Topic struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the topic as it should be.
	Spec TopicSpec `json:"spec"`
}

// TopicSpec is a topic as it should be.
type TopicSpec struct {
	// BrokerRef names the Kafka cluster. It cannot be changed.
	BrokerRef BrokerRef `json:"brokerRef"`

	// Name of the topic on the broker; metadata.name if empty. Letters, digits,
	// ".", "_" and "-"; "." and "_" collide in the names of metrics, so a broker
	// refuses two topics that differ only in them. It cannot be changed.
	// +optional
	// +kubebuilder:validation:MaxLength=249
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9._-]+$`
	Name string `json:"name,omitempty"`

	// Partitions of the topic; if unset, the broker's default when it is made, and
	// as it is from then on. Kafka can add partitions, never remove them.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Partitions *int32 `json:"partitions,omitempty"`

	// Replicas of each partition; if unset, the broker's default when the topic is
	// made, and as it is from then on.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32767
	Replicas *int16 `json:"replicas,omitempty"`

	// Config of the topic by Kafka's own names, every value a text. Values are
	// compared by meaning: "060000" is "60000", "compact,delete" is
	// "delete,compact".
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Config map[string]ConfigValue `json:"config,omitempty"`

	// UnmanagedConfig lists keys of config that belong to somebody else: they are
	// neither set nor unset.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	UnmanagedConfig []string `json:"unmanagedConfig,omitempty"`

	// ConfigPolicy: Listed (the default) manages the keys that config lists and no
	// other; Exclusive also unsets every other key that the topic sets, but for
	// unmanagedConfig and the throttles of a running reassignment.
	// +optional
	// +kubebuilder:validation:Enum=Listed;Exclusive
	// +kubebuilder:default=Listed
	ConfigPolicy ConfigPolicy `json:"configPolicy,omitempty"`

	// AllowRepartition consents to adding partitions to a compacted topic. Records
	// of a key then lie in two partitions: the order of a key is lost across the
	// change, and compaction keeps a stale value in the old one.
	// +optional
	AllowRepartition bool `json:"allowRepartition,omitempty"`

	// DeadLetter makes a topic for the records that a consumer group gives up.
	// +optional
	DeadLetter *TopicDeadLetter `json:"deadLetter,omitempty"`

	Lifecycle `json:",inline"`
}

// ConfigValue is the text of one configuration value.
// +kubebuilder:validation:MaxLength=4096
type ConfigValue string

// ConfigPolicy says which keys of a topic's config are managed.
type ConfigPolicy string

// The config policies. The zero value is Listed.
const (
	// Listed manages the listed keys only.
	Listed ConfigPolicy = "Listed"
	// Exclusive unsets what is not listed.
	Exclusive ConfigPolicy = "Exclusive"
)

// TopicDeadLetter is where records go that a consumer group gives up: for each
// group a topic "<topic>.<group>.dlq" with the partitions of its parent,
// cleanup.policy=delete, 30 days of retention, and max.message.bytes 64 KiB above
// the parent's, so that a record of the largest size still fits together with
// the headers that say why it is there.
type TopicDeadLetter struct {
	// Groups are the consumer groups, each with a dead-letter topic of its own.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Groups []ConsumerGroup `json:"groups"`
}

// ConsumerGroup is the name of a consumer group that reads a topic. It is part of
// a topic's name, so it is made of what that may be made of.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=200
// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9._-]+$`
type ConsumerGroup string

// TopicName is the topic's name on the broker.
func (t *Topic) TopicName() string { return nameOr(t.Spec.Name, t.Name) }

// Meta implements Object.
func (t *Topic) Meta() *metav1.ObjectMeta { return &t.ObjectMeta }

// KindName implements Object.
func (t *Topic) KindName() string { return KindTopic }

// Broker implements Object.
func (t *Topic) Broker() BrokerRef { return t.Spec.BrokerRef }

// Policies implements Object.
func (t *Topic) Policies() Lifecycle { return t.Spec.Lifecycle }

func nameOr(name, otherwise string) string {
	if name != "" {
		return name
	}
	return otherwise
}
