package apiservice_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"agentstack/components/apiservice"
	"agentstack/internal/pulumitest"
)

const autoscalerType = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"

func autoscalerOf(t *testing.T, args apiservice.Args) pulumitest.Resource {
	t.Helper()
	return pulumitest.Up(t, register(args)).OfType(autoscalerType)[0]
}

// TestReplicasAreLeftToTheAutoscaler guards against an update that sets the number of pods back.
func TestReplicasAreLeftToTheAutoscaler(t *testing.T) {
	recording := pulumitest.Up(t, register(validArgs()))
	deployment := recording.OfType("kubernetes:apps/v1:Deployment")[0]
	if got := deployment.At("spec", "replicas"); got != nil {
		t.Errorf("the Deployment asks for %v pods", got)
	}
	autoscaler := recording.OfType(autoscalerType)[0]
	want := map[string]any{
		"apiVersion": deployment.At("apiVersion"), "kind": deployment.At("kind"),
		"name": deployment.At("metadata", "name"),
	}
	if got := autoscaler.At("spec", "scaleTargetRef"); !reflect.DeepEqual(got, want) {
		t.Errorf("scales %v, want %v", got, want)
	}
	if !slices.Contains(autoscaler.DependsOn, deployment.Type+" "+deployment.Name) {
		t.Errorf("the autoscaler depends on %v, not on the Deployment", autoscaler.DependsOn)
	}
}

// TestRecommendationChangesNothing guards against two autoscalers that work against each other.
func TestRecommendationChangesNothing(t *testing.T) {
	const recommendation = "kubernetes:autoscaling.k8s.io/v1:VerticalPodAutoscaler"
	args := validArgs()
	if made := pulumitest.Up(t, register(args)).OfType(recommendation); len(made) != 0 {
		t.Errorf("%d were made, unasked", len(made))
	}
	args.RecommendResources = true
	recording := pulumitest.Up(t, register(args))
	made := recording.OfType(recommendation)
	if len(made) != 1 || made[0].At("spec", "updatePolicy", "updateMode") != "Off" {
		t.Fatalf("made %v, want one that is off", made)
	}
	want := recording.OfType(deploymentType)[0].At("metadata", "name")
	if got := made[0].At("spec", "targetRef", "name"); got != want {
		t.Errorf("it looks at %v, want %v", got, want)
	}
}

func TestAutoscalerScalesBetweenTheLimits(t *testing.T) {
	args := validArgs()
	for _, test := range []struct{ min, max, wantMin, wantMax int }{{0, 0, 3, 20}, {2, 6, 2, 6}, {5, 5, 5, 5}} {
		args.MinReplicas, args.MaxReplicas = test.min, test.max
		autoscaler := autoscalerOf(t, args)
		if got := autoscaler.At("spec", "minReplicas"); got != float64(test.wantMin) {
			t.Errorf("minReplicas = %v, want %d", got, test.wantMin)
		}
		if got := autoscaler.At("spec", "maxReplicas"); got != float64(test.wantMax) {
			t.Errorf("maxReplicas = %v, want %d", got, test.wantMax)
		}
	}
}

func TestAutoscalerTargets(t *testing.T) {
	autoscaler := autoscalerOf(t, validArgs())
	metrics, _ := autoscaler.At("spec", "metrics").([]any)
	want := []any{
		map[string]any{"type": "Resource", "resource": map[string]any{
			"name": "cpu", "target": map[string]any{"type": "Utilization", "averageUtilization": 70.0},
		}},
		map[string]any{"type": "Resource", "resource": map[string]any{
			"name": "memory", "target": map[string]any{"type": "Utilization", "averageUtilization": 80.0},
		}},
		map[string]any{"type": "Pods", "pods": map[string]any{
			"metric": map[string]any{"name": "ai_agent_requests_per_second"},
			"target": map[string]any{"type": "AverageValue", "averageValue": "100"},
		}},
	}
	if !reflect.DeepEqual(metrics, want) {
		t.Errorf("scales by %v, want %v", metrics, want)
	}
}

// TestBudgetAllowsOneEviction wants it so for any number of pods: a number of those that must stay would let a drain
// take all that the autoscaler added at once.
func TestBudgetAllowsOneEviction(t *testing.T) {
	budget := pulumitest.Up(t, register(validArgs())).OfType("kubernetes:policy/v1:PodDisruptionBudget")[0]
	for field, want := range map[string]any{
		"maxUnavailable": 1.0, "minAvailable": nil, "unhealthyPodEvictionPolicy": "AlwaysAllow",
	} {
		if got := budget.At("spec", field); got != want {
			t.Errorf("%s = %v, want %v", field, got, want)
		}
	}
}

// TestConnectionsAreThoseOfTheApplication compares with what the application's source says.
func TestConnectionsAreThoseOfTheApplication(t *testing.T) {
	source, err := os.ReadFile("../../app/internal/postgres/pool.go")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`\n\tmaxConns = (\d+)\n`).FindSubmatch(source)
	if match == nil {
		t.Fatal("the application does not say how many connections a pod keeps")
	}
	perPod, err := strconv.Atoi(string(match[1]))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := (apiservice.Settings{MaxReplicas: 4}).Connections(), 5*perPod; got != want {
		t.Errorf("4 pods and one more during a rollout keep %d connections, want %d", got, want)
	}
}
