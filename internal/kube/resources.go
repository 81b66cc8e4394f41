package kube

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ResourceList holds Kubernetes quantities, such as CPU "250m" and Memory "512Mi"; empty means not set.
type ResourceList struct {
	// CPU in cores or thousandths of one.
	CPU string `json:"cpu,omitempty"`
	// Memory in bytes.
	Memory string `json:"memory,omitempty"`
}

// Resources holds what a container asks for and what it may use at most. Its JSON form is the Kubernetes
// one.
type Resources struct {
	// Requests are what the scheduler sets aside. Both are required.
	Requests ResourceList `json:"requests,omitzero"`
	// Limits are what the container gets at most. Memory is required, CPU is not.
	Limits ResourceList `json:"limits,omitzero"`
}

// Default returns r, or fallback when nothing is set in r.
func (r Resources) Default(fallback Resources) Resources {
	if r == (Resources{}) {
		return fallback
	}
	return r
}

// Validate reports quantities that do not parse, are not positive, or ask for more than their limit.
// Requests and the memory limit are required: without them one container can starve its node.
func (r Resources) Validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	problems = append(problems, Quantity(path.Child("requests", "cpu"), r.Requests.CPU)...)
	problems = append(problems, Quantity(path.Child("requests", "memory"), r.Requests.Memory)...)
	problems = append(problems, Quantity(path.Child("limits", "memory"), r.Limits.Memory)...)
	if r.Limits.CPU != "" {
		problems = append(problems, Quantity(path.Child("limits", "cpu"), r.Limits.CPU)...)
	}
	if len(problems) > 0 {
		return problems
	}
	problems = append(problems, atMost(path.Child("requests", "memory"), r.Requests.Memory, r.Limits.Memory)...)
	if r.Limits.CPU != "" {
		problems = append(problems, atMost(path.Child("requests", "cpu"), r.Requests.CPU, r.Limits.CPU)...)
	}
	return problems
}

// Args returns r as the input of a container.
func (r Resources) Args() *corev1.ResourceRequirementsArgs {
	return &corev1.ResourceRequirementsArgs{Requests: r.Requests.args(), Limits: r.Limits.args()}
}

func (l ResourceList) args() pulumi.StringMap {
	quantities := pulumi.StringMap{}
	if l.CPU != "" {
		quantities["cpu"] = pulumi.String(l.CPU)
	}
	if l.Memory != "" {
		quantities["memory"] = pulumi.String(l.Memory)
	}
	return quantities
}

// Quantity reports a value that is missing or is not a positive Kubernetes quantity.
func Quantity(path *field.Path, value string) field.ErrorList {
	const form = "a Kubernetes quantity, such as 500m, 512Mi or 10Gi"
	if value == "" {
		return field.ErrorList{field.Required(path, "give "+form)}
	}
	quantity, err := resource.ParseQuantity(value)
	if err != nil {
		return field.ErrorList{field.Invalid(path, value, "must be "+form)}
	}
	if quantity.Sign() <= 0 {
		return field.ErrorList{field.Invalid(path, value, "must be more than zero")}
	}
	return nil
}

func atMost(path *field.Path, value, limit string) field.ErrorList {
	requested, allowed := resource.MustParse(value), resource.MustParse(limit)
	if requested.Cmp(allowed) > 0 {
		return field.ErrorList{field.Invalid(path, value, "must be at most the limit of "+limit)}
	}
	return nil
}
