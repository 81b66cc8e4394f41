package apiservice_test

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/apiservice"
	"agentstack/internal/pulumitest"
)

const (
	deploymentType = "kubernetes:apps/v1:Deployment"
	jobType        = "kubernetes:batch/v1:Job"
	apiName        = "ai-agent-api-eu-west-1"
)

func canaryArgs() apiservice.Args {
	args := validArgs()
	args.Canary.Enabled = true
	return args
}

// ofCanary says whether a resource is there because of the canary.
func ofCanary(resource pulumitest.Resource) bool {
	return strings.HasSuffix(resource.Name, "-canary") || strings.HasSuffix(resource.Name, "-judge")
}

func TestCanary(t *testing.T) {
	pulumitest.Up(t, register(canaryArgs())).Only(ofCanary).Golden(t, "canary")
	pulumitest.Preview(t, register(canaryArgs())).Only(ofCanary).Golden(t, "canary-preview")
}

// TestCanaryAddsAndChangesNothingElse compares with a stack that has none.
func TestCanaryAddsAndChangesNothingElse(t *testing.T) {
	without, with := pulumitest.Up(t, register(validArgs())), pulumitest.Up(t, register(canaryArgs()))
	if found := without.Only(ofCanary).References(); len(found) > 0 {
		t.Errorf("registered without a canary: %q", found)
	}
	for _, before := range without.Resources {
		if after := with.Find(t, before.Type, before.Name); !reflect.DeepEqual(before.Inputs, after.Inputs) {
			t.Errorf("%s %s is changed by a canary", before.Type, before.Name)
		}
	}
}

// TestStandbyHasNoCanary: nobody asks a standby, so there is nothing to judge by.
func TestStandbyHasNoCanary(t *testing.T) {
	args := standbyArgs()
	args.Canary.Enabled = true
	if found := pulumitest.Up(t, register(args)).Only(ofCanary).References(); len(found) > 0 {
		t.Errorf("registered %q", found)
	}
}

// TestNewImageComesByWayOfTheCanary: image, migration, canary and its share of the traffic, judge, API.
func TestNewImageComesByWayOfTheCanary(t *testing.T) {
	args := edgeArgs()
	args.Canary.Enabled = true
	recording := pulumitest.Up(t, register(args))
	for _, step := range []struct{ after, name, before string }{
		{jobType + " " + apiName + "-migrate", apiName + "-canary", deploymentType},
		{deploymentType + " " + apiName + "-canary", apiName + "-judge", jobType},
		{deploymentType + " " + apiName + "-canary", apiName, gatewayAPI + "HTTPRoute"},
		{"kubernetes:core/v1:Service " + apiName + "-canary", apiName, gatewayAPI + "HTTPRoute"},
		{gatewayAPI + "HTTPRoute " + apiName, apiName + "-judge", jobType},
		{gatewayAPI + "HTTPRoute " + apiName + "-ws", apiName + "-judge", jobType},
		{"kubernetes:rbac.authorization.k8s.io/v1:RoleBinding " + apiName + "-judge", apiName + "-judge", jobType},
		{jobType + " " + apiName + "-judge", apiName, deploymentType},
	} {
		if got := recording.Find(t, step.before, step.name); !slices.Contains(got.DependsOn, step.after) {
			t.Errorf("%s %s depends on %q, not on %s", step.before, step.name, got.DependsOn, step.after)
		}
	}
}

func TestOnlyANewImageIsJudged(t *testing.T) {
	judged := jobType + " " + apiName + "-judge"
	tests := map[string]struct {
		change func(*apiservice.Args)
		want   []string
	}{
		"image": {func(a *apiservice.Args) {
			a.Image = pulumi.String("registry.example.com/ai-agent-api@sha256:" + strings.Repeat("1", 64))
		}, []string{judged, jobType + " " + apiName + "-migrate"}},
		"configuration": {func(a *apiservice.Args) { a.Env = map[string]string{"FEATURE": "off"} }, nil},
		"replicas":      {func(a *apiservice.Args) { a.MinReplicas = 4 }, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := canaryArgs()
			test.change(&args)
			before, after := pulumitest.Up(t, register(canaryArgs())), pulumitest.Up(t, register(args))
			changed := pulumitest.Changed(before, after)
			jobs := slices.DeleteFunc(changed, func(r string) bool { return !strings.HasPrefix(r, jobType) })
			if len(jobs) != len(test.want) || !slices.Equal(slices.Sorted(slices.Values(jobs)), test.want) {
				t.Errorf("Jobs that run: %q, want %q", jobs, test.want)
			}
		})
	}
}

