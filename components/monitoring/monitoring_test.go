package monitoring

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

func deploy(args Args) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		_, err := New(ctx, "monitoring-"+args.Region, args)
		return err
	}
}

func everything() Args {
	args := valid()
	args.Region, args.Environment = "eu-west-1", "production"
	args.AlertWebhook = pulumi.ToSecret(pulumi.String("https://hooks.example.com/secret")).(pulumi.StringOutput)
	args.LogStore = &kube.ObjectStore{
		Endpoint: "http://gateway:7070", Region: "us-east-1", Bucket: "store",
		SecretName: pulumi.String("store-access"),
	}
	args.Settings = Settings{
		Retention: "30d", LogRetention: "14d", Alertmanagers: 3, Grafana: true,
		Storage: Storage{Class: "ssd", Size: "100Gi", LogSize: "50Gi"},
		Resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "1", Memory: "4Gi"},
			Limits:   kube.ResourceList{Memory: "8Gi"},
		},
	}
	return args
}

func TestRegisteredObjects(t *testing.T) {
	up := pulumitest.Up(t, deploy(valid()))
	up.Golden(t, "up")
	if up.RegisteredOutputs != 2 {
		t.Errorf("outputs were registered %d times, not for the component and the stack", up.RegisteredOutputs)
	}
	pulumitest.Up(t, deploy(everything())).Golden(t, "everything")
}

func TestPreview(t *testing.T) {
	preview := pulumitest.Preview(t, deploy(everything()))
	preview.Golden(t, "preview")
	if up := pulumitest.Up(t, deploy(everything())); !slices.Equal(up.References(), preview.References()) {
		t.Errorf("preview registers %v, up registers %v", preview.References(), up.References())
	}
}

func TestWebhookIsSecret(t *testing.T) {
	recording := pulumitest.Up(t, deploy(everything()))
	for _, resource := range recording.Resources {
		if strings.Contains(fmt.Sprint(resource.Inputs), "hooks.example.com") {
			t.Errorf("%s %s shows the webhook", resource.Type, resource.Name)
		}
	}
	data := recording.Find(t, "kubernetes:core/v1:Secret", "alertmanager-webhook-eu-west-1").At("data")
	if data != pulumitest.Secret {
		t.Errorf("data = %v, want a secret", data)
	}
}

// workloads returns every Deployment, StatefulSet and DaemonSet.
func workloads(recording *pulumitest.Recording) []pulumitest.Resource {
	return recording.Only(func(r pulumitest.Resource) bool { return r.At("spec", "template") != nil }).Resources
}

// pod returns a field of a workload's pods.
func pod(workload pulumitest.Resource, path ...any) any {
	return workload.At(append([]any{"spec", "template", "spec"}, path...)...)
}

func TestPodsAreConfined(t *testing.T) {
	recording := pulumitest.Up(t, deploy(everything()))
	all := workloads(recording)
	if len(all) != 8 {
		t.Fatalf("%d workloads, want 8", len(all))
	}
	for _, w := range all {
		isNode := w.At("metadata", "namespace") == "monitoring-node"
		root := w.At("metadata", "name") == nameCollector
		for _, check := range []struct {
			path []any
			want any
		}{
			{[]any{"securityContext", "runAsNonRoot"}, !root},
			{[]any{"securityContext", "seccompProfile", "type"}, "RuntimeDefault"},
			{[]any{"containers", 0, "securityContext", "allowPrivilegeEscalation"}, false},
			{[]any{"containers", 0, "securityContext", "readOnlyRootFilesystem"}, true},
			{[]any{"containers", 0, "securityContext", "capabilities", "drop", 0}, "ALL"},
			{[]any{"containers", 0, "securityContext", "capabilities", "add"}, nil},
			{[]any{"hostNetwork"}, nil},
			{[]any{"hostPID"}, nil},
			{[]any{"enableServiceLinks"}, false},
			{[]any{"automountServiceAccountToken"}, slices.Contains([]any{namePrometheus, nameKubeState, nameAdapter},
				w.At("metadata", "name"))},
			{[]any{"serviceAccountName"}, w.At("metadata", "name")},
		} {
			if got := pod(w, check.path...); got != check.want {
				t.Errorf("%s: %v = %v, want %v", w.Name, check.path, got, check.want)
			}
		}
		for _, field := range []string{"readinessProbe", "livenessProbe", "startupProbe"} {
			if pod(w, "containers", 0, field) == nil {
				t.Errorf("%s has no %s", w.Name, field)
			}
		}
		if pod(w, "containers", 0, "resources", "limits", "memory") == nil {
			t.Errorf("%s has no memory limit", w.Name)
		}
		volumes, _ := pod(w, "volumes").([]any)
		if hosts := strings.Contains(fmt.Sprint(volumes), "hostPath"); hosts != isNode {
			t.Errorf("%s uses host paths: %v", w.Name, hosts)
		}
	}
}

