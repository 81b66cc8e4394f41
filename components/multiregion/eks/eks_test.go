package eks_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/multiregion/eks"
	"agentstack/internal/pulumitest"
)

const name = "ai-agent-eu-west-1"

func register(settings eks.Settings) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		provider, err := aws.NewProvider(ctx, "aws-eu-west-1", &aws.ProviderArgs{Region: pulumi.String("eu-west-1")})
		if err != nil {
			return err
		}
		args := eks.Args{Settings: settings}
		args.Environment, args.Region = "staging", "eu-west-1"
		_, err = eks.New(ctx, name, args, pulumi.Providers(provider))
		return err
	}
}

func TestEndpointIsPrivateByDefault(t *testing.T) {
	tests := map[string]struct {
		cidrs  []string
		public bool
		access any
	}{
		"default": {nil, false, nil},
		"office":  {[]string{"203.0.113.0/24"}, true, []any{"203.0.113.0/24"}},
	}
	for testName, test := range tests {
		t.Run(testName, func(t *testing.T) {
			recording := pulumitest.Up(t, register(eks.Settings{EndpointAccessCIDRs: test.cidrs}))
			cluster := recording.Find(t, "aws:eks/cluster:Cluster", name)
			if cluster.At("vpcConfig", "endpointPrivateAccess") != true {
				t.Error("the endpoint is not reached from the network")
			}
			if got := cluster.At("vpcConfig", "endpointPublicAccess"); got != test.public {
				t.Errorf("public access = %v, want %v", got, test.public)
			}
			got, _ := cluster.At("vpcConfig", "publicAccessCidrs").([]any)
			if want, _ := test.access.([]any); !slices.Equal(got, want) {
				t.Errorf("access from %v, want %v", got, want)
			}
		})
	}
}

func TestNodesKeepTheirCredentials(t *testing.T) {
	template := pulumitest.Up(t, register(eks.Settings{})).Find(t, "aws:ec2/launchTemplate:LaunchTemplate", name)
	for key, want := range map[string]any{"httpTokens": "required", "httpPutResponseHopLimit": 1.0} {
		if got := template.At("metadataOptions", key); got != want {
			t.Errorf("%s = %v, want %v", key, got, want)
		}
	}
	if got := template.At("blockDeviceMappings", 0, "ebs", "encrypted"); got != "true" {
		t.Errorf("encrypted = %v", got)
	}
}

func TestNodeGroups(t *testing.T) {
	recording := pulumitest.Up(t, register(eks.Settings{
		NodeGroup: eks.NodeGroup{InstanceTypes: []string{"m7i.2xlarge"}, MinNodes: 8},
	}))
	general := recording.Find(t, "aws:eks/nodeGroup:NodeGroup", name+"-general")
	if general.At("scalingConfig", "minSize") != 8.0 || general.At("scalingConfig", "maxSize") != 8.0 ||
		general.At("instanceTypes", 0) != "m7i.2xlarge" || general.At("taints") != nil {
		t.Errorf("general nodes = %v", general.Inputs)
	}
	api := recording.Find(t, "aws:eks/nodeGroup:NodeGroup", name+"-api")
	if api.At("taints", 0, "key") != "node-type" || api.At("taints", 0, "value") != eks.APINodeType ||
		api.At("labels", "node-type") != eks.APINodeType {
		t.Errorf("nodes for the API = %v", api.Inputs)
	}
	for _, group := range []pulumitest.Resource{general, api} {
		if !slices.Equal(group.IgnoreChanges, []string{"scalingConfig.desiredSize"}) {
			t.Errorf("%s undoes what the autoscaler does", group.Name)
		}
		if !slices.Contains(group.DependsOn, "aws:eks/addon:Addon "+name+"-vpc-cni") {
			t.Errorf("%s does not wait for the pods' network: %v", group.Name, group.DependsOn)
		}
	}
}

func TestAdmins(t *testing.T) {
	const operators = "arn:aws:iam::111122223333:role/teams/operators"
	recording := pulumitest.Up(t, register(eks.Settings{Admins: []string{operators}}))
	entry := recording.Find(t, "aws:eks/accessPolicyAssociation:AccessPolicyAssociation", name+"-admin-operators")
	if entry.At("principalArn") != operators || !strings.HasSuffix(
		entry.At("policyArn").(string), "/AmazonEKSClusterAdminPolicy") {
		t.Errorf("access = %v", entry.Inputs)
	}
}

