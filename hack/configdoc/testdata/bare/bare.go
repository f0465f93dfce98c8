// Package bare has a variable without a comment.
package bare

// Config is refused.
type Config struct {
	A string `envconfig:"A"`
}
