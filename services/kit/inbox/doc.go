// Package inbox gives a message one effect, however often it is delivered.
package inbox
