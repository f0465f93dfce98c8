// Configdoc writes the reference of a service's environment variables:
//
//	go run ./hack/configdoc ./services/order ./services/payment
//
// writes config.md into each folder, from the struct called Config that the
// package there declares: names, defaults and types from its tags and fields,
// meanings from the fields' comments. Structs of this module that it holds are
// followed. A variable without a comment, or declared twice, is an error.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: configdoc FOLDER...")
		os.Exit(2)
	}
	for _, dir := range os.Args[1:] {
		if err := write(dir); err != nil {
			fmt.Fprintf(os.Stderr, "configdoc: %s: %v\n", dir, err)
			os.Exit(1)
		}
	}
}

// write writes dir/config.md.
func write(dir string) error {
	page, err := document(dir)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.md"), page, 0o644) //nolint:gosec // a page of documentation is for everybody
}
