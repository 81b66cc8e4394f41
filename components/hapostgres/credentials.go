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

// Passwords are those of the roles that log in to a standby too.
type Passwords struct {
	// Current is the one of Settings.PasswordVersion.
	Current pulumi.StringOutput
	// Previous is the one of the version before, which still is valid. It is the zero value for version 1.
	Previous pulumi.StringOutput
	// Guard is the guard's. It is the zero value without one.
	Guard pulumi.StringOutput
}

// credentials are the Secrets of the cluster's roles.
type credentials struct {
	// roles are those that the operator sets the passwords from.
	roles     []pulumi.Resource
	passwords Passwords
	// app, backup and guard are the names of those for the clients. Without a guard its name is the zero value.
	app, backup, guard pulumi.StringOutput
}

// newCredentials registers two Secrets for each role: one that the operator reads, and one for those who log in. Those
// of the version before have no client any more that starts, so only the first is left of them.
func newCredentials(ctx *pulumi.Context, name string, args Args, parent pulumi.ResourceOption) (credentials, error) {
	var made credentials
	add := func(role, suffix, secretName string, given pulumi.StringInput) (pulumi.StringOutput, error) {
		secret, password, err := newPassword(ctx, name+"-"+suffix, args.metadata(secretName), role, given, parent)
		made.roles = append(made.roles, secret)
		return password, err
	}
	passwords := []*pulumi.StringOutput{&made.passwords.Current, &made.passwords.Previous}
	for i, version := range args.appVersions() {
		var given pulumi.StringInput
		if args.Passwords != nil {
			given = []pulumi.StringOutput{args.Passwords.Current, args.Passwords.Previous}[i]
		}
		password, err := add(appRole(version), fmt.Sprintf("app-v%d", version), args.appSecret(version), given)
		if err != nil {
			return credentials{}, err
		}
		*passwords[i] = password
	}
	var err error
	if made.app, err = newClientSecret(ctx, name+"-app", args, appValues(args, made.passwords.Current),
		parent); err != nil {
		return credentials{}, err
	}
	// direct makes the Secrets of a role that connects to the instances themselves.
	direct := func(role, suffix, secretName string, given pulumi.StringInput) (client, password pulumi.StringOutput,
		err error,
	) {
		password, err = add(role, fmt.Sprintf("%s-v%d", suffix, args.PasswordVersion), secretName, given)
		if err != nil {
			return client, password, err
		}
		client, err = newClientSecret(ctx, name+"-"+suffix, args,
			clientValues(role, password, args.host(writes)), parent)
		return client, password, err
	}
	made.backup, _, err = direct(BackupRole, "backup", args.backupSecret(), nil)
	if err != nil || !args.guarded() {
		return made, err
	}
	var given pulumi.StringInput
	if args.Passwords != nil {
		given = args.Passwords.Guard
	}
	made.guard, made.passwords.Guard, err = direct(guardLogin, "guard", args.guardSecret(), given)
	return made, err
}

// newPassword registers the Secret that the operator sets the password of a role from. Without a password it makes one.
func newPassword(ctx *pulumi.Context, name string, meta kube.Metadata, role string, password pulumi.StringInput,
	opts ...pulumi.ResourceOption,
) (pulumi.Resource, pulumi.StringOutput, error) {
	if password == nil {
		generated, keep := kube.Generate()
		password, opts = generated, append(opts, keep)
	}
	meta.Labels[labelReload] = "true"
	secret, err := kube.NewSecretOfType(ctx, name, meta, basicAuth, pulumi.StringMap{
		"username": pulumi.String(role),
		"password": password,
	}, opts...)
	if err != nil {
		return nil, pulumi.StringOutput{}, err
	}
	return secret, kube.Decoded(secret, "password"), nil
}

// newClientSecret registers a Secret that is named by the provider, and replaced when anything in it changes: that
// restarts those who use it, and what a pod began with stays as long as the pod.
func newClientSecret(ctx *pulumi.Context, name string, args Args, values pulumi.StringMap, parent pulumi.ResourceOption,
) (pulumi.StringOutput, error) {
	secret, err := kube.NewSecretOfType(ctx, name, args.metadata(""), basicAuth, values, parent,
		pulumi.ReplaceOnChanges([]string{"data"}))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return secret.Metadata.Name().Elem(), nil
}

// appValues lead through the pools, and for migrations past them. What those make belongs to the owner, whichever of
// its members is logged in.
func appValues(args Args, password pulumi.StringOutput) pulumi.StringMap {
	role := appRole(args.PasswordVersion)
	values := clientValues(role, password, args.host(poolerRW))
	values[kube.KeyReadURI] = uri(role, password, args.host(poolerRO), "")
	values[kube.KeyDirectURI] = uri(role, password, args.host(writes), "&role="+Database)
	return values
}

// clientValues are the keys that the operator's own Secrets have, as far as clients use them.
func clientValues(role string, password pulumi.StringOutput, host string) pulumi.StringMap {
	return pulumi.StringMap{
		"username":  pulumi.String(role),
		"password":  password,
		"host":      pulumi.String(host),
		"port":      pulumi.String(fmt.Sprint(port)),
		"dbname":    pulumi.String(Database),
		kube.KeyURI: uri(role, password, host, ""),
	}
}

func uri(role string, password pulumi.StringOutput, host, parameters string) pulumi.StringOutput {
	return pulumix.Cast[pulumi.StringOutput](pulumix.Apply(password, func(password string) string {
		return (&url.URL{
			Scheme:   "postgresql",
			User:     url.UserPassword(role, password),
			Host:     fmt.Sprintf("%s:%d", host, port),
			Path:     Database,
			RawQuery: "sslmode=verify-full&sslrootcert=" + kube.DatabaseCAFile + parameters,
		}).String()
	}))
}

// Services of a cluster, by their suffixes.
const (
	writes   = "-rw"
	poolerRW = "-pooler-rw"
	poolerRO = "-pooler-ro"
)

// host is the address of a Service of the cluster. The certificates of its servers name it in this form.
func (a Args) host(suffix string) string { return a.Name + suffix + "." + a.Namespace }

// url is the address of the database behind a Service, for people and not for programs: it has no credentials.
func (a Args) url(suffix string) string {
	return fmt.Sprintf("postgresql://%s:%d/%s?sslmode=verify-full", a.host(suffix), port, Database)
}
