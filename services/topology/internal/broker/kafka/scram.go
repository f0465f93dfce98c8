package kafka

import (
	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
)

// login is the client of one SCRAM login (RFC 5802).
type login struct {
	hash         scram.HashGeneratorFcn
	conversation *scram.ClientConversation
}

func logins(mechanism sarama.SASLMechanism) func() sarama.SCRAMClient {
	hash := scram.SHA512
	if mechanism == sarama.SASLTypeSCRAMSHA256 {
		hash = scram.SHA256
	}
	return func() sarama.SCRAMClient { return &login{hash: hash} }
}

// Begin implements sarama.SCRAMClient.
func (l *login) Begin(user, password, authzID string) error {
	client, err := l.hash.NewClient(user, password, authzID)
	if err != nil {
		return err
	}
	l.conversation = client.NewConversation()
	return nil
}

// Step implements sarama.SCRAMClient.
func (l *login) Step(challenge string) (string, error) { return l.conversation.Step(challenge) }

// Done implements sarama.SCRAMClient.
func (l *login) Done() bool { return l.conversation.Done() }
