// Command pulumi-resource-aws is a Pulumi provider plugin that simulates AWS, for previews on machines that have
// neither the official plugin nor an account.
package main

import (
	"fmt"
	"os"

	pulumiprovider "github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"agentstack/local/plugins/aws/provider"
)

func main() {
	serve := func(host *pulumiprovider.HostClient) (pulumirpc.ResourceProviderServer, error) {
		return provider.New(host), nil
	}
	if err := pulumiprovider.Main("aws", serve); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
