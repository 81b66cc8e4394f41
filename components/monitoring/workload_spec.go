package monitoring

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// statefulSet runs p with a volume of the given size for each pod.
func (p program) statefulSet(args Args, size string) *appsv1.StatefulSetArgs {
	return &appsv1.StatefulSetArgs{
		Metadata: args.metadata(p, p.name).Args(),
		Spec: &appsv1.StatefulSetSpecArgs{
			Replicas:            pulumi.Int(p.replicas),
			ServiceName:         pulumi.String(headless(p.name)),
			Selector:            kube.MatchLabels(p.selector()),
			PodManagementPolicy: pulumi.String("Parallel"),
			// Metrics, silences and logs outlive the program.
			PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicyArgs{
				WhenDeleted: pulumi.String("Retain"),
				WhenScaled:  pulumi.String("Retain"),
			},
			Template:             p.podTemplate(args),
			VolumeClaimTemplates: corev1.PersistentVolumeClaimTypeArray{volumeClaim(args, size)},
		},
	}
}

func volumeClaim(args Args, size string) corev1.PersistentVolumeClaimTypeArgs {
	spec := &corev1.PersistentVolumeClaimSpecArgs{
		AccessModes: pulumi.ToStringArray([]string{"ReadWriteOnce"}),
		Resources:   &corev1.VolumeResourceRequirementsArgs{Requests: pulumi.StringMap{"storage": pulumi.String(size)}},
	}
	if args.Storage.Class != "" {
		spec.StorageClassName = pulumi.String(args.Storage.Class)
	}
	return corev1.PersistentVolumeClaimTypeArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(dataVolume)},
		Spec:     spec,
	}
}

func (p program) deployment(args Args) *appsv1.DeploymentArgs {
	return &appsv1.DeploymentArgs{
		Metadata: args.metadata(p, p.name).Args(),
		Spec: &appsv1.DeploymentSpecArgs{
			Replicas:             pulumi.Int(p.replicas),
			RevisionHistoryLimit: pulumi.Int(5),
			Selector:             kube.MatchLabels(p.selector()),
			Template:             p.podTemplate(args),
		},
	}
}

// daemonSet runs p on every machine, whatever taints it has.
func (p program) daemonSet(args Args) *appsv1.DaemonSetArgs {
	template := p.podTemplate(args)
	spec, _ := template.Spec.(*corev1.PodSpecArgs)
	spec.Tolerations = corev1.TolerationArray{&corev1.TolerationArgs{Operator: pulumi.String("Exists")}}
	return &appsv1.DaemonSetArgs{
		Metadata: args.metadata(p, p.name).Args(),
		Spec: &appsv1.DaemonSetSpecArgs{
			RevisionHistoryLimit: pulumi.Int(5),
			Selector:             kube.MatchLabels(p.selector()),
			UpdateStrategy: &appsv1.DaemonSetUpdateStrategyArgs{
				Type:          pulumi.String("RollingUpdate"),
				RollingUpdate: &appsv1.RollingUpdateDaemonSetArgs{MaxUnavailable: pulumi.String("50%")},
			},
			Template: template,
		},
	}
}

func (p program) serviceAccount(args Args) *corev1.ServiceAccountArgs {
	return &corev1.ServiceAccountArgs{
		Metadata:                     args.metadata(p, p.name).Args(),
		AutomountServiceAccountToken: pulumi.Bool(p.token),
	}
}

func (p program) service(args Args) *corev1.ServiceArgs {
	return &corev1.ServiceArgs{
		Metadata: args.metadata(p, p.name).Args(),
		Spec: &corev1.ServiceSpecArgs{
			Selector: kube.StringMap(p.selector()),
			Ports:    corev1.ServicePortArray{p.servicePort()},
		},
	}
}

func headless(name string) string { return name + "-headless" }

// headlessService gives each pod of a StatefulSet a DNS name.
func (p program) headlessService(args Args) *corev1.ServiceArgs {
	return &corev1.ServiceArgs{
		Metadata: args.metadata(p, headless(p.name)).Args(),
		Spec: &corev1.ServiceSpecArgs{
			ClusterIP:                pulumi.String("None"),
			PublishNotReadyAddresses: pulumi.Bool(true),
			Selector:                 kube.StringMap(p.selector()),
			Ports:                    corev1.ServicePortArray{p.servicePort()},
		},
	}
}

func (p program) servicePort() *corev1.ServicePortArgs {
	name, port := "http", p.port
	if p.tls {
		name, port = "https", 443
	}
	return &corev1.ServicePortArgs{
		Name: pulumi.String(name), Port: pulumi.Int(port), TargetPort: pulumi.String(p.portName()),
	}
}

func (p program) disruptionBudget(args Args) *policyv1.PodDisruptionBudgetArgs {
	return &policyv1.PodDisruptionBudgetArgs{
		Metadata: args.metadata(p, p.name).Args(),
		Spec: &policyv1.PodDisruptionBudgetSpecArgs{
			MaxUnavailable: pulumi.Int(1),
			Selector:       kube.MatchLabels(p.selector()),
		},
	}
}