func TestReleasesArePinnedAndAtomic(t *testing.T) {
	releases := pulumitest.Up(t, register(eks.Settings{})).OfType("kubernetes:helm.sh/v3:Release")
	if len(releases) != 4 {
		t.Errorf("%d releases, want 4", len(releases))
	}
	for _, release := range releases {
		if version, _ := release.At("version").(string); version == "" || release.At("atomic") != true {
			t.Errorf("release %s: version %q, atomic %v", release.Name, version, release.At("atomic"))
		}
	}
}

// TestDataChangesInPlace: docs/adr/0019-names-that-stay.md.
func TestDataChangesInPlace(t *testing.T) {
	provider := pulumitest.Up(t, register(eks.Settings{})).Find(t, "pulumi:providers:kubernetes",
		"kubernetes-eu-west-1")
	for _, setting := range []string{"enableConfigMapMutable", "enableSecretMutable"} {
		if got := provider.At(setting); got != true {
			t.Errorf("%s is %v", setting, got)
		}
	}
}

func TestKubeconfigHoldsNoToken(t *testing.T) {
	recording := pulumitest.Up(t, register(eks.Settings{}))
	provider := recording.Find(t, "pulumi:providers:kubernetes", "kubernetes-eu-west-1")
	var config struct {
		Users []struct {
			User map[string]struct{ Args []string }
		}
		Clusters []struct{ Cluster map[string]string }
	}
	text, _ := provider.At("kubeconfig").(string)
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatalf("decode kubeconfig %q: %v", text, err)
	}
	want := []string{
		"--region", "eu-west-1", "eks", "get-token", "--cluster-name", "ai-agent-staging-eu-west-1", "--output", "json",
	}
	user := config.Users[0].User
	if len(user) != 1 || !slices.Equal(user["exec"].Args, want) {
		t.Errorf("user = %v, want a call of the AWS CLI and nothing else", user)
	}
	if !strings.HasPrefix(config.Clusters[0].Cluster["server"], "https://") {
		t.Errorf("cluster = %v", config.Clusters[0].Cluster)
	}
}

func TestPodsOfOneServiceAccountGetAnIdentity(t *testing.T) {
	role := pulumitest.Up(t, register(eks.Settings{})).Find(t, "aws:iam/role:Role", name+"-ebs-csi")
	trust, _ := role.At("assumeRolePolicy").(string)
	for _, want := range []string{
		`"Service":"pods.eks.amazonaws.com"`, `"aws:RequestTag/eks-cluster-name":"ai-agent-staging-eu-west-1"`,
		`"aws:RequestTag/kubernetes-namespace":"kube-system"`,
		`"aws:RequestTag/kubernetes-service-account":"ebs-csi-controller-sa"`,
	} {
		if !strings.Contains(trust, want) {
			t.Errorf("trust does not contain %s:\n%s", want, trust)
		}
	}
}

func TestBadSettings(t *testing.T) {
	tests := map[string]struct {
		settings eks.Settings
		want     string
	}{
		"patch version": {eks.Settings{Version: "1.34.1"}, "eks.version: Invalid"},
		"range":         {eks.Settings{CIDR: "10.0.0.0/8"}, "eks.cidr: Invalid"},
		"access": {
			eks.Settings{EndpointAccessCIDRs: []string{"0.0.0.0/0", "me"}},
			"eks.endpointAccessCidrs[1]: Invalid",
		},
		"admin": {eks.Settings{Admins: []string{"operators"}}, "eks.admins[0]: Invalid"},
		"instance type": {
			eks.Settings{NodeGroup: eks.NodeGroup{InstanceTypes: []string{"big"}}},
			"eks.nodeGroup.instanceTypes[0]: Invalid",
		},
		"fewer than none": {
			eks.Settings{APINodeGroup: eks.NodeGroup{MinNodes: -1}},
			"eks.apiNodeGroup.minNodes: Invalid",
		},
		"less than minimum": {
			eks.Settings{NodeGroup: eks.NodeGroup{MinNodes: 5, MaxNodes: 4}},
			"eks.nodeGroup.maxNodes: Invalid",
		},
	}
	for testName, test := range tests {
		t.Run(testName, func(t *testing.T) {
			problems := test.settings.Validate(field.NewPath("eks"))
			if len(problems) != 1 || !strings.HasPrefix(problems.ToAggregate().Error(), test.want) {
				t.Errorf("problems = %v, want only %q", problems, test.want)
			}
		})
	}
	if problems := (eks.Settings{}).Validate(nil); len(problems) > 0 {
		t.Errorf("the defaults are bad: %v", problems)
	}
}
