package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Object is what every kind of this API has in common.
type Object interface {
	// Meta is the object's metadata.
	Meta() *metav1.ObjectMeta
	// KindName is the kind, such as "Topic".
	KindName() string
	// Broker is the reference of the broker that the object lives on.
	Broker() BrokerRef
	// Policies are the object's lifecycle policies.
	Policies() Lifecycle
	// Problems lists what is wrong with the object by itself, by field.
	Problems() []Problem
}

// BrokerRef names the broker that an object lives on. In a cluster a Kafka or a
// RabbitmqCluster is found through its operator's resource; the command line is
// told the address of the same reference by --broker KIND/NAME=URL.
type BrokerRef struct {
	// Kind of the resource: Kafka (Strimzi), RabbitmqCluster (RabbitMQ cluster
	// operator) or Broker (addresses and a Secret).
	// +kubebuilder:validation:Enum=Kafka;RabbitmqCluster;Broker
	Kind string `json:"kind"`

	// Name of the resource.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`

	// Namespace of the resource; the object's own if empty. Another namespace
	// must consent to being named.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$`
	Namespace string `json:"namespace,omitempty"`

	// Listener of a Kafka to use, by name; if empty, the first internal one whose
	// authentication fits. Only for kind Kafka.
	// +optional
	// +kubebuilder:validation:MaxLength=11
	Listener string `json:"listener,omitempty"`
}

// String is KIND/NAME, or KIND/NAMESPACE/NAME when the reference has one.
func (r BrokerRef) String() string {
	if r.Namespace == "" {
		return r.Kind + "/" + r.Name
	}
	return r.Kind + "/" + r.Namespace + "/" + r.Name
}

// DeletionPolicy says what happens to the broker's objects when the resource is
// deleted, and to generated ones that the resource no longer names.
// +kubebuilder:validation:Enum=Retain;DeleteIfEmpty;Delete
type DeletionPolicy string

// The deletion policies. The zero value is the kind's default.
const (
	// Retain leaves the broker as it is.
	Retain DeletionPolicy = "Retain"
	// DeleteIfEmpty deletes what holds nothing.
	DeleteIfEmpty DeletionPolicy = "DeleteIfEmpty"
	// Delete deletes, whatever it holds.
	Delete DeletionPolicy = "Delete"
)

// AdoptionPolicy says what to do with an object that is there already and was
// not made by this resource.
// +kubebuilder:validation:Enum=Adopt;IfEqual;Never
type AdoptionPolicy string

// The adoption policies. The zero value is IfEqual.
const (
	// Adopt takes the object over and changes it to match.
	Adopt AdoptionPolicy = "Adopt"
	// IfEqual takes it over when nothing would have to be changed.
	IfEqual AdoptionPolicy = "IfEqual"
	// Never leaves it alone.
	Never AdoptionPolicy = "Never"
)

// DriftPolicy says what the controller does when the broker's object was changed
// by somebody else.
// +kubebuilder:validation:Enum=Correct;Report;Ignore
type DriftPolicy string

// The drift policies. The zero value is Correct.
const (
	// Correct changes it back.
	Correct DriftPolicy = "Correct"
	// Report says so and leaves it.
	Report DriftPolicy = "Report"
	// Ignore leaves it without a word.
	Ignore DriftPolicy = "Ignore"
)

// Lifecycle is how an object comes, stays and goes. It is part of every kind.
type Lifecycle struct {
	// DeletionPolicy: Retain leaves the broker's object when the resource is
	// deleted, DeleteIfEmpty deletes it if it holds nothing, Delete always. The
	// default is Retain for a Topic, DeleteIfEmpty for a Queue (judged together
	// with its rungs and its dead-letter queue) and for an Exchange (no binding
	// left with it as source). The command line deletes no object because its
	// manifest went away.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// AdoptionPolicy: what to do when the object is there already. Adopt takes it
	// over and changes it to match, IfEqual (the default) takes it over when
	// nothing would have to be changed, Never leaves it alone and says so. To the
	// command line, naming the manifest is consent: IfEqual adopts too, and Never
	// accepts only what is equal already.
	// +optional
	// +kubebuilder:default=IfEqual
	AdoptionPolicy AdoptionPolicy `json:"adoptionPolicy,omitempty"`

	// DriftPolicy: what the controller does when somebody else changed the
	// object: Correct (the default) changes it back, Report says so, Ignore does
	// neither. An explicit apply from the command line always corrects.
	// +optional
	// +kubebuilder:default=Correct
	DriftPolicy DriftPolicy `json:"driftPolicy,omitempty"`

	// Suspend stops every change to the object until it is false again.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}
