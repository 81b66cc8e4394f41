package apiservice

import "agentstack/internal/kube"

// recommendationSpec holds the fields of a VerticalPodAutoscaler that this program sets.
// https://github.com/kubernetes/autoscaler/blob/vertical-pod-autoscaler-1.8.1/vertical-pod-autoscaler/docs/api.md
type recommendationSpec struct {
	TargetRef    targetReference `json:"targetRef"`
	UpdatePolicy updatePolicy    `json:"updatePolicy"`
}

type targetReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
}

type updatePolicy struct {
	UpdateMode string `json:"updateMode"`
}

// recommendation only says what the pods would best request. To set it as well would work against the autoscaler, which
// counts pods by what they use of their requests.
func recommendation(args Args) kube.CustomResource[recommendationSpec] {
	return kube.CustomResource[recommendationSpec]{
		APIVersion: "autoscaling.k8s.io/v1",
		Kind:       "VerticalPodAutoscaler",
		Metadata:   metadata(args, appName),
		Spec: recommendationSpec{
			TargetRef:    targetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: appName},
			UpdatePolicy: updatePolicy{UpdateMode: "Off"},
		},
	}
}
