package hapostgres

import (
	"fmt"
	"net/url"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumix"

	"agentstack/internal/kube"
)

const (
	basicAuth = "kubernetes.io/basic-auth"
	// labelReload makes the operator apply a changed Secret at once.
	// https://cloudnative-pg.io/documentation/1.28/labels_annotations/#predefined-labels
	labelReload = "cnpg.io/reload"
)

// Names of the Secrets from which the operator sets the passwords of roles. They are fixed, because the specification
// that a cluster was bootstrapped with refers to one for as long as the cluster lives.
const (
	ownerSecret  = clusterName + "-owner-role"
	backupSecret = clusterName + "-backup-role"
)

// credentials of a role: role is the Secret that the operator reads, client the one for those that connect.
type credentials struct {
	role     pulumi.Resource
	password pulumi.StringOutput
	client   pulumi.StringOutput
}

// newCredentials registers the two Secrets of a role. Without a password it makes one.
// The client's Secret is named by the provider, and replaced when anything in it changes: that restarts those who use
// it, and what a pod began with stays as long as the pod.
func newCredentials(ctx *pulumi.Context, name string, args Args, roleName, secretName string,
	password pulumi.StringInput, opts ...pulumi.ResourceOption,
) (credentials, error) {
	roleOpts := opts
	if password == nil {
		generated, keep := kube.Generate()
		password, roleOpts = generated, append(opts[:len(opts):len(opts)], keep)
	}
	meta := args.metadata(secretName)
	meta.Labels[labelReload] = "true"
	role, err := kube.NewSecretOfType(ctx, name+"-role", meta, basicAuth, pulumi.StringMap{
		"username": pulumi.String(roleName),
		"password": password,
	}, roleOpts...)
	if err != nil {
		return credentials{}, err
	}
	kept := kube.Decoded(role, "password")
	client, err := kube.NewSecretOfType(ctx, name, args.metadata(""), basicAuth,
		clientValues(args, roleName, kept), append(opts, pulumi.ReplaceOnChanges([]string{"data"}))...)
	if err != nil {
		return credentials{}, err
	}
	return credentials{role: role, password: kept, client: client.Metadata.Name().Elem()}, nil
}

// clientValues are the keys that the operator's own Secrets have, as far as clients use them. The server is asked for
// TLS, but its certificate is not checked: the operator's authority is in the Secret ai-agent-db-ca, which clients do
// not mount yet.
func clientValues(args Args, roleName string, password pulumi.StringOutput) pulumi.StringMap {
	host := fmt.Sprintf("%s-rw.%s", clusterName, args.Namespace)
	uri := pulumix.Apply(password, func(password string) string {
		return (&url.URL{
			Scheme:   "postgresql",
			User:     url.UserPassword(roleName, password),
			Host:     fmt.Sprintf("%s:%d", host, port),
			Path:     Database,
			RawQuery: "sslmode=require",
		}).String()
	})
	return pulumi.StringMap{
		"username": pulumi.String(roleName),
		"password": password,
		"host":     pulumi.String(host),
		"port":     pulumi.String(fmt.Sprint(port)),
		"dbname":   pulumi.String(Database),
		"uri":      pulumix.Cast[pulumi.StringOutput](uri),
	}
}
