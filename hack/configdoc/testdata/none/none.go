// Package none has no Config.
package none
