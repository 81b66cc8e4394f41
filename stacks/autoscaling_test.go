package stacks

import (
	"strings"
	"testing"

	"agentstack/internal/pulumitest"
)

// TestAutoscalerReadsAMetricThatIsServed compares what the API scales by with what the monitoring makes readable.
func TestAutoscalerReadsAMetricThatIsServed(t *testing.T) {
	recording := pulumitest.Up(t, Deploy, stackConfig(t, EnvironmentProduction))
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		autoscaler := recording.Find(t, "kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "ai-agent-api-"+region)
		config := recording.Find(t, "kubernetes:core/v1:ConfigMap", "prometheus-adapter-"+region)
		metric, _ := autoscaler.At("spec", "metrics", 2, "pods", "metric", "name").(string)
		rules, _ := config.At("data", "config.yaml").(string)
		if metric == "" || !strings.Contains(rules, "name: {as: "+metric+"}") {
			t.Errorf("%s: the metric %q is not served by\n%s", region, metric, rules)
		}
		if !strings.Contains(rules, `{namespace="`+namespace+`"}`) ||
			autoscaler.At("metadata", "namespace") != namespace {
			t.Errorf("%s: the metric is served for another namespace by\n%s", region, rules)
		}
	}
}
