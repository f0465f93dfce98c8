package config_test

import (
	"fmt"
	"os"
	"time"

	"parley.sh/services/kit/config"
)

func ExampleLoad() {
	type Config struct {
		// Brokers are where Kafka is.
		Brokers []string `envconfig:"EXAMPLE_BROKERS" required:"true" example:"kafka:9092"`
		// Timeout is how long to wait.
		Timeout time.Duration `envconfig:"EXAMPLE_TIMEOUT" default:"30s"`
	}
	_ = os.Setenv("EXAMPLE_TIMEOUT", "soon")
	defer func() { _ = os.Unsetenv("EXAMPLE_TIMEOUT") }()

	var cfg Config
	fmt.Println(config.Load(&cfg))
	// Output:
	// the configuration has 2 problem(s)
	//   EXAMPLE_BROKERS is not set: set it, for example to kafka:9092
	//   EXAMPLE_TIMEOUT is not a duration: give a number with a unit, such as 500ms, 30s or 2m, or leave it unset for 30s
}

func ExampleSecret() {
	password := config.Secret("hunter2")
	fmt.Println(password, len(password.Reveal()))
	// Output: *** 7
}
