package v1alpha1

// The group and version that every manifest of this API carries, and its kinds.
const (
	Group      = "messaging.parley.sh"
	Version    = "v1alpha1"
	APIVersion = Group + "/" + Version

	KindTopic    = "Topic"
	KindQueue    = "Queue"
	KindExchange = "Exchange"
)

// The kinds of resource that a BrokerRef can name.
const (
	// BrokerKafka is a Kafka of the Strimzi operator.
	BrokerKafka = "Kafka"
	// BrokerRabbitMQ is a RabbitmqCluster of the RabbitMQ cluster operator.
	BrokerRabbitMQ = "RabbitmqCluster"
	// BrokerAddress is a Broker of this group: addresses and a Secret.
	BrokerAddress = "Broker"
)
