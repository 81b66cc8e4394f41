// Package dns makes the public names of a stack: a domain that leads to a healthy region, a name for each region, and
// the certificates for both.
package dns

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/multiregion/internal/cloud"
)

const recordsTypeToken = "agentstack:components:DnsRecords"

// Health checks: three failures in a row, each 30 seconds after the other, take a region out of the answers.
// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html
const (
	healthPath     = "/health"
	healthInterval = 30
	healthFailures = 3
)

// RecordsArgs configures the records of a domain.
type RecordsArgs struct {
	Args

	// Routing is RoutingFailover or RoutingLatency.
	Routing string
	// Hostnames of the load balancers, by region.
	Hostnames map[string]pulumi.StringInput
}

// Records are the records of a domain.
type Records struct {
	pulumi.ResourceState
}

// NewRecords registers the records that lead to the load balancers. Bad arguments register nothing.
func NewRecords(ctx *pulumi.Context, name string, args RecordsArgs, opts ...pulumi.ResourceOption) (*Records, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	made := &Records{}
	if err := ctx.RegisterComponentResource(recordsTypeToken, name, made, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	// Route 53 is one for all regions.
	provider := pulumi.Provider(args.Regions[0].Provider)
	in := []pulumi.ResourceOption{pulumi.Parent(made), provider}
	checks := map[string]pulumi.IDOutput{}
	for _, record := range records(args.Domain, args.Routing, args.regionNames()) {
		if record.check != "" {
			check, err := newHealthCheck(ctx, name+"-"+record.check, args, record.check, in...)
			if err != nil {
				return nil, err
			}
			checks[record.check] = check.ID()
		}
		recordArgs := recordArgs(ctx, args, record, checks, provider)
		if _, err := route53.NewRecord(ctx, name+"-"+record.role, recordArgs, in...); err != nil {
			return nil, fmt.Errorf("register record %s of %s: %w", record.role, name, err)
		}
	}
	if err := ctx.RegisterResourceOutputs(made, pulumi.Map{
		"url": pulumi.String("https://" + args.Domain),
	}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return made, nil
}

// newHealthCheck asks a region for its health over the internet, as a user would.
func newHealthCheck(ctx *pulumi.Context, name string, args RecordsArgs, region string, opts ...pulumi.ResourceOption,
) (*route53.HealthCheck, error) {
	scope := cloud.Scope{Environment: args.Environment, Region: region}
	check, err := route53.NewHealthCheck(ctx, name, &route53.HealthCheckArgs{
		Type:             pulumi.String("HTTPS"),
		Fqdn:             pulumi.String(RegionName(region, args.Domain)),
		Port:             pulumi.Int(443),
		ResourcePath:     pulumi.String(healthPath),
		EnableSni:        pulumi.Bool(true),
		RequestInterval:  pulumi.Int(healthInterval),
		FailureThreshold: pulumi.Int(healthFailures),
		Tags:             scope.Named(name),
	}, opts...)
	if err != nil {
		return nil, fmt.Errorf("register health check %s: %w", name, err)
	}
	return check, nil
}

func recordArgs(ctx *pulumi.Context, args RecordsArgs, r record, checks map[string]pulumi.IDOutput,
	provider pulumi.InvokeOption,
) *route53.RecordArgs {
	alias := &route53.RecordAliasArgs{
		Name:                 pulumi.String(r.target),
		ZoneId:               pulumi.String(args.ZoneID),
		EvaluateTargetHealth: pulumi.Bool(true),
	}
	if r.balancer != "" {
		alias.Name = args.Hostnames[r.balancer]
		alias.ZoneId = lb.GetHostedZoneIdOutput(ctx, lb.GetHostedZoneIdOutputArgs{
			Region:           pulumi.String(r.balancer),
			LoadBalancerType: pulumi.String("network"),
		}, provider).Id()
	}
	made := &route53.RecordArgs{
		ZoneId:  pulumi.String(args.ZoneID),
		Name:    pulumi.String(r.name),
		Type:    pulumi.String("A"),
		Aliases: route53.RecordAliasArray{alias},
	}
	if r.check != "" {
		made.HealthCheckId = checks[r.check]
	}
	switch {
	case r.failover != "":
		made.SetIdentifier = pulumi.String(r.role)
		made.FailoverRoutingPolicies = route53.RecordFailoverRoutingPolicyArray{
			&route53.RecordFailoverRoutingPolicyArgs{Type: pulumi.String(r.failover)},
		}
	case r.latency != "":
		made.SetIdentifier = pulumi.String(r.latency)
		made.LatencyRoutingPolicies = route53.RecordLatencyRoutingPolicyArray{
			&route53.RecordLatencyRoutingPolicyArgs{Region: pulumi.String(r.latency)},
		}
	}
	return made
}
