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
}

// Slots leave before their leader goes, and come to a leader when its followers are there.
func TestOrder(t *testing.T) {
	args := valid()
	args.FollowersPerLeader = 2
	recording := pulumitest.Up(t, program(args))
	previous := ""
	for _, step := range []struct{ kind, name string }{
		{"kubernetes:batch/v1:Job", "redis-drain"},
		{"kubernetes:apps/v1:StatefulSet", "redis-leader"},
		{"kubernetes:apps/v1:StatefulSet", "redis-follower"},
		{"kubernetes:apps/v1:StatefulSet", "redis-follower-2"},
		{"kubernetes:core/v1:ConfigMap", "redis-formed"},
		{"kubernetes:batch/v1:Job", "redis-rebalance"},
	} {
		found := recording.Find(t, step.kind, step.name)
		if previous != "" && !slices.Contains(found.DependsOn, previous) {
			t.Errorf("%s depends on %v, not on %s", step.name, found.DependsOn, previous)
		}
		previous = step.kind + " " + step.name
	}
}

func TestDisruptionBudgetLeavesAllButOne(t *testing.T) {
	args := valid()
	args.FollowersPerLeader = 3
	budget := pulumitest.Up(t, program(args)).Find(t, "kubernetes:policy/v1:PodDisruptionBudget", "redis-2")
	if got := budget.At("spec", "minAvailable"); got != 3.0 {
		t.Errorf("of 4 pods of a shard %v have to stay", got)
	}
}

// The key of the nodes is for redis-server alone.
func TestOnlyNodesHaveTheKey(t *testing.T) {
	args := valid()
	args.TLSSecretName = "redis-tls"
	recording := pulumitest.Up(t, program(args))
	sets, jobs := recording.OfType("kubernetes:apps/v1:StatefulSet"), recording.OfType("kubernetes:batch/v1:Job")
	for _, workload := range append(sets, jobs...) {
		containers, _ := workload.At("spec", "template", "spec", "containers").([]any)
		for i := range containers {
			at := func(path ...any) any {
				return workload.At(append([]any{"spec", "template", "spec", "containers", i}, path...)...)
			}
			want := "tls-ca"
			if at("name") == "redis" {
				want = "tls"
			}
			mounts, _ := at("volumeMounts").([]any)
			var found []any
			for j := range mounts {
				if at("volumeMounts", j, "mountPath") == "/run/secrets/redis" {
					found = append(found, at("volumeMounts", j, "name"))
				}
			}
			if !slices.Equal(found, []any{want}) {
				t.Errorf("container %v of %s has %v, want %s", at("name"), workload.Name, found, want)
			}
		}
	}
}

func TestNewWithEverythingSet(t *testing.T) {
	pulumitest.Up(t, program(Args{
		Namespace: "ai-agent", Region: "eu-west-1", Image: "registry.example.com/redis:8.0.2", Leaders: 5,
		FollowersPerLeader: 2, EvictionPolicy: "volatile-ttl", TLSSecretName: "redis-tls",
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
		names []any
		ports []any
	}{
		{[]any{"ai-agent-api", "ai-agent-api-canary"}, []any{6379.0}}, {[]any{Name}, []any{6379.0, 16379.0}},
		{[]any{reshard}, []any{6379.0}}, {[]any{"prometheus"}, []any{9121.0}},
	} {
		at := func(path ...any) any { return policy.At(append([]any{"spec", "ingress", rule}, path...)...) }
		var names, ports []any
		peers, _ := at("from").([]any)
		for i := range peers {
			names = append(names, at("from", i, "podSelector", "matchLabels", "app.kubernetes.io/name"))
		}
		if !slices.Equal(names, want.names) {
			t.Errorf("rule %d lets in %v, want %v", rule, names, want.names)
		}
		list, _ := at("ports").([]any)
		for i := range list {
			ports = append(ports, at("ports", i, "port"))
		}
		if !slices.Equal(ports, want.ports) {
			t.Errorf("rule %d is %v, want ports %v", rule, at(), want.ports)
		}
	}
	if policy.At("spec", "ingress", 4) != nil || policy.At("spec", "egress", 2) != nil {
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
		{"three followers", func(a *Args) { a.FollowersPerLeader = 3 }, nil},
		{"four followers", func(a *Args) { a.FollowersPerLeader = 4 }, []string{"redis.followersPerLeader"}},
		{"negative followers", func(a *Args) { a.FollowersPerLeader = -1 }, []string{"redis.followersPerLeader"}},
		{"eviction policy", func(a *Args) { a.EvictionPolicy = "volatile-lfu" }, nil},
		{"unknown policy", func(a *Args) { a.EvictionPolicy = "lru" }, []string{"redis.evictionPolicy"}},
		{"TLS", func(a *Args) { a.TLSSecretName = "redis-tls" }, nil},
		{"name of the Secret", func(a *Args) { a.TLSSecretName = "Redis TLS" }, []string{"redis.tlsSecretName"}},
		{"disk below default data", func(a *Args) { a.Storage.Size = "5Gi" }, []string{"redis.storage.size"}},
		{"quantity", func(a *Args) { a.Storage.Size = "10 GB" }, []string{"redis.storage.size"}},
		{"data above memory", func(a *Args) { a.MaxMemory = "1700Mi" }, []string{"redis.maxMemory"}},
		{"disk below data", func(a *Args) { a.Storage.Size = "3Gi" }, []string{"redis.storage.size"}},
		{"tiny memory", func(a *Args) { a.Resources = sameResources("96Mi") },
			[]string{"redis.resources.limits.memory"}},
		{"several at once", func(a *Args) {
			*a = Args{
				Leaders: 1, FollowersPerLeader: 7, EvictionPolicy: "none", MaxMemory: "x",
				Storage: Storage{Size: "-1Gi"},
			}
		}, []string{
			"redis.namespace", "redis.region", "redis.leaders", "redis.followersPerLeader", "redis.evictionPolicy",
			"redis.storage.size", "redis.maxMemory",
		}},
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