// TestCanaryRunsWhatTheAPIWillRun: otherwise the judge would compare more than images.
func TestCanaryRunsWhatTheAPIWillRun(t *testing.T) {
	recording := pulumitest.Up(t, register(canaryArgs()))
	canary := recording.Find(t, deploymentType, apiName+"-canary")
	stable := recording.Find(t, deploymentType, apiName)
	for _, field := range []string{
		"containers", "volumes", "tolerations", "serviceAccountName", "securityContext",
		"terminationGracePeriodSeconds",
	} {
		path := []any{"spec", "template", "spec", field}
		if got, want := canary.At(path...), stable.At(path...); want == nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", field, got, want)
		}
	}
	for _, deployment := range []pulumitest.Resource{canary, stable} {
		// What the judge and the autoscaler set must not be set back.
		if got := deployment.At("spec", "replicas"); got != nil {
			t.Errorf("Deployment %s has replicas: %v", deployment.Name, got)
		}
	}
}

func TestCanaryReplicas(t *testing.T) {
	for _, test := range []struct{ most, weight, want int }{
		{20, 10, 3}, {6, 10, 1}, {20, 50, 20}, {99, 1, 1}, {3, 1, 1}, {9, 10, 1}, {10, 10, 2},
	} {
		args := canaryArgs()
		args.MaxReplicas, args.Canary.Weight = test.most, test.weight
		if got := judgeVariable(t, args, "CANARY_REPLICAS"); got != strconv.Itoa(test.want) {
			t.Errorf("%d%% of %d pods: %v, want %d", test.weight, test.most, got, test.want)
		}
	}
}

func judgeVariable(t *testing.T, args apiservice.Args, name string) any {
	t.Helper()
	job := pulumitest.Up(t, register(args)).Find(t, jobType, apiName+"-judge")
	env, _ := job.At("spec", "template", "spec", "containers", 0, "env").([]any)
	for i := range env {
		path := []any{"spec", "template", "spec", "containers", 0, "env", i}
		if job.At(append(path, "name")...) == name {
			return job.At(append(path, "value")...)
		}
	}
	return nil
}

// TestJudgeSaysItself why it failed, before the provider gives up, and is asked again after it failed.
func TestJudgeSaysItself(t *testing.T) {
	args := canaryArgs()
	args.Canary.Window = "20m"
	job := pulumitest.Up(t, register(args)).Find(t, jobType, apiName+"-judge")
	deadline, _ := job.At("spec", "activeDeadlineSeconds").(float64)
	timeout, err := strconv.Atoi(job.At("metadata", "annotations", "pulumi.com/timeoutSeconds").(string))
	if err != nil || deadline < 23*60 || float64(timeout) <= deadline {
		t.Errorf("deadline %v s, the provider waits %v s, error %v", deadline, timeout, err)
	}
	if job.At("spec", "backoffLimit") != 0.0 || job.At("spec", "template", "spec", "restartPolicy") != "Never" {
		t.Error("a refused canary gets a second judge")
	}
	if job.At("metadata", "annotations", "pulumi.com/replaceUnready") != "true" || job.At("metadata", "name") != nil {
		t.Error("an update does not replace a Job that failed")
	}
}

func TestJudgeMayOnlyScaleAndLead(t *testing.T) {
	role := pulumitest.Up(t, register(canaryArgs())).
		Find(t, "kubernetes:rbac.authorization.k8s.io/v1:Role", apiName+"-judge")
	want := []any{
		map[string]any{
			"apiGroups": []any{"apps"}, "resources": []any{"deployments"}, "verbs": []any{"get"},
			"resourceNames": []any{"ai-agent-api", "ai-agent-api-canary"},
		},
		map[string]any{
			"apiGroups": []any{"apps"}, "resources": []any{"deployments/scale"}, "verbs": []any{"patch"},
			"resourceNames": []any{"ai-agent-api-canary"},
		},
		map[string]any{
			"apiGroups": []any{""}, "resources": []any{"services"}, "verbs": []any{"patch"},
			"resourceNames": []any{"ai-agent-api-canary"},
		},
	}
	if got := role.At("rules"); !reflect.DeepEqual(got, want) {
		t.Errorf("rules %v, want %v", got, want)
	}
}

func TestBadCanaryRegistersNothing(t *testing.T) {
	args := validArgs()
	for _, canary := range []apiservice.Canary{
		{Weight: 51, Window: "59s", MinRequests: -1}, {Weight: -1, Window: "61m", MinRequests: -50},
		{Weight: 100, Window: "5", MinRequests: -2},
	} {
		args.Canary = canary
		recording, err := pulumitest.Run(register(args), false)
		if err == nil || len(recording.Resources) > 0 {
			t.Fatalf("%+v: error %v, registered %v", canary, err, recording.References())
		}
		for _, field := range []string{"weight", "window", "minRequests"} {
			if !strings.Contains(err.Error(), "canary."+field+": Invalid value") {
				t.Errorf("%+v: %s is not in: %v", canary, field, err)
			}
		}
	}
}
