package apiservice

import (
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"agentstack/internal/kube"
)

const (
	// envoyImage is the newest correction of the minor version that Envoy Gateway 1.9.1 was released with.
	envoyImage = "docker.io/envoyproxy/envoy:distroless-v1.39.3"
	// An Envoy that is told to stop is taken out of its Service, and has drainTimeout for what is open to end.
	drainTimeout = 60 * time.Second
	drainGrace   = 90 * time.Second
	// evictionDelay is how long an Envoy stays on a node that no longer answers.
	evictionDelay = 20 * time.Second
)

// accessLogFields are those of the log of nginx, by the names that it had there; times are in milliseconds.
// https://www.envoyproxy.io/docs/envoy/v1.39.3/configuration/observability/access_log/usage
var accessLogFields = map[string]string{
	"remote_addr":               "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
	"remote_user":               "-",
	"time_local":                "%START_TIME%",
	"request":                   "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%",
	"status":                    "%RESPONSE_CODE%",
	"body_bytes_sent":           "%BYTES_SENT%",
	"http_referer":              "%REQ(REFERER)%",
	"http_user_agent":           "%REQ(USER-AGENT)%",
	"request_length":            "%BYTES_RECEIVED%",
	"request_time_ms":           "%DURATION%",
	"proxy_upstream_name":       "%UPSTREAM_CLUSTER%",
	"upstream_addr":             "%UPSTREAM_HOST%",
	"upstream_response_length":  "%UPSTREAM_WIRE_BYTES_RECEIVED%",
	"upstream_response_time_ms": "%RESPONSE_DURATION%",
	"upstream_status":           "%RESPONSE_CODE%",
	"req_id":                    "%REQ(X-REQUEST-ID)%",
	"host":                      "%REQ(:AUTHORITY)%",
	"route_name":                "%ROUTE_NAME%",
	"response_code_details":     "%RESPONSE_CODE_DETAILS%",
	"response_flags":            "%RESPONSE_FLAGS%",
}

// envoyProxy describes the Envoys of the Gateway.
func envoyProxy(args Args) kube.CustomResource[proxySpec] {
	proxy := kube.CustomResource[proxySpec]{
		APIVersion: envoyAPIVersion,
		Kind:       kindEnvoyProxy,
		Metadata:   edgeObject(args, edgeName),
		Spec: proxySpec{
			Provider: proxyProvider{Type: "Kubernetes", Kubernetes: proxyKubernetes{
				EnvoyDeployment:     envoyDeployment(),
				EnvoyPDB:            proxyBudget{MinAvailable: 1},
				EnvoyServiceAccount: proxyAccount{Name: edgeName},
				EnvoyService:        envoyService(*args.Edge),
			}},
			Concurrency: 2,
			Shutdown:    proxyShutdown{DrainTimeout: seconds(drainTimeout), MinDrainDuration: "10s"},
			Logging:     proxyLogging{Level: map[string]string{"default": "warn"}},
			Telemetry: proxyTelemetry{AccessLog: accessLog{Settings: []accessLogSetting{{
				Format: accessLogFormat{Type: "JSON", JSON: accessLogFields},
				Sinks:  []accessLogSink{{Type: "File", File: accessLogFile{Path: "/dev/stdout"}}},
			}}}},
		},
	}
	if args.Edge.inCloud() {
		proxy.References = map[string]pulumi.StringInput{certificatePlaceholder: args.Edge.CertificateARN}
	}
	return proxy
}

func envoyDeployment() proxyDeployment {
	yes := true
	return proxyDeployment{
		Name:     edgeName,
		Replicas: 2,
		Strategy: proxyStrategy{Type: "RollingUpdate", RollingUpdate: proxyRolling{MaxUnavailable: 0, MaxSurge: 1}},
		Patch: proxyPatch[deploymentPatch]{
			Type: "StrategicMerge",
			Value: patchedObject[deploymentPatch]{Spec: deploymentPatch{
				Template: patchedObject[podPatch]{Spec: podPatch{
					TerminationGracePeriodSeconds: int(drainGrace.Seconds()),
					Volumes: []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{
						EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: quantity("16Mi")},
					}}},
					// It writes there when it is done, and shares Envoy's read-only root.
					Containers: []corev1.Container{{
						Name:         "shutdown-manager",
						Resources:    corev1.ResourceRequirements{Limits: memory("128Mi")},
						VolumeMounts: []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}},
					}},
				}},
			}},
		},
		Pod: proxyPod{
			Labels: map[string]string{kube.LabelPartOf: kube.PartOf},
			SecurityContext: corev1.PodSecurityContext{
				RunAsNonRoot:   &yes,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
				spread(kube.LabelZone), spread(kube.LabelHost),
			},
			Tolerations: []corev1.Toleration{
				leaves("node.kubernetes.io/unreachable"), leaves("node.kubernetes.io/not-ready"),
			},
		},
		Container: proxyContainer{
			Image: envoyImage,
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{
					corev1.ResourceCPU: *quantity("100m"), corev1.ResourceMemory: *quantity("128Mi"),
				},
				Limits: memory("512Mi"),
			},
			SecurityContext: corev1.SecurityContext{ReadOnlyRootFilesystem: &yes},
		},
	}
}

func quantity(text string) *resource.Quantity {
	parsed := resource.MustParse(text)
	return &parsed
}

func memory(limit string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceMemory: *quantity(limit)}
}

func spread(topology string) corev1.TopologySpreadConstraint {
	return corev1.TopologySpreadConstraint{
		MaxSkew:           1,
		TopologyKey:       topology,
		WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector:     &metav1.LabelSelector{MatchLabels: map[string]string{kube.LabelOwnerGateway: gatewayName}},
	}
}

// leaves makes a pod leave a node with the taint after a while.
func leaves(taint string) corev1.Toleration {
	delay := int64(evictionDelay.Seconds())
	return corev1.Toleration{
		Key: taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &delay,
	}
}

// envoyService is reached inside the cluster, or by a load balancer. In the cluster a client stays on one Envoy, so
// that its rate is counted in one place.
func envoyService(edge Edge) proxyService {
	service := proxyService{Name: edgeName, Type: "ClusterIP"}
	if edge.public() {
		service.Type = "LoadBalancer"
	}
	if edge.inCloud() {
		service.Annotations = networkLoadBalancer()
		return service
	}
	service.Patch = &proxyPatch[servicePatch]{
		Type:  "StrategicMerge",
		Value: patchedObject[servicePatch]{Spec: servicePatch{SessionAffinity: "ClientIP"}},
	}
	return service
}
