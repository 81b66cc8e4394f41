package multiregion_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/multiregion"
	"agentstack/components/multiregion/eks"
	"agentstack/internal/pulumitest"
)

var settings = multiregion.Settings{
	Domain:       "agent.example.com",
	ZoneID:       "Z0123456789ABC",
	BucketPrefix: "example-ai-agent",
}

// onAWS returns a program with a cluster of its own in each region, in which a ConfigMap stands for the workloads.
func onAWS(settings multiregion.Settings, names ...string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		args := multiregion.Args{
			Primary: names[0],
			AWS: &multiregion.AWS{
				Settings: settings, Environment: "production", AccountID: pulumitest.AccountID,
				Databases: []string{"ai-agent-db"},
			},
			Deploy: deployBehindBalancer,
		}
		for _, name := range names {
			provider, err := aws.NewProvider(ctx, "aws-"+name, &aws.ProviderArgs{Region: pulumi.String(name)})
			if err != nil {
				return err
			}
			args.Regions = append(args.Regions, multiregion.Region{Name: name, AWS: provider, EKS: &eks.Settings{}})
		}
		_, err := multiregion.New(ctx, "ai-agent", args)
		return err
	}
}

func deployBehindBalancer(ctx *pulumi.Context, target multiregion.Target, parent pulumi.ResourceOption,
) (multiregion.Deployment, error) {
	const image = "111122223333.dkr.ecr.us-east-1.amazonaws.com/api@" + pulumitest.Digest
	_, err := corev1.NewConfigMap(ctx, "c-"+target.Region, &corev1.ConfigMapArgs{Data: pulumi.StringMap{
		"certificate":  target.CertificateARN,
		"hosts":        pulumi.String(target.Host + " " + target.RegionHost),
		"store":        pulumi.String(target.Store.Bucket),
		"primaryStore": pulumi.String(target.PrimaryStore.Bucket),
		"image":        target.Image(pulumi.String(image)),
	}}, parent)
	return multiregion.Deployment{
		Outputs:  pulumi.Map{"region": pulumi.String(target.Region)},
		Hostname: pulumi.String(target.Region + ".elb.amazonaws.com"),
	}, err
}

func TestRegisteredOnAWS(t *testing.T) {
	program := onAWS(settings, "us-east-1", "eu-west-1")
	pulumitest.Up(t, program).Golden(t, "aws-up")
	pulumitest.Preview(t, program).Golden(t, "aws-preview")
}

func TestPreviewOnAWSRegistersTheSame(t *testing.T) {
	program := onAWS(settings, "us-east-1", "eu-west-1", "ap-northeast-1")
	up, preview := pulumitest.Up(t, program), pulumitest.Preview(t, program)
	if !slices.Equal(up.References(), preview.References()) {
		t.Errorf("up registers %v, preview %v", up.References(), preview.References())
	}
}

func TestThreeRegionsNames(t *testing.T) {
	recording := pulumitest.Up(t, onAWS(settings, "us-east-1", "eu-west-1", "ap-northeast-1"))
	recording.Only(func(resource pulumitest.Resource) bool {
		return strings.HasPrefix(resource.Type, "aws:route53/") || strings.HasPrefix(resource.Type, "aws:acm/")
	}).Golden(t, "aws-dns")
}

// TestEverythingIsMadeInItsRegion relies on names: they hold the region. Route 53 is one for all regions.
func TestEverythingIsMadeInItsRegion(t *testing.T) {
	recording := pulumitest.Up(t, onAWS(settings, "us-east-1", "eu-west-1"))
	for _, resource := range recording.Resources {
		if !strings.HasPrefix(resource.Type, "aws:") || strings.HasPrefix(resource.Type, "aws:route53/") {
			continue
		}
		region := "us-east-1"
		if strings.Contains(resource.Name, "eu-west-1") {
			region = "eu-west-1"
		}
		if want := "pulumi:providers:aws aws-" + region; resource.Provider != want {
			t.Errorf("%s %s is made by %q, want %q", resource.Type, resource.Name, resource.Provider, want)
		}
	}
}

