package kube_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

func TestNetworkPolicy(t *testing.T) {
	pulumitest.Up(t, func(ctx *pulumi.Context) error {
		ingress := []kube.Traffic{{
			Peers: []kube.Peer{
				{Pods: map[string]string{"app": "client"}},
				{Namespace: "monitoring", Pods: map[string]string{"app": "prometheus"}},
			},
			Ports: []kube.Port{{Number: 8000}},
		}}
		egress := []kube.Traffic{kube.DNS(), kube.APIServer(), kube.Internet(443)}
		meta := kube.Metadata{Name: "api", Namespace: "ns"}
		pods := map[string]string{"app": "api"}
		if err := kube.NewNetworkPolicy(ctx, "api", meta, pods, ingress, egress); err != nil {
			return err
		}
		return kube.NewNetworkPolicy(ctx, "deny", kube.Metadata{Name: "deny", Namespace: "ns"}, nil, nil, nil)
	}).Golden(t, "policies")
}

// TestNoPolicyOpensTheMetadataAddress: who reaches it gets the credentials of the machine.
func TestNoPolicyOpensTheMetadataAddress(t *testing.T) {
	for name, traffic := range map[string]kube.Traffic{
		"API server": kube.APIServer(), "internet": kube.Internet(443),
	} {
		for _, peer := range traffic.Peers {
			if except := strings.Join(peer.Except, " "); !strings.Contains(except, "169.254.169.254/32") {
				t.Errorf("%s: %s except %q", name, peer.CIDR, except)
			}
		}
	}
}

func TestObjectStoreValidate(t *testing.T) {
	tests := map[string]struct {
		store kube.ObjectStore
		want  string
	}{
		"AWS":          {kube.ObjectStore{Bucket: "b", Region: "us-east-1"}, ""},
		"endpoint":     {kube.ObjectStore{Bucket: "b", Region: "us-east-1", Endpoint: "http://s3.ns.svc:7070"}, ""},
		"no bucket":    {kube.ObjectStore{Region: "us-east-1"}, "s.bucket: Required"},
		"no region":    {kube.ObjectStore{Bucket: "b"}, "s.region: Required"},
		"bad endpoint": {kube.ObjectStore{Bucket: "b", Region: "r", Endpoint: "s3:7070"}, "s.endpoint: Invalid"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			problems := test.store.Validate(field.NewPath("s"))
			switch {
			case test.want == "" && len(problems) > 0:
				t.Errorf("problems: %v", problems)
			case test.want != "" && (len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), test.want)):
				t.Errorf("problems: %v, want only %q", problems, test.want)
			}
		})
	}
}
