package apiservice

import (
	"fmt"
	"time"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/internal/kube"
)

// Canary says how a new image has to prove itself before the API runs it: on a share of the traffic, beside the version
// that it is to follow. A zero field stands for its default.
type Canary struct {
	// Enabled lets a Deployment beside the API's have a share of the traffic. Without it a new image rolls out at once.
	Enabled bool `json:"enabled"`
	// Weight is that share in percent, 1 to 50. Default 10.
	Weight int `json:"weight"`
	// Window is for how long the two are compared, a Go duration of 1m to 1h. Default 5m.
	Window string `json:"window"`
	// MinRequests is how many requests each of the two must have had to be compared, 1 or more. Default 50.
	MinRequests int `json:"minRequests"`
}

// What a window may be. Prometheus looks at the pods four times in the shorter one.
const (
	minWindow = time.Minute
	maxWindow = time.Hour
)

func (c Canary) withDefaults() Canary {
	if c.Weight == 0 {
		c.Weight = 10
	}
	if c.Window == "" {
		c.Window = "5m"
	}
	if c.MinRequests == 0 {
		c.MinRequests = 50
	}
	return c
}

// Validate reports every problem of the settings, each led by the path of its field below path.
func (c Canary) Validate(path *field.Path) field.ErrorList {
	c = c.withDefaults()
	problems := field.ErrorList{}
	if c.Weight < 1 || c.Weight > 50 {
		problems = append(problems, field.Invalid(path.Child("weight"), c.Weight,
			"must be at least 1 and at most 50 percent of the traffic"))
	}
	if window, err := time.ParseDuration(c.Window); err != nil || window < minWindow || window > maxWindow {
		problems = append(problems, field.Invalid(path.Child("window"), c.Window,
			"must be a duration of at least 1m and at most 1h, such as 90s, 5m or 1h"))
	}
	if c.MinRequests < 1 {
		problems = append(problems, field.Invalid(path.Child("minRequests"), c.MinRequests,
			"must be at least 1 request; of fewer than 50 little can be said"))
	}
	return problems
}

// canaryReplicas is how many pods bear the canary's share of the traffic while the API has as many pods as it may: with
// fewer, each would have more to do than a pod of the API has, and would look worse for that alone.
func (s Settings) canaryReplicas() int {
	s = s.withDefaults()
	weight, rest := s.Canary.Weight, 100-s.Canary.Weight
	return (s.MaxReplicas*weight + rest - 1) / rest
}

// canary registers what the edge's routes give the canary's share to, and returns it: a Deployment and its Service. It
// has the API's configuration, so that only a new image can make the difference.
func (r registration) canary(refs references, before pulumi.Resource) ([]pulumi.Resource, error) {
	if !r.args.Canary.Enabled {
		return nil, nil
	}
	name := r.name + "-canary"
	meta := workload(r.args, canaryName)
	err := kube.NewNetworkPolicy(r.ctx, name, meta, kube.Selector(canaryName), apiIngress(r.args), apiEgress(r.args),
		r.parent)
	if err != nil {
		return nil, err
	}
	deployment, err := appsv1.NewDeployment(r.ctx, name, deploymentArgs(r.args, canaryName, refs), r.parent,
		pulumi.DependsOn([]pulumi.Resource{before}))
	if err != nil {
		return nil, fmt.Errorf("register Deployment %s: %w", name, err)
	}
	budget := kube.OneAtATime(meta, kube.Selector(canaryName))
	if _, err := policyv1.NewPodDisruptionBudget(r.ctx, name, budget, r.parent); err != nil {
		return nil, fmt.Errorf("register PodDisruptionBudget %s: %w", name, err)
	}
	service, err := corev1.NewService(r.ctx, name, canaryServiceArgs(r.args), r.parent,
		pulumi.IgnoreChanges([]string{"spec.selector"}))
	if err != nil {
		return nil, fmt.Errorf("register Service %s: %w", name, err)
	}
	return []pulumi.Resource{deployment, service}, nil
}

// judge registers the Job that looks at the canary after that has changed and has its share of the traffic, and returns
// what the API's Deployment has to wait for.
func (r registration) judge(before pulumi.Resource, after []pulumi.Resource) (pulumi.Resource, error) {
	if !r.args.Canary.Enabled {
		return before, nil
	}
	name := r.name + "-judge"
	meta := judgeMetadata(r.args)
	err := kube.NewNetworkPolicy(r.ctx, name, meta, kube.Selector(judgeName), nil, judgeEgress(), r.parent)
	if err != nil {
		return nil, err
	}
	if _, err := corev1.NewServiceAccount(r.ctx, name, judgeServiceAccount(meta), r.parent); err != nil {
		return nil, fmt.Errorf("register ServiceAccount %s: %w", name, err)
	}
	role, err := rbacv1.NewRole(r.ctx, name, judgeRole(meta), r.parent)
	if err != nil {
		return nil, fmt.Errorf("register Role %s: %w", name, err)
	}
	binding, err := rbacv1.NewRoleBinding(r.ctx, name, judgeRoleBinding(meta), r.parent,
		pulumi.DependsOn([]pulumi.Resource{role}))
	if err != nil {
		return nil, fmt.Errorf("register RoleBinding %s: %w", name, err)
	}
	window, err := time.ParseDuration(r.args.Canary.Window)
	if err != nil {
		return nil, fmt.Errorf("parse window: %w", err)
	}
	job, err := batchv1.NewJob(r.ctx, name, judgeArgs(r.args, window), r.parent,
		pulumi.DependsOn(append(after, binding)))
	if err != nil {
		return nil, fmt.Errorf("register Job %s: %w", name, err)
	}
	return job, nil
}
