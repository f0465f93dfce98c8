package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Queue is a queue of RabbitMQ with its bindings, its retry ladder and its
// dead-letter queue.
//
// What can be changed later (messageTTL, maxLength, maxBytes, overflow,
// deliveryLimit, the dead-lettering) is written as one generated policy named
// "<queue>.policy"; what cannot (type, durable, autoDelete,
// singleActiveConsumer, arguments) as arguments of the queue.
//
// With deadLetter there is a direct exchange "<queue>.retry", which belongs to
// the queue alone, and behind its key "dlq" the queue "<queue>.dlq". Each delay of
// retry adds a rung "<queue>.retry.<delay>" behind the key "<delay>": a queue whose
// messages return to the main queue when the delay is over. A consumer that fails
// publishes to "<queue>.retry" and needs no right to write anywhere else.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=mqu,categories=messaging
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.brokerRef.name`
// +kubebuilder:printcolumn:name="Vhost",type=string,JSONPath=`.spec.vhost`
// +kubebuilder:printcolumn:name="Queue",type=string,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Queue struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the queue as it should be.
	Spec QueueSpec `json:"spec"`
}

// QueueSpec is a queue as it should be.
type QueueSpec struct {
	// BrokerRef names the RabbitMQ cluster. It cannot be changed.
	BrokerRef BrokerRef `json:"brokerRef"`

	// Vhost of the queue; if empty, the one that the broker's address names, which
	// is "/" unless it says otherwise. A vhost that is not there is never made. It
	// cannot be changed.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Vhost string `json:"vhost,omitempty"`

	// Name of the queue on the broker; metadata.name if empty. At most 255 bytes
	// with the suffixes of generated names, no control characters, not beginning
	// with "amq.", which the broker keeps for itself. It cannot be changed.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Name string `json:"name,omitempty"`

	// Type of the queue: quorum (the default: replicated, safe), classic or stream.
	// It cannot be changed but by replacePolicy.
	// +optional
	// +kubebuilder:validation:Enum=quorum;classic;stream
	// +kubebuilder:default=quorum
	Type QueueType `json:"type,omitempty"`

	// Durable queues (the default) outlive a restart of the broker. Only a classic
	// queue can be otherwise. It cannot be changed but by replacePolicy.
	// +optional
	// +kubebuilder:default=true
	Durable *bool `json:"durable,omitempty"`

	// AutoDelete makes the broker delete the queue when its last consumer goes. Only
	// for a classic queue. It cannot be changed but by replacePolicy.
	// +optional
	AutoDelete bool `json:"autoDelete,omitempty"`

	// SingleActiveConsumer lets one consumer at a time take messages; the others
	// stand by. Not for a stream. It cannot be changed but by replacePolicy.
	// +optional
	SingleActiveConsumer bool `json:"singleActiveConsumer,omitempty"`

	// MessageTTL is how long a message may wait; then it is dead-lettered, or
	// dropped if there is no deadLetter. Not for a stream.
	// +optional
	MessageTTL Duration `json:"messageTTL,omitempty"`

	// MaxLength is how many messages may wait. Not for a stream.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxLength *int64 `json:"maxLength,omitempty"`

	// MaxBytes is how many bytes of messages may wait, such as 512Mi.
	// +optional
	MaxBytes *resource.Quantity `json:"maxBytes,omitempty"`

	// Overflow says what gives way when a limit is reached: drop-head the oldest
	// message, reject-publish the new one. With deadLetter it is reject-publish and
	// nothing else: the broker's at-least-once dead-lettering requires it.
	// +optional
	// +kubebuilder:validation:Enum=drop-head;reject-publish
	Overflow Overflow `json:"overflow,omitempty"`

	// DeliveryLimit is how often a message may return to a quorum queue before it
	// is dead-lettered; -1 means for ever. It guards against messages that kill
	// their consumer; lost connections count too, so keep it high. It is always
	// stated: if unset, 50 with deadLetter, and -1 without, because the broker's own
	// default of 20 would drop the message.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	// +kubebuilder:validation:Maximum=1000000
	DeliveryLimit *int32 `json:"deliveryLimit,omitempty"`

	// Policy: Generated (the default) writes the settings above as one policy named
	// "<queue>.policy"; None writes no policy and leaves foreign ones alone, and
	// then none of these settings may be given.
	// +optional
	// +kubebuilder:validation:Enum=Generated;None
	// +kubebuilder:default=Generated
	Policy PolicyMode `json:"policy,omitempty"`

	// Arguments of the queue that have no field here, each a whole number or a
	// text; all but x-queue-type. They cannot be changed but by replacePolicy.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Arguments map[string]Argument `json:"arguments,omitempty"`

	// Bindings of the queue: what reaches it. Bindings that are not listed are
	// removed, except those from unmanagedExchanges.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	Bindings []Binding `json:"bindings,omitempty"`

	// UnmanagedExchanges are exchanges whose bindings to the queue belong to
	// somebody else.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	UnmanagedExchanges []string `json:"unmanagedExchanges,omitempty"`

	// Retry is the ladder of delays. It needs deadLetter.
	// +optional
	Retry *Retry `json:"retry,omitempty"`

	// DeadLetter makes the queue "<queue>.dlq" for messages that are given up,
	// expire or return too often. Not for a stream.
	// +optional
	DeadLetter *QueueDeadLetter `json:"deadLetter,omitempty"`

	// ReplacePolicy: how to satisfy a change of what cannot be changed. Never (the
	// default) refuses it; IfEmpty deletes the queue and makes it again if it has
	// no message and no consumer.
	// +optional
	// +kubebuilder:validation:Enum=Never;IfEmpty
	// +kubebuilder:default=Never
	ReplacePolicy ReplacePolicy `json:"replacePolicy,omitempty"`

	Lifecycle `json:",inline"`
}

// QueueType is the kind of store behind a queue.
type QueueType string

// The queue types. The zero value is Quorum.
const (
	// Quorum is replicated by consensus.
	Quorum QueueType = "quorum"
	// Classic lives on one node.
	Classic QueueType = "classic"
	// Stream is a log that can be read again.
	Stream QueueType = "stream"
)

// Overflow says what gives way when a queue is full.
type Overflow string

// The overflow behaviours. The zero value is the broker's: DropHead.
const (
	// DropHead drops the oldest message.
	DropHead Overflow = "drop-head"
	// RejectPublish refuses the new message.
	RejectPublish Overflow = "reject-publish"
)

// PolicyMode says whether a policy is generated.
type PolicyMode string

// The policy modes. The zero value is Generated.
const (
	// Generated writes a policy.
	Generated PolicyMode = "Generated"
	// NoPolicy writes none.
	NoPolicy PolicyMode = "None"
)

// ReplacePolicy says how a change of what cannot be changed is satisfied.
type ReplacePolicy string

// The replace policies. The zero value is ReplaceNever.
const (
	// ReplaceNever refuses the change.
	ReplaceNever ReplacePolicy = "Never"
	// ReplaceIfEmpty deletes an empty queue and makes it again.
	ReplaceIfEmpty ReplacePolicy = "IfEmpty"
)

// Binding is a way from an exchange to the object that lists it.
type Binding struct {
	// Exchange is the source, by its name on the broker, in the same vhost.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Exchange string `json:"exchange"`

	// RoutingKeys make one binding each; if empty, one with the empty key, as a
	// fanout or headers exchange wants it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	RoutingKeys []RoutingKey `json:"routingKeys,omitempty"`

	// Arguments of each of the bindings: what a headers exchange matches, such as
	// x-match and the headers' values.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Arguments map[string]Argument `json:"arguments,omitempty"`
}

// RoutingKey is a key of a direct exchange or a pattern of a topic exchange.
// +kubebuilder:validation:MaxLength=255
type RoutingKey string

// Retry is a ladder of delays, as rungs of a queue.
type Retry struct {
	// Delays, each longer than the one before: a rung each. The text as written is
	// the rung's name and key: "1s" makes "<queue>.retry.1s".
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Delays []Duration `json:"delays"`
}

// QueueDeadLetter makes "<queue>.dlq", a quorum queue without limits of length,
// time or delivery: what is set aside stays until somebody decides.
type QueueDeadLetter struct{}

// QueueName is the queue's name on the broker.
func (q *Queue) QueueName() string { return nameOr(q.Spec.Name, q.Name) }

// QueueType is the type of the queue, Quorum if the manifest says none.
func (q *Queue) QueueType() QueueType {
	if q.Spec.Type == "" {
		return Quorum
	}
	return q.Spec.Type
}

// Meta implements Object.
func (q *Queue) Meta() *metav1.ObjectMeta { return &q.ObjectMeta }

// KindName implements Object.
func (q *Queue) KindName() string { return KindQueue }

// Broker implements Object.
func (q *Queue) Broker() BrokerRef { return q.Spec.BrokerRef }

// Policies implements Object.
func (q *Queue) Policies() Lifecycle { return q.Spec.Lifecycle }
