// Command agentstack is the Pulumi program of this project: `pulumi up` runs it.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/stacks"
)

func main() {
	pulumi.Run(stacks.Deploy)
}
