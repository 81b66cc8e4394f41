// The policy pack of agentstack: an analyzer plugin that judges every resource of every preview and update.
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/policyx"
)

func main() {
	if err := policyx.Main(newPack); err != nil {
		fmt.Fprintln(os.Stderr, "serve policies:", err)
		os.Exit(1)
	}
}
