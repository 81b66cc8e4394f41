package kube

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// ProbeTiming says how often a probe runs and when it gives up. Delay, period and timeout are in seconds.
type ProbeTiming struct {
	InitialDelay, Period, Timeout, FailureThreshold int
}

// HTTPProbe returns a probe that expects an answer below 400 to a GET of path on the container's port of
// that name.
func HTTPProbe(path, port string, timing ProbeTiming) *corev1.ProbeArgs {
	probe := timing.args()
	probe.HttpGet = &corev1.HTTPGetActionArgs{Path: pulumi.String(path), Port: pulumi.String(port)}
	return probe
}

// HTTPSProbe is HTTPProbe for a port that speaks TLS. The certificate is not verified.
func HTTPSProbe(path, port string, timing ProbeTiming) *corev1.ProbeArgs {
	probe := timing.args()
	probe.HttpGet = &corev1.HTTPGetActionArgs{
		Path: pulumi.String(path), Port: pulumi.String(port), Scheme: pulumi.String("HTTPS"),
	}
	return probe
}

// ExecProbe returns a probe that expects command to exit with status 0.
func ExecProbe(command []string, timing ProbeTiming) *corev1.ProbeArgs {
	probe := timing.args()
	probe.Exec = &corev1.ExecActionArgs{Command: pulumi.ToStringArray(command)}
	return probe
}

func (t ProbeTiming) args() *corev1.ProbeArgs {
	return &corev1.ProbeArgs{
		InitialDelaySeconds: pulumi.Int(t.InitialDelay),
		PeriodSeconds:       pulumi.Int(t.Period),
		TimeoutSeconds:      pulumi.Int(t.Timeout),
		FailureThreshold:    pulumi.Int(t.FailureThreshold),
	}
}
