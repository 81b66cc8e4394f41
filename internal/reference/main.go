// Command reference prints the configuration reference: every key of a stack's configuration and every
// secret, with type, default and meaning, as Markdown tables. Types come from stacks.Config, the texts from
// the comments of its fields in the source. Run it in the project's folder.
package main

import (
	"fmt"
	"os"
	"reflect"

	"agentstack/stacks"
)

func main() {
	text, err := reference(".")
	if err != nil {
		fmt.Fprintf(os.Stderr, "reference: %v\n", err)
		os.Exit(1)
	}
	fmt.Print(text)
}

// reference renders the tables. root is the project's folder.
func reference(root string) (string, error) {
	sources := &sources{root: root, parsed: map[string]*source{}}
	config := reflect.TypeFor[stacks.Config]()
	keys, err := sources.rows(config, "")
	if err != nil {
		return "", err
	}
	secrets, err := sources.secretRows(config)
	if err != nil {
		return "", err
	}
	return render([]string{"Key", "Type", "Default", "Meaning"}, keys) + "\n" +
		render([]string{"Secret", "Needed", "Meaning"}, secrets), nil
}
