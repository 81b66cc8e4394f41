// Package backupjob backs the database up to an object store every night: a CronJob runs agentd backup.
package backupjob

import (
	"fmt"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

const typeToken = "agentstack:components:BackupJob"

// jobName is the name of the CronJob, its ServiceAccount and its NetworkPolicy.
const jobName = "ai-agent-backup"

// BackupJob is a schedule of backups.
type BackupJob struct {
	pulumi.ResourceState

	// CronJobName is the name of the CronJob. A Job that is made from it backs up at once.
	CronJobName string
}

// New registers the CronJob with its ServiceAccount and NetworkPolicy. Bad arguments register nothing.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*BackupJob, error) {
	if err := args.Validate(nil).ToAggregate(); err != nil {
		return nil, fmt.Errorf("validate arguments of %s: %w", name, err)
	}
	args.Settings = args.withDefaults()
	job := &BackupJob{CronJobName: jobName}
	if err := ctx.RegisterComponentResource(typeToken, name, job, opts...); err != nil {
		return nil, fmt.Errorf("register component %s: %w", name, err)
	}
	if err := register(ctx, name, args, pulumi.Parent(job)); err != nil {
		return nil, fmt.Errorf("register resources of %s: %w", name, err)
	}
	if err := ctx.RegisterResourceOutputs(job, pulumi.Map{
		"cronJobName": pulumi.String(job.CronJobName),
	}); err != nil {
		return nil, fmt.Errorf("register outputs of %s: %w", name, err)
	}
	return job, nil
}

func register(ctx *pulumi.Context, name string, args Args, parent pulumi.ResourceOption) error {
	account, err := corev1.NewServiceAccount(ctx, name, serviceAccountArgs(args), parent)
	if err != nil {
		return fmt.Errorf("register ServiceAccount: %w", err)
	}
	if err := kube.NewNetworkPolicy(ctx, name, metadata(args), kube.Selector(jobName), nil, egress(args),
		parent); err != nil {
		return err
	}
	if _, err := batchv1.NewCronJob(ctx, name, cronJobArgs(args), parent,
		pulumi.DependsOn([]pulumi.Resource{account})); err != nil {
		return fmt.Errorf("register CronJob: %w", err)
	}
	return nil
}
