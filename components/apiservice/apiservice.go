// Package apiservice runs the AI agent API: it builds the application's image, migrates the database's
// schema, and then rolls the API out behind a Service.
package apiservice

import (
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	autoscalingv2 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/autoscaling/v2"
	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const typeToken = "agentstack:components:ApiService"

const (
	appName    = "ai-agent-api"
	configName = "ai-agent-config"
	secretName = "ai-agent-secrets"
)

// ApiService is a running API.
type ApiService struct {
	pulumi.ResourceState

	// ServiceName is the name of the Service, which listens on port 80.
	ServiceName string
	// Namespace is where the Service is.
	Namespace string
	// JWTKeys and SignupToken are those in use, for standbys and for whoever signs tenants up. Both are secret.
	JWTKeys, SignupToken pulumi.StringOutput
	// Hostname is the address of the edge, in a cloud the DNS name of its load balancer. Set only with Args.Edge.
	Hostname pulumi.StringOutput
	// CA is the authority, in PEM, by which clients of the edge verify it: "" if it is a public one. Set only with
	// Args.Edge.
	CA pulumi.StringOutput
}

// New registers the API: its configuration, a Job that migrates the database, and, once that has succeeded,
// the Deployment and its autoscaler. A changed image migrates and rolls out again; a changed setting only
// rolls out. Bad arguments register nothing.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*ApiService, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	args.Settings, args.Models = args.withDefaults(), args.Models.withDefaults()
	// Clients come to a standby when the primary region is lost: until then there is no traffic to judge by.
	args.Canary.Enabled = args.Canary.Enabled && !args.Standby
	if args.Edge != nil {
		edge := *args.Edge
		edge.EdgeSettings = edge.withDefaults()
		args.Edge = &edge
	}
	service := &ApiService{ServiceName: appName, Namespace: args.Namespace}
	if err := ctx.RegisterComponentResource(typeToken, name, service, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	r := registration{ctx: ctx, name: name, args: args, parent: pulumi.Parent(service)}
	credentials, err := r.credentials()
	if err != nil {
		return nil, fmt.Errorf("register credentials of %s: %w", name, err)
	}
	service.JWTKeys, service.SignupToken = credentials.jwtKeys, credentials.signupToken
	edge, err := r.register(credentials)
	if err != nil {
		return nil, fmt.Errorf("register resources of %s: %w", name, err)
	}
	outputs := pulumi.Map{
		"serviceName": pulumi.String(service.ServiceName),
		"namespace":   pulumi.String(service.Namespace),
	}
	if args.Edge != nil {
		service.Hostname, service.CA = edge.hostname, edge.authority
		outputs["hostname"], outputs["ca"] = service.Hostname, service.CA
	}
	if err := ctx.RegisterResourceOutputs(service, outputs); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return service, nil
}

// registration registers the children of one ApiService.
type registration struct {
	ctx    *pulumi.Context
	name   string
	args   Args
	parent pulumi.ResourceOption
}

// register returns the edge, which is the zero value without Args.Edge.
func (r registration) register(credentials credentials) (edge, error) {
	account, err := corev1.NewServiceAccount(r.ctx, r.name, serviceAccountArgs(r.args), r.parent)
	if err != nil {
		return edge{}, fmt.Errorf("register ServiceAccount: %w", err)
	}
	if err := r.networkPolicies(); err != nil {
		return edge{}, err
	}
	before, err := r.migration(account)
	if err != nil {
		return edge{}, err
	}
	config, secret, err := r.configuration(credentials)
	if err != nil {
		return edge{}, err
	}
	references := references{configMap: config.Metadata.Name(), secret: secret.Metadata.Name()}
	// The routes refer to the canary's Service, and the judge needs both.
	canary, err := r.canary(references, before)
	if err != nil {
		return edge{}, err
	}
	edge, err := r.newEdge(canary)
	if err != nil {
		return edge, fmt.Errorf("register edge: %w", err)
	}
	if before, err = r.judge(before, append(canary, edge.routes...)); err != nil {
		return edge, err
	}
	service, err := r.workload(references, before)
	if err != nil {
		return edge, err
	}
	return edge, r.newRateLimit(append(edge.routes, service))
}

// workload registers the Deployment and what belongs to it, and returns the Service, which has ready pods behind it.
func (r registration) workload(references references, before pulumi.Resource) (pulumi.Resource, error) {
	deployment, err := appsv1.NewDeployment(r.ctx, r.name, deploymentArgs(r.args, appName, references), r.parent,
		pulumi.DependsOn([]pulumi.Resource{before}))
	if err != nil {
		return nil, fmt.Errorf("register Deployment: %w", err)
	}
	_, err = autoscalingv2.NewHorizontalPodAutoscaler(r.ctx, r.name, autoscalerArgs(r.args), r.parent,
		pulumi.DependsOn([]pulumi.Resource{deployment}))
	if err != nil {
		return nil, fmt.Errorf("register HorizontalPodAutoscaler: %w", err)
	}
	if r.args.RecommendResources {
		if _, err := kube.NewCustomResource(r.ctx, r.name, recommendation(r.args), r.parent,
			pulumi.DependsOn([]pulumi.Resource{deployment})); err != nil {
			return nil, err
		}
	}
	budget := kube.OneAtATime(metadata(r.args, appName), kube.Selector(appName))
	if _, err := policyv1.NewPodDisruptionBudget(r.ctx, r.name, budget, r.parent); err != nil {
		return nil, fmt.Errorf("register PodDisruptionBudget: %w", err)
	}
	// A Service counts as created when it has a ready endpoint, so it comes after the pods.
	service, err := corev1.NewService(r.ctx, r.name, serviceArgs(r.args, appName), r.parent,
		pulumi.DependsOn([]pulumi.Resource{deployment}))
	if err != nil {
		return nil, fmt.Errorf("register Service: %w", err)
	}
	return service, nil
}

func (r registration) networkPolicies() error {
	err := kube.NewNetworkPolicy(r.ctx, r.name, metadata(r.args, appName), kube.Selector(appName),
		apiIngress(r.args), apiEgress(r.args), r.parent)
	if err != nil || r.args.Standby {
		return err
	}
	return kube.NewNetworkPolicy(r.ctx, r.name+"-migrate", metadata(r.args, migrationName),
		kube.Selector(migrationName), nil, migrationEgress(r.args), r.parent)
}

// migration registers the Job and returns what the Deployment has to wait for. A standby gets its schema from the
// primary region.
func (r registration) migration(account *corev1.ServiceAccount) (pulumi.Resource, error) {
	if r.args.Standby {
		return account, nil
	}
	job, err := batchv1.NewJob(r.ctx, r.name+"-migrate", migrationArgs(r.args), r.parent,
		pulumi.DependsOn([]pulumi.Resource{account}))
	if err != nil {
		return nil, fmt.Errorf("register migration Job: %w", err)
	}
	return job, nil
}

// configuration registers the ConfigMap and the Secret. The provider names them, and a change replaces
// them: the new object has a new name, which rolls the pods out, and pods of the old revision keep what they
// started with.
func (r registration) configuration(credentials credentials) (*corev1.ConfigMap, *corev1.Secret, error) {
	replace := pulumi.ReplaceOnChanges([]string{"data"})
	name := configName + "-" + r.args.Region
	config, err := corev1.NewConfigMap(r.ctx, name, configMapArgs(r.args), r.parent, replace)
	if err != nil {
		return nil, nil, fmt.Errorf("register ConfigMap: %w", err)
	}
	values := r.args.keys()
	values[jwtKeysVariable], values[signupTokenVariable] = credentials.jwtKeys, credentials.signupToken
	name = secretName + "-" + r.args.Region
	secret, err := kube.NewSecret(r.ctx, name, metadata(r.args, ""), values, r.parent, replace)
	if err != nil {
		return nil, nil, err
	}
	return config, secret, nil
}
