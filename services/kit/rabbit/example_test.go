package rabbit_test

import (
	"fmt"
	"time"

	"parley.sh/services/kit/rabbit"
)

// The names that a queue's manifest and its consumers agree on.
func ExampleRetryQueue() {
	fmt.Println(rabbit.RetryExchange("PaymentQueue"))
	for _, delay := range []time.Duration{time.Second, 90 * time.Second, 2 * time.Minute} {
		fmt.Println(rabbit.RetryQueue("PaymentQueue", delay), "behind", rabbit.DelayKey(delay))
	}
	fmt.Println(rabbit.DeadLetterQueue("PaymentQueue"), "behind", rabbit.DeadLetterKey)
	// Output:
	// PaymentQueue.retry
	// PaymentQueue.retry.1s behind 1s
	// PaymentQueue.retry.90s behind 90s
	// PaymentQueue.retry.2m behind 2m
	// PaymentQueue.dlq behind dlq
}
