// Package bus is the service's side of both brokers: what it makes of each fact
// that arrives, and the messages by which it announces what it did.
//
//	topic                              group        becomes
//	Inventory, Payments, Shipments     order        Service.React, once per message
//	Stock                              order-stock  the read model; versions, not the inbox
//	OrderUpdates (fanout)              -            Hints.Notify
//
// Handlers decode against the schema of the message: what does not fit is Invalid
// and set aside. Everything else is kept until it has taken effect.
package bus
