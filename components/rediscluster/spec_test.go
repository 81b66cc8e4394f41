package rediscluster

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

func program(args Args) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		cluster, err := New(ctx, "redis", args)
		if err != nil {
			return err
		}
		ctx.Export("addresses", pulumi.ToStringArray(cluster.Addresses))
		ctx.Export("secretName", cluster.SecretName)
		return nil
	}
}

func valid() Args {
	return Args{Namespace: "ai-agent", Region: "local-1"}
}

func TestNew(t *testing.T) {
	recording := pulumitest.Up(t, program(valid()))
	recording.Golden(t, "default")
	if recording.RegisteredOutputs != 2 {
		t.Errorf("outputs were registered %d times, not for the component and the stack", recording.RegisteredOutputs)
	}
	set := recording.Find(t, "kubernetes:apps/v1:StatefulSet", "redis-follower")
	if !slices.Contains(set.DependsOn, "kubernetes:apps/v1:StatefulSet redis-leader") {
		t.Errorf("followers depend on %v, not on the leaders", set.DependsOn)
	}
}

func TestNewWithEverythingSet(t *testing.T) {
	pulumitest.Up(t, program(Args{
		Namespace: "ai-agent", Region: "eu-west-1", Image: "registry.example.com/redis:8.0.2", Leaders: 5,
		Resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "50m", Memory: "128Mi"},
			Limits:   kube.ResourceList{CPU: "500m", Memory: "128Mi"},
		},
		MaxMemory: "96Mi", Storage: Storage{Class: "ssd-premium", Size: "1Gi"},
	})).Golden(t, "everything")
}

func TestNewInPreview(t *testing.T) {
	up, preview := pulumitest.Up(t, program(valid())), pulumitest.Preview(t, program(valid()))
	if !slices.Equal(up.References(), preview.References()) {
		t.Errorf("preview registers %v, up registers %v", preview.References(), up.References())
	}
}

func TestExporter(t *testing.T) {
	recording := pulumitest.Up(t, program(valid()))
	for _, set := range recording.OfType("kubernetes:apps/v1:StatefulSet") {
		if got := set.At("spec", "template", "metadata", "annotations", "prometheus.io/scrape"); got != "true" {
			t.Errorf("the pods of %s have prometheus.io/scrape=%v", set.Name, got)
		}
		found := map[any]any{}
		list, _ := set.At("spec", "template", "spec", "containers").([]any)
		for i := range list {
			port := []any{"spec", "template", "spec", "containers", i, "ports", 0}
			found[set.At(append(port, "name")...)] = set.At(append(port, "containerPort")...)
		}
		if found["metrics"] != 9121.0 {
			t.Errorf("the first ports of the containers of %s are %v, want metrics at 9121", set.Name, found)
		}
	}
}

func TestNetworkPolicy(t *testing.T) {
	policy := pulumitest.Up(t, program(valid())).Find(t, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "redis")
	nodes := map[string]any{"matchLabels": map[string]any{"app.kubernetes.io/name": "ai-agent-redis"}}
	if got := policy.At("spec", "podSelector"); !reflect.DeepEqual(got, nodes) {
		t.Errorf("selects %v, want the nodes", got)
	}
	for rule, want := range []struct {
		name  string
		ports []any
	}{{"ai-agent-api", []any{6379.0}}, {Name, []any{6379.0, 16379.0}}, {"prometheus", []any{9121.0}}} {
		at := func(path ...any) any { return policy.At(append([]any{"spec", "ingress", rule}, path...)...) }
		if got := at("from", 0, "podSelector", "matchLabels", "app.kubernetes.io/name"); got != want.name {
			t.Errorf("rule %d lets in %v, want %s", rule, got, want.name)
		}
		var ports []any
		list, _ := at("ports").([]any)
		for i := range list {
			ports = append(ports, at("ports", i, "port"))
		}
		if !slices.Equal(ports, want.ports) || at("from", 1) != nil {
			t.Errorf("rule %d is %v, want ports %v", rule, at(), want.ports)
		}
	}
	if policy.At("spec", "ingress", 3) != nil || policy.At("spec", "egress", 2) != nil {
		t.Errorf("there are more rules: %v", policy.At("spec"))
	}
}

func TestPasswordsAreOnlyReferredTo(t *testing.T) {
	recording := pulumitest.Up(t, program(valid()))
	for _, secret := range recording.OfType("kubernetes:core/v1:Secret") {
		if secret.At("data") != pulumitest.Secret && secret.At("data", PasswordKey) != pulumitest.Secret {
			t.Errorf("%s holds its password in clear: %v", secret.Name, secret.At("data"))
		}
		if !slices.Equal(secret.IgnoreChanges, []string{"data"}) {
			t.Errorf("%s gets a new password with every run", secret.Name)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Args)
		want   []string
	}{
		{"defaults", func(*Args) {}, nil},
		{"namespace", func(a *Args) { a.Namespace = "Not_A_Label" }, []string{"redis.namespace"}},
		{"region", func(a *Args) { a.Region = "" }, []string{"redis.region"}},
		{"image without a tag", func(a *Args) { a.Image = "localhost:5000/redis" }, []string{"redis.image"}},
		{"image by digest", func(a *Args) { a.Image = "redis@sha256:" + strings.Repeat("0", 64) }, nil},
		{"moving tag", func(a *Args) { a.Image = "redis:latest" }, []string{"redis.image"}},
		{"two leaders", func(a *Args) { a.Leaders = 2 }, []string{"redis.leaders"}},
		{"negative leaders", func(a *Args) { a.Leaders = -1 }, []string{"redis.leaders"}},
		{"quantity", func(a *Args) { a.Storage.Size = "10 GB" }, []string{"redis.storage.size"}},
		{"data above memory", func(a *Args) { a.MaxMemory = "1700Mi" }, []string{"redis.maxMemory"}},
		{"disk below data", func(a *Args) { a.Storage.Size = "3Gi" }, []string{"redis.storage.size"}},
		{"tiny memory", func(a *Args) { a.Resources = sameResources("32Mi") },
			[]string{"redis.resources.limits.memory"}},
		{"several at once", func(a *Args) { *a = Args{Leaders: 1, MaxMemory: "x", Storage: Storage{Size: "-1Gi"}} },
			[]string{"redis.namespace", "redis.region", "redis.leaders", "redis.storage.size", "redis.maxMemory"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := valid()
			test.change(&args)
			var got []string
			for _, problem := range args.Validate(field.NewPath("redis")) {
				got = append(got, problem.Field)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("problems at %v, want %v", got, test.want)
			}
		})
	}
}

func TestBadArgumentsRegisterNothing(t *testing.T) {
	recording, err := pulumitest.Run(program(Args{Leaders: 2}), false)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, path := range []string{"namespace", "region", "leaders"} {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("%q does not name %s", err, path)
		}
	}
	for _, recorded := range recording.Resources {
		if recorded.Parent != "" || strings.HasPrefix(recorded.Type, "agentstack:") {
			t.Errorf("registered %s %s", recorded.Type, recorded.Name)
		}
	}
}

func sameResources(memory string) kube.Resources {
	list := kube.ResourceList{CPU: "100m", Memory: memory}
	return kube.Resources{Requests: list, Limits: list}
}
