// Package port finds free TCP ports of this machine and says who holds one that is taken.
package port
