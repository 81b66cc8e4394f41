package apiservice

import (
	corev1 "k8s.io/api/core/v1"
)

// proxySpec holds the fields of an EnvoyProxy that this program sets.
// https://gateway.envoyproxy.io/docs/api/extension_types/#envoyproxyspec
type proxySpec struct {
	Provider    proxyProvider  `json:"provider"`
	Concurrency int            `json:"concurrency"`
	Shutdown    proxyShutdown  `json:"shutdown"`
	Logging     proxyLogging   `json:"logging"`
	Telemetry   proxyTelemetry `json:"telemetry"`
}

type proxyProvider struct {
	Type       string          `json:"type"`
	Kubernetes proxyKubernetes `json:"kubernetes"`
}

type proxyKubernetes struct {
	EnvoyDeployment     proxyDeployment `json:"envoyDeployment"`
	EnvoyPDB            proxyBudget     `json:"envoyPDB"`
	EnvoyServiceAccount proxyAccount    `json:"envoyServiceAccount"`
	EnvoyService        proxyService    `json:"envoyService"`
}

type proxyBudget struct {
	MinAvailable int `json:"minAvailable"`
}

type proxyAccount struct {
	Name string `json:"name"`
}

type proxyDeployment struct {
	Name      string                      `json:"name"`
	Replicas  int                         `json:"replicas"`
	Strategy  proxyStrategy               `json:"strategy"`
	Patch     proxyPatch[deploymentPatch] `json:"patch"`
	Pod       proxyPod                    `json:"pod"`
	Container proxyContainer              `json:"container"`
}

type proxyStrategy struct {
	Type          string       `json:"type"`
	RollingUpdate proxyRolling `json:"rollingUpdate"`
}

type proxyRolling struct {
	MaxUnavailable int `json:"maxUnavailable"`
	MaxSurge       int `json:"maxSurge"`
}

// proxyPatch changes what Envoy Gateway makes, in fields for which an EnvoyProxy has none.
type proxyPatch[Spec any] struct {
	Type  string              `json:"type"`
	Value patchedObject[Spec] `json:"value"`
}

type patchedObject[Spec any] struct {
	Spec Spec `json:"spec"`
}

type deploymentPatch struct {
	Template patchedObject[podPatch] `json:"template"`
}

type podPatch struct {
	TerminationGracePeriodSeconds int                `json:"terminationGracePeriodSeconds"`
	Volumes                       []corev1.Volume    `json:"volumes"`
	Containers                    []corev1.Container `json:"containers"`
}

type servicePatch struct {
	SessionAffinity string `json:"sessionAffinity"`
}

type proxyPod struct {
	Labels                    map[string]string                 `json:"labels"`
	SecurityContext           corev1.PodSecurityContext         `json:"securityContext"`
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints"`
	Tolerations               []corev1.Toleration               `json:"tolerations"`
}

type proxyContainer struct {
	Image           string                      `json:"image"`
	Resources       corev1.ResourceRequirements `json:"resources"`
	SecurityContext corev1.SecurityContext      `json:"securityContext"`
}

type proxyService struct {
	Name        string                    `json:"name"`
	Type        string                    `json:"type"`
	Annotations map[string]string         `json:"annotations,omitempty"`
	Patch       *proxyPatch[servicePatch] `json:"patch,omitempty"`
}

type proxyShutdown struct {
	DrainTimeout     string `json:"drainTimeout"`
	MinDrainDuration string `json:"minDrainDuration"`
}

type proxyLogging struct {
	Level map[string]string `json:"level"`
}

type proxyTelemetry struct {
	AccessLog accessLog `json:"accessLog"`
}

type accessLog struct {
	Settings []accessLogSetting `json:"settings"`
}

type accessLogSetting struct {
	Format accessLogFormat `json:"format"`
	Sinks  []accessLogSink `json:"sinks"`
}

type accessLogFormat struct {
	Type string            `json:"type"`
	JSON map[string]string `json:"json"`
}

type accessLogSink struct {
	Type string        `json:"type"`
	File accessLogFile `json:"file"`
}

type accessLogFile struct {
	Path string `json:"path"`
}
