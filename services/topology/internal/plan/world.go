package plan

// Owner is the manifest that asks for an object.
type Owner struct {
	// Name is its kind and name, such as "Queue inventory-queue".
	Name string
	// Untouchable: what is there already is left alone (adoptionPolicy Never).
	Untouchable bool
}

// Desired is what the manifests ask of one broker. The zero value asks nothing.
type Desired struct {
	Topics    []WantTopic
	Exchanges []WantExchange
	Policies  []WantPolicy
	Queues    []WantQueue
	Bindings  []WantBinding
	// Families are the generated objects of each queue, to find what is left over.
	Families []Family
}

// WantTopic is a topic that should be.
type WantTopic struct {
	Topic
	Owner Owner
	// Exclusive unsets keys that Config does not list.
	Exclusive bool
	// Unmanaged keys are neither set nor unset.
	Unmanaged []string
	// AllowRepartition consents to new partitions of a compacted topic.
	AllowRepartition bool
	// Parent is the topic whose dead-letter topic this is. It gives the partitions
	// and, 64 KiB lower, max.message.bytes.
	Parent string
}

// WantExchange is an exchange that should be.
type WantExchange struct {
	Exchange
	Owner Owner
	// Policy is the policy that must be there before the exchange; zero for none.
	Policy ID
	// Unmanaged are the sources whose bindings to it are left alone.
	Unmanaged []string
	// Generated exchanges belong to a queue; their bindings are not looked at.
	Generated bool
}

// WantPolicy is a policy that should be.
type WantPolicy struct {
	Policy
	Owner Owner
	// Target is the one object that the policy is for.
	Target ID
	// Needs are the objects that the policy's settings lead to.
	Needs []ID
}

// WantQueue is a queue that should be.
type WantQueue struct {
	Queue
	Owner Owner
	// Policy is the policy that must be there before the queue; zero for none.
	Policy ID
	// Unmanaged are the sources whose bindings to it are left alone.
	Unmanaged []string
	// Replace consents to deleting and making it again while it is empty.
	Replace bool
	// Generated queues are rungs and dead-letter queues.
	Generated bool
}

// WantBinding is a binding that should be.
type WantBinding struct {
	Binding
	Owner Owner
	// Generated bindings are those of a retry exchange.
	Generated bool
}

// Family is what a queue or an exchange brings with it, to find what its manifest
// no longer names. A family that keeps is left alone.
type Family struct {
	Vhost string
	Owner Owner
	// Queue is the name of the queue, or Exchange that of the exchange whose family it
	// is: that of an exchange is a policy at most.
	Queue, Exchange string
	// Keep leaves what is left over (deletionPolicy Retain).
	Keep bool
	// RetryExchange, DeadLetter and Policy are the names that are reserved for it.
	RetryExchange, DeadLetter, Policy string
	// RungPrefix begins the name of each rung; a delay follows.
	RungPrefix string
	// Pattern is what a generated policy's pattern is.
	Pattern string
}

// Observed is what one broker holds, as far as Desired can concern it.
type Observed struct {
	Topics map[string]TopicState
	// Defaults are what a topic gets that does not say.
	Defaults TopicDefaults
	// Vhosts holds each vhost that is there.
	Vhosts map[string]*Vhost
}

// TopicDefaults are a Kafka broker's own defaults. Zero values mean that the broker
// does not tell; Kafka's are taken then.
type TopicDefaults struct {
	Partitions      int32
	MaxMessageBytes int64
}

// TopicState is a topic as it is.
type TopicState struct {
	// ID is the broker's own; it changes when a topic is deleted and made again.
	ID         string
	Partitions int32
	Replicas   int16
	Config     map[string]Setting
}

// Setting is one configuration value of a topic.
type Setting struct {
	Value string
	Type  SettingType
	// Own is true for a value that the topic sets itself, false for a default.
	Own bool
	// Default is the value if the topic did not set it; empty if it is not known.
	Default string
}

// SettingType says how to compare values of a setting.
type SettingType uint8

// The types of settings. The zero value compares texts.
const (
	TypeText SettingType = iota
	TypeBool
	TypeInt
	TypeFloat
	TypeList
)

// Vhost is a virtual host of RabbitMQ as it is.
type Vhost struct {
	Exchanges map[string]Exchange
	Queues    map[string]QueueState
	Policies  map[string]Policy
	Bindings  []Binding
}

// QueueState is a queue as it is.
type QueueState struct {
	Queue
	// Policy is the name of the policy that applies to it; empty for none.
	Policy string
}
