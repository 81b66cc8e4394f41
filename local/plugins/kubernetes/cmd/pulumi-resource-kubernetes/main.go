// Command pulumi-resource-kubernetes is the resource plugin of the package "kubernetes" for machines that
// cannot download the official one.
package main

import (
	"fmt"
	"os"

	sdk "github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"agentstack/local/plugins/kubernetes/engine"
	"agentstack/local/plugins/kubernetes/object"
	"agentstack/local/plugins/kubernetes/provider"
)

func main() {
	err := sdk.Main("kubernetes", func(host *sdk.HostClient) (pulumirpc.ResourceProviderServer, error) {
		redactor := &object.Redactor{}
		if host == nil {
			return provider.New(nil, redactor), nil
		}
		return provider.New(engine.NewLog(host, redactor.Redact), redactor), nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-kubernetes:", err)
		os.Exit(1)
	}
}
