package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Exchange is an exchange of RabbitMQ.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=mex,categories=messaging
// +kubebuilder:printcolumn:name="Broker",type=string,JSONPath=`.spec.brokerRef.name`
// +kubebuilder:printcolumn:name="Vhost",type=string,JSONPath=`.spec.vhost`
// +kubebuilder:printcolumn:name="Exchange",type=string,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Exchange struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the exchange as it should be.
	Spec ExchangeSpec `json:"spec"`
}

// ExchangeSpec is an exchange as it should be. Nothing of it but alternateExchange
// and bindings can be changed once the exchange is there.
type ExchangeSpec struct {
	// BrokerRef names the RabbitMQ cluster. It cannot be changed.
	BrokerRef BrokerRef `json:"brokerRef"`

	// Vhost of the exchange; if empty, the one that the broker's address names,
	// which is "/" unless it says otherwise. A vhost that is not there is never
	// made. It cannot be changed.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Vhost string `json:"vhost,omitempty"`

	// Name of the exchange on the broker; metadata.name if empty. At most 255 bytes,
	// no control characters, not beginning with "amq.", which the broker keeps for
	// itself. It cannot be changed.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Name string `json:"name,omitempty"`

	// Type of the exchange: direct (the default), fanout, topic, headers, or one
	// of a plugin, which begins with "x-". It cannot be changed.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^(direct|fanout|topic|headers|x-[a-z0-9-]+)$`
	// +kubebuilder:default=direct
	Type string `json:"type,omitempty"`

	// Durable exchanges (the default) outlive a restart of the broker. It cannot be
	// changed.
	// +optional
	// +kubebuilder:default=true
	Durable *bool `json:"durable,omitempty"`

	// AutoDelete makes the broker delete the exchange when its last binding goes.
	// It cannot be changed.
	// +optional
	AutoDelete bool `json:"autoDelete,omitempty"`

	// Internal exchanges take messages from other exchanges only. It cannot be
	// changed.
	// +optional
	Internal bool `json:"internal,omitempty"`

	// AlternateExchange is where messages go that no binding takes, by its name on
	// the broker. It is written as a policy named "<exchange>.exchange.policy".
	// +optional
	// +kubebuilder:validation:MaxLength=255
	AlternateExchange string `json:"alternateExchange,omitempty"`

	// Arguments of the exchange, each a whole number or a text; not
	// alternate-exchange, which has its field. They cannot be changed.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Arguments map[string]Argument `json:"arguments,omitempty"`

	// Bindings to the exchange: what reaches it from other exchanges. Bindings to it
	// that are not listed are removed, except those from unmanagedExchanges. A
	// binding to a queue is a field of the queue.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	Bindings []Binding `json:"bindings,omitempty"`

	// UnmanagedExchanges are exchanges whose bindings to this one belong to
	// somebody else.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	UnmanagedExchanges []string `json:"unmanagedExchanges,omitempty"`

	Lifecycle `json:",inline"`
}

// ExchangeName is the exchange's name on the broker.
func (e *Exchange) ExchangeName() string { return nameOr(e.Spec.Name, e.Name) }

// Meta implements Object.
func (e *Exchange) Meta() *metav1.ObjectMeta { return &e.ObjectMeta }

// KindName implements Object.
func (e *Exchange) KindName() string { return KindExchange }

// Broker implements Object.
func (e *Exchange) Broker() BrokerRef { return e.Spec.BrokerRef }

// Policies implements Object.
func (e *Exchange) Policies() Lifecycle { return e.Spec.Lifecycle }
