// Package rabbit speaks to RabbitMQ: a publisher that confirms, a consumer that
// retries over a ladder, and a subscriber for hints.
package rabbit