// TestEverythingIsTagged lists what AWS, or its API, has no tags for.
func TestEverythingIsTagged(t *testing.T) {
	untaggable := []string{
		"aws:acm/certificateValidation:CertificateValidation", "aws:ecr/lifecyclePolicy:LifecyclePolicy",
		"aws:ecr/replicationConfiguration:ReplicationConfiguration",
		"aws:ec2/routeTableAssociation:RouteTableAssociation",
		"aws:eks/accessPolicyAssociation:AccessPolicyAssociation", "aws:iam/rolePolicy:RolePolicy",
		"aws:iam/rolePolicyAttachment:RolePolicyAttachment", "aws:route53/record:Record",
	}
	recording := pulumitest.Up(t, onAWS(settings, "us-east-1", "eu-west-1"))
	tagged := 0
	for _, resource := range recording.Resources {
		isBucketPart := strings.HasPrefix(resource.Type, "aws:s3/") && resource.Type != "aws:s3/bucketV2:BucketV2"
		if !strings.HasPrefix(resource.Type, "aws:") || slices.Contains(untaggable, resource.Type) || isBucketPart {
			continue
		}
		tagged++
		region, _ := resource.At("tags", "Region").(string)
		if !strings.Contains(resource.Name, region) || region == "" {
			t.Errorf("%s %s has the tag Region=%q", resource.Type, resource.Name, region)
		}
		for key, want := range map[string]string{
			"Project": "agentstack", "Environment": "production", "ManagedBy": "pulumi",
		} {
			if got := resource.At("tags", key); got != want {
				t.Errorf("%s %s has the tag %s=%v, want %s", resource.Type, resource.Name, key, got, want)
			}
		}
	}
	if tagged < 50 {
		t.Errorf("found %d resources with tags", tagged)
	}
}

func TestWorkloadsWaitForTheirCluster(t *testing.T) {
	recording := pulumitest.Up(t, onAWS(settings, "us-east-1"))
	depends := recording.Find(t, "agentstack:components:Region", "us-east-1").DependsOn
	for _, want := range []string{
		"kubernetes:storage.k8s.io/v1:StorageClass ai-agent-us-east-1",
		"kubernetes:helm.sh/v3:Release ai-agent-us-east-1-cloudnative-pg",
		"kubernetes:helm.sh/v3:Release ai-agent-us-east-1-aws-load-balancer-controller",
		"aws:eks/podIdentityAssociation:PodIdentityAssociation ai-agent-us-east-1-ai-agent-db",
	} {
		if !slices.Contains(depends, want) {
			t.Errorf("the region does not wait for %s, only for %q", want, depends)
		}
	}
	provider := recording.Find(t, "pulumi:providers:kubernetes", "kubernetes-us-east-1").DependsOn
	for _, want := range []string{
		"aws:eks/nodeGroup:NodeGroup ai-agent-us-east-1-general", "aws:eks/addon:Addon ai-agent-us-east-1-coredns",
	} {
		if !slices.Contains(provider, want) {
			t.Errorf("what is in the cluster does not wait for %s, only for %q", want, provider)
		}
	}
	if got, want := recording.Find(t, "kubernetes:core/v1:ConfigMap", "c-us-east-1").Provider,
		"pulumi:providers:kubernetes kubernetes-us-east-1"; got != want {
		t.Errorf("workloads are made by %q, want %q", got, want)
	}
}

func TestImagesComeFromTheOwnRegion(t *testing.T) {
	recording := pulumitest.Up(t, onAWS(settings, "us-east-1", "eu-west-1"))
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		want := "111122223333.dkr.ecr." + region + ".amazonaws.com/api@" + pulumitest.Digest
		if got := recording.Find(t, "kubernetes:core/v1:ConfigMap", "c-"+region).At("data", "image"); got != want {
			t.Errorf("image in %s = %v, want %s", region, got, want)
		}
	}
}

func TestExistingClusterOnAWS(t *testing.T) {
	recording := pulumitest.Up(t, func(ctx *pulumi.Context) error {
		cluster, err := kubernetes.NewProvider(ctx, "kubernetes-us-east-1", nil)
		if err != nil {
			return err
		}
		cloud, err := aws.NewProvider(ctx, "aws-us-east-1", &aws.ProviderArgs{Region: pulumi.String("us-east-1")})
		if err != nil {
			return err
		}
		_, err = multiregion.New(ctx, "ai-agent", multiregion.Args{
			Primary: "us-east-1",
			Regions: []multiregion.Region{{Name: "us-east-1", Kubernetes: cluster, AWS: cloud}},
			AWS:     &multiregion.AWS{Settings: settings, Environment: "staging", AccountID: pulumitest.AccountID},
			Deploy:  deployBehindBalancer,
		})
		return err
	})
	if made := recording.OfType("aws:eks/cluster:Cluster"); len(made) > 0 {
		t.Errorf("made a cluster: %v", made)
	}
	if made := recording.OfType("aws:s3/bucketV2:BucketV2"); len(made) != 1 {
		t.Errorf("made %d buckets, want 1", len(made))
	}
}

