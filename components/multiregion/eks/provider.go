package eks

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumix"
)

// newProvider registers a provider for the cluster, which depends on what its pods need to start.
func (b *builder) newProvider(after []pulumi.Resource) (*kubernetes.Provider, error) {
	name, region := Name(b.args.Scope), b.args.Region
	config := pulumix.Apply2Err(b.cluster.Endpoint, b.cluster.CertificateAuthority.Data().Elem(),
		func(endpoint, authority string) (string, error) { return kubeconfig(name, region, endpoint, authority) })
	provider, err := kubernetes.NewProvider(b.ctx, "kubernetes-"+region, &kubernetes.ProviderArgs{
		Kubeconfig: pulumix.Cast[pulumi.StringOutput](config),
		// The region identifies the cluster: another endpoint does not make the provider replace everything.
		ClusterIdentifier:      pulumi.String(region),
		EnableServerSideApply:  pulumi.Bool(true),
		EnableConfigMapMutable: pulumi.Bool(true),
		EnableSecretMutable:    pulumi.Bool(true),
	}, b.parent, pulumi.DependsOn(after))
	if err != nil {
		return nil, fmt.Errorf("register Kubernetes provider of %s: %w", b.name, err)
	}
	return provider, nil
}

// kubeconfig returns what `aws eks update-kubeconfig` writes: it holds no secret, because the AWS CLI makes a token for
// each session from the credentials that Pulumi runs with.
func kubeconfig(name, region, endpoint, authority string) (string, error) {
	type object = map[string]any
	encoded, err := json.Marshal(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": name,
		"clusters": []object{{"name": name, "cluster": object{
			"server": endpoint, "certificate-authority-data": authority,
		}}},
		"contexts": []object{{"name": name, "context": object{"cluster": name, "user": name}}},
		"users": []object{{"name": name, "user": object{"exec": object{
			"apiVersion":      "client.authentication.k8s.io/v1beta1",
			"command":         "aws",
			"args":            tokenCommand(name, region),
			"interactiveMode": "Never",
		}}}},
	})
	if err != nil {
		return "", fmt.Errorf("encode kubeconfig of %s: %w", name, err)
	}
	return string(encoded), nil
}

// tokenCommand are the arguments of the AWS CLI.
func tokenCommand(name, region string) []string {
	return []string{"--region", region, "eks", "get-token", "--cluster-name", name, "--output", "json"}
}
