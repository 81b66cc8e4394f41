package hapostgres

import (
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const (
	// guardReplicas are enough that one goes on when a machine is lost. They need not agree: each deletes a pod only
	// if it is still the one that it asked.
	guardReplicas = 2
	// guardUser is the numeric user of the image.
	guardUser = 65532
	guardPort = 8080
)

func (a Args) guardName() string { return a.Name + "-guard" }

// guarded says that there is a guard: it needs a replica that can take the primary's place.
func (a Args) guarded() bool { return a.GuardImage != nil && a.Instances > 1 }

// confirmedElsewhere says that no commit is acknowledged before a replica has it, not even while there is none, nor
// because a parameter says so: replicas that are there have to confirm in any case. Then the guard may replace a
// primary that is cut off. A standby acknowledges nothing, and nobody waits for it to.
func (a Args) confirmedElsewhere() bool {
	_, own := a.Parameters["synchronous_commit"]
	return a.DataDurability == DurabilityRequired && !own && a.Standby == nil
}

func (a Args) guardMetadata() kube.Metadata {
	return kube.Metadata{
		Name:      a.guardName(),
		Namespace: a.Namespace,
		Labels:    kube.Labels(a.guardName(), "guard", a.Region),
	}
}

func guardServiceAccount(args Args) *corev1.ServiceAccountArgs {
	return &corev1.ServiceAccountArgs{
		Metadata:                     args.guardMetadata().Args(),
		AutomountServiceAccountToken: pulumi.Bool(false),
	}
}

// guardRole cannot be limited to the instances: the operator numbers them on, and Kubernetes grants no rights by label.
// Nor can a right to an object be limited to one annotation, with which the guard fences an instance.
func guardRole(args Args) *rbacv1.RoleArgs {
	cluster := kube.PolicyRule(apiGroup, []string{"clusters"}, "get", "patch")
	cluster.ResourceNames = pulumi.ToStringArray([]string{args.Name})
	return &rbacv1.RoleArgs{
		Metadata: args.guardMetadata().Args(),
		Rules:    rbacv1.PolicyRuleArray{kube.PolicyRule("", []string{"pods"}, "list", "delete"), cluster},
	}
}

func guardRoleBinding(args Args) *rbacv1.RoleBindingArgs {
	return &rbacv1.RoleBindingArgs{
		Metadata: args.guardMetadata().Args(),
		RoleRef:  kube.RoleRef("Role", args.guardName()),
		Subjects: kube.ServiceAccount(args.guardName(), args.Namespace),
	}
}

func guardDeployment(args Args, database kube.Database) *appsv1.DeploymentArgs {
	selector := kube.Selector(args.guardName())
	return &appsv1.DeploymentArgs{
		Metadata: args.guardMetadata().Args(),
		Spec: &appsv1.DeploymentSpecArgs{
			Replicas:             pulumi.Int(guardReplicas),
			RevisionHistoryLimit: pulumi.Int(5),
			Selector:             kube.MatchLabels(selector),
			Template: &corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: kube.StringMap(args.guardMetadata().Labels)},
				Spec: &corev1.PodSpecArgs{
					ServiceAccountName:           pulumi.String(args.guardName()),
					AutomountServiceAccountToken: pulumi.Bool(true),
					EnableServiceLinks:           pulumi.Bool(false),
					SecurityContext:              kube.PodSecurity(guardUser),
					Affinity:                     kube.SpreadAcrossHosts(selector),
					TopologySpreadConstraints:    kube.SpreadAcrossZones(selector),
					Containers:                   corev1.ContainerArray{guardContainer(args, database)},
					Volumes:                      corev1.VolumeArray{database.Volume()},
				},
			},
		},
	}
}

func guardContainer(args Args, database kube.Database) *corev1.ContainerArgs {
	resources := kube.Resources{
		Requests: kube.ResourceList{CPU: "10m", Memory: "32Mi"},
		Limits:   kube.ResourceList{Memory: "64Mi"},
	}
	return &corev1.ContainerArgs{
		Name:            pulumi.String("guard"),
		Image:           args.GuardImage,
		ImagePullPolicy: pulumi.String("IfNotPresent"),
		Args:            pulumi.ToStringArray([]string{"guard"}),
		Ports: corev1.ContainerPortArray{&corev1.ContainerPortArgs{
			Name:          pulumi.String("health"),
			ContainerPort: pulumi.Int(guardPort),
		}},
		Env: corev1.EnvVarArray{
			kube.EnvFromSecret("DATABASE_URL", database.SecretName.ToStringOutput(), kube.KeyURI),
			kube.Env("CLUSTER", args.Name),
			kube.Env("POD_SELECTOR", labelCluster+"="+args.Name+","+labelPodRole+"=instance"),
			kube.Env("REPLACE_CUT_OFF", fmt.Sprint(args.confirmedElsewhere())),
		},
		Resources:       resources.Args(),
		SecurityContext: kube.ContainerSecurity(),
		LivenessProbe: kube.HTTPProbe("/livez", "health",
			kube.ProbeTiming{Period: 10, Timeout: 5, FailureThreshold: 3}),
		ReadinessProbe: kube.HTTPProbe("/livez", "health",
			kube.ProbeTiming{Period: 5, Timeout: 5, FailureThreshold: 3}),
		VolumeMounts: corev1.VolumeMountArray{database.Mount()},
	}
}

// guardEgress has the instances and not the pools: what a pool answers does not tell which instance did.
func guardEgress(args Args) []kube.Traffic {
	return []kube.Traffic{
		kube.DNS(),
		kube.APIServer(),
		{Peers: []kube.Peer{{Pods: args.databasePods()}}, Ports: []kube.Port{{Number: port}}},
	}
}