func TestRegistryPasswordIsSecret(t *testing.T) {
	recording := pulumitest.Up(t, func(ctx *pulumi.Context) error {
		cloud, err := aws.NewProvider(ctx, "aws-us-east-1", &aws.ProviderArgs{Region: pulumi.String("us-east-1")})
		if err != nil {
			return err
		}
		_, err = multiregion.New(ctx, "ai-agent", multiregion.Args{
			Primary: "us-east-1",
			Regions: []multiregion.Region{{Name: "us-east-1", AWS: cloud, EKS: &eks.Settings{}}},
			AWS:     &multiregion.AWS{Settings: settings, Environment: "staging", AccountID: pulumitest.AccountID},
			Prepare: func(shared multiregion.Shared) error {
				_, err := corev1.NewConfigMap(ctx, "shared", &corev1.ConfigMapArgs{Data: pulumi.StringMap{
					"repository": shared.Repository, "username": shared.Username, "password": shared.Password,
				}})
				return err
			},
			Deploy: deployBehindBalancer,
		})
		return err
	})
	data := fmt.Sprint(recording.Find(t, "kubernetes:core/v1:ConfigMap", "shared").At("data"))
	if strings.Contains(data, "registry-token") {
		t.Errorf("the registry's password is not a secret: %s", data)
	}
}

func TestBadSettings(t *testing.T) {
	tests := map[string]struct {
		change func(*multiregion.Settings)
		want   string
	}{
		"no domain":          {func(s *multiregion.Settings) { s.Domain = "" }, "aws.domain: Required"},
		"domain with scheme": {func(s *multiregion.Settings) { s.Domain = "https://x.com" }, "aws.domain: Invalid"},
		"single word":        {func(s *multiregion.Settings) { s.Domain = "localhost" }, "aws.domain: Invalid"},
		"zone by name":       {func(s *multiregion.Settings) { s.ZoneID = "example.com" }, "aws.zoneId: Invalid"},
		"capitals in prefix": {
			func(s *multiregion.Settings) { s.BucketPrefix = "Example" }, "aws.bucketPrefix: Invalid",
		},
		"long prefix": {
			func(s *multiregion.Settings) { s.BucketPrefix = strings.Repeat("a", 41) }, "aws.bucketPrefix: Invalid",
		},
		"unknown routing": {
			func(s *multiregion.Settings) { s.Routing = "random" }, `supported values: "failover", "latency"`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			changed := settings
			test.change(&changed)
			problems := changed.Validate(field.NewPath("aws"))
			if len(problems) != 1 || !strings.Contains(problems.ToAggregate().Error(), test.want) {
				t.Errorf("problems = %v, want only %q", problems, test.want)
			}
		})
	}
	if problems := settings.Validate(nil); len(problems) > 0 {
		t.Errorf("the settings that the tests begin with are bad: %v", problems)
	}
}

func TestClusterNeedsExactlyOneSource(t *testing.T) {
	tests := map[string]struct {
		region multiregion.Region
		aws    *multiregion.AWS
		want   string
	}{
		"no cluster": {
			multiregion.Region{Name: "a"}, nil,
			"regions[0].kubernetes: Required",
		},
		"cluster nowhere": {
			multiregion.Region{Name: "a", EKS: &eks.Settings{}}, nil,
			"regions[0].eks: Forbidden: needs aws",
		},
		"no AWS provider": {
			multiregion.Region{Name: "a", EKS: &eks.Settings{}}, &multiregion.AWS{},
			"regions[0].aws: Required",
		},
		"no account": {
			multiregion.Region{Name: "a", EKS: &eks.Settings{}}, &multiregion.AWS{},
			"aws.accountId: Required",
		},
		"bad EKS settings": {
			multiregion.Region{Name: "a", EKS: &eks.Settings{Version: "1"}}, &multiregion.AWS{},
			"regions[0].eks.version: Invalid",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := multiregion.Args{Primary: "a", Regions: []multiregion.Region{test.region}, AWS: test.aws}
			if err := args.Validate(nil).ToAggregate(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want it to contain %q", err, test.want)
			}
		})
	}
}
