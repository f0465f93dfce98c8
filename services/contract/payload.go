package contract

import (
	"encoding/json"
	"fmt"
	"time"

	"parley.sh/services/kit/message"
)

// Payload is the data of one message type.
type Payload interface {
	// Type is the name of the message type, the same on the wire as in Go.
	Type() string
	// Subject is the id of the entity that the message is about, and its key.
	Subject() string
	// Address is where the message goes.
	Address() message.Address
	// Source is the service that sends it.
	Source() string
}

// Version is the version of every schema so far.
const Version = 1

// SchemaURI returns the dataschema of a message type.
func SchemaURI(messageType string) string {
	return fmt.Sprintf("https://parley.sh/schema/%s.v%d.json", messageType, Version)
}

// NewMessage returns the message that carries p. The id identifies this message
// for ever and at is when its fact happened. A payload is a struct of plain
// fields, so encoding it cannot fail; if it does, it is a defect and an error.
func NewMessage(p Payload, id string, at time.Time) (message.Message, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return message.Message{}, fmt.Errorf("encode %s: %w", p.Type(), err)
	}
	return message.Message{
		ID:         id,
		Type:       p.Type(),
		Source:     p.Source(),
		Subject:    p.Subject(),
		Time:       at.UTC(),
		DataSchema: SchemaURI(p.Type()),
		Key:        p.Subject(),
		To:         p.Address(),
		Data:       data,
	}, nil
}
