// Command pulumi-resource-docker is a Pulumi provider plugin for docker:index/image:Image, for machines
// that cannot download the official one.
package main

import (
	"fmt"
	"os"

	pulumiprovider "github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"agentstack/local/plugins/docker/provider"
)

func main() {
	serve := func(host *pulumiprovider.HostClient) (pulumirpc.ResourceProviderServer, error) {
		return provider.New(host), nil
	}
	if err := pulumiprovider.Main("docker", serve); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
