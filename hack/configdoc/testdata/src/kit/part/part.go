// Package part is read by the test of configdoc.
package part

// Secret is text that is not a struct.
type Secret string

// Config is embedded.
type Config struct {
	// Password opens the door.
	Password Secret `envconfig:"PASSWORD" required:"true"`
}

// Other is a named part.
type Other struct {
	// Weights are by name.
	Weights map[string]int `envconfig:"WEIGHTS"`
	// Count is how many.
	Count uint16 `envconfig:"COUNT" default:"3"`
}
