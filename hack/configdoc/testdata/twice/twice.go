// Package twice declares a variable twice.
package twice

// Config is refused.
type Config struct {
	// A is one.
	A string `envconfig:"SAME"`
	// B is another.
	B string `envconfig:"SAME"`
}