// TestHostPathsAreReadOnly allows one exception: the folder in which the collector remembers how far it has read.
func TestHostPathsAreReadOnly(t *testing.T) {
	recording := pulumitest.Up(t, deploy(valid()))
	var writable []string
	for _, w := range recording.OfType("kubernetes:apps/v1:DaemonSet") {
		mounts, _ := pod(w, "containers", 0, "volumeMounts").([]any)
		for index := range mounts {
			if pod(w, "containers", 0, "volumeMounts", index, "readOnly") != true {
				writable = append(writable, fmt.Sprint(pod(w, "containers", 0, "volumeMounts", index, "mountPath")))
			}
		}
	}
	if !slices.Equal(writable, []string{"/var/lib/opentelemetry-collector"}) {
		t.Errorf("writable: %v", writable)
	}
}

func TestEveryWorkloadHasItsPolicies(t *testing.T) {
	recording := pulumitest.Up(t, deploy(everything()))
	for _, w := range workloads(recording) {
		name := w.At("metadata", "name")
		policy := recording.Find(t, "kubernetes:networking.k8s.io/v1:NetworkPolicy", w.Name)
		if got := policy.At("spec", "podSelector", "matchLabels", kube.LabelName); got != name {
			t.Errorf("NetworkPolicy of %v selects %v", name, got)
		}
		if policy.At("metadata", "namespace") != w.At("metadata", "namespace") {
			t.Errorf("NetworkPolicy of %v is in namespace %v", name, policy.At("metadata", "namespace"))
		}
		if replicas, _ := w.At("spec", "replicas").(float64); replicas >= 2 {
			recording.Find(t, "kubernetes:policy/v1:PodDisruptionBudget", w.Name)
		}
	}
}

func TestRolesHaveNoWildcards(t *testing.T) {
	recording := pulumitest.Up(t, deploy(valid()))
	roles := append(recording.OfType("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"),
		recording.OfType("kubernetes:rbac.authorization.k8s.io/v1:Role")...)
	if len(roles) != 3 {
		t.Errorf("%d roles, want 3", len(roles))
	}
	for _, role := range roles {
		text := fmt.Sprint(role.At("rules"))
		for _, forbidden := range []string{"*", "secrets", "configmaps", "create", "update", "patch", "delete"} {
			if strings.Contains(text, forbidden) {
				t.Errorf("%s may use %s: %s", role.Name, forbidden, text)
			}
		}
	}
}

// TestAChangeRollsOut wants pods to change with their configuration.
func TestAChangeRollsOut(t *testing.T) {
	changed := valid()
	changed.Environment = "staging"
	got := pulumitest.Changed(pulumitest.Up(t, deploy(valid())), pulumitest.Up(t, deploy(changed)))
	want := []string{
		"kubernetes:apps/v1:StatefulSet prometheus-local-1", "kubernetes:core/v1:ConfigMap prometheus-local-1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("changed %v, want %v", got, want)
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Args)
		want   []string
	}{
		{"defaults", func(a *Args) { a.Settings = Settings{} }, nil},
		{"namespace", func(a *Args) { a.Namespace = "Not_A_Label" }, []string{"m.namespace"}},
		{"one namespace for all", func(a *Args) { a.NodeNamespace = a.Namespace }, []string{"m.nodeNamespace"}},
		{"log store", func(a *Args) { a.LogStore = &kube.ObjectStore{Region: "r"} }, []string{"m.logStore.bucket"}},
		{"retention that is no duration", func(a *Args) { a.Retention = "15 days" }, []string{"m.retention"}},
		{"short retention", func(a *Args) { a.Retention = "5m" }, []string{"m.retention"}},
		{"logs for hours", func(a *Args) { a.LogRetention = "6h" }, []string{"m.logRetention"}},
		{"logs for a day", func(a *Args) { a.LogRetention = "24h" }, nil},
		{"size", func(a *Args) { a.Storage.Size = "10 GB" }, []string{"m.storage.size"}},
		{"size of logs", func(a *Args) { a.Storage.LogSize = "-1Gi" }, []string{"m.storage.logSize"}},
		{"one alertmanager", func(a *Args) { a.Alertmanagers = 1 }, nil},
		{"negative alertmanagers", func(a *Args) { a.Alertmanagers = -1 }, []string{"m.alertmanagers"}},
		{"many alertmanagers", func(a *Args) { a.Alertmanagers = 6 }, []string{"m.alertmanagers"}},
		{"resources", func(a *Args) { a.Resources.Limits.Memory = "64Mi" }, []string{"m.resources.requests.memory"}},
		{"several at once", func(a *Args) { *a = Args{Settings: Settings{Retention: "x"}} }, []string{
			"m.namespace", "m.nodeNamespace", "m.appNamespace", "m.edgeNamespace", "m.region", "m.environment",
			"m.retention",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := valid()
			test.change(&args)
			var got []string
			for _, problem := range args.Validate(field.NewPath("m")) {
				if !slices.Contains(got, problem.Field) {
					got = append(got, problem.Field)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("problems at %v, want %v", got, test.want)
			}
		})
	}
}

func TestBadArgumentsRegisterNothing(t *testing.T) {
	recording, err := pulumitest.Run(deploy(Args{}), false)
	if err == nil {
		t.Fatal("accepted")
	}
	if len(recording.Resources) > 0 {
		t.Errorf("registered %v", recording.References())
	}
}
