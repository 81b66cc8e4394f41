package hapostgres

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/internal/kube"
)

// Strings of the spec that stand for the names of the Secrets with the stores' credentials.
const (
	ownStoreSecret     = "${own-store-secret}"
	primaryStoreSecret = "${primary-store-secret}"
)

// storeFolder is the folder of the bucket that Barman writes to. Below it, each region has one of its own.
const storeFolder = "postgres"

// backupTarget spares the primary where there is a replica.
const backupTarget = "prefer-standby"

func newBackupSpec(args Args) *backupSpec {
	if args.Store == nil {
		return nil
	}
	destination := args.archive(*args.Store, args.Region, args.Name, ownStoreSecret)
	// gzip is the one compression that every image with Barman has. Encryption is left to the bucket, whose default may
	// be a key of its own: to name one here would override it.
	destination.WAL = &walSpec{Compression: "gzip", MaxParallel: args.walProcesses()}
	// Without an immediate checkpoint a backup begins up to 4.5 minutes later, which a standby waits for.
	destination.Data = &dataSpec{Compression: "gzip", ImmediateCheckpoint: true}
	return &backupSpec{
		BarmanObjectStore: destination,
		RetentionPolicy:   fmt.Sprintf("%dd", args.Backup.RetentionDays),
		Target:            backupTarget,
	}
}

// walProcesses is how many segments are archived, or fetched ahead by a replica, at the same time. Each is a process of
// Barman that first computes for half a second: more of them than cores delay a failover, which asks the archive for
// about ten files, one after the other.
func (a Args) walProcesses() int {
	return int(whole(a.Resources.Requests.CPU))
}

// archive describes what the cluster of a name writes in a region. secret stands for the name of the Secret with the
// store's credentials. Each cluster has a folder of its own, or one that was recovered would write over what it came
// from, and so has each major version of PostgreSQL: pg_upgrade counts timelines from 1 again, and a replica that finds
// those of before in the archive does not start.
func (a Args) archive(store kube.ObjectStore, region, name, secret string) barmanSpec {
	spec := barmanSpec{
		DestinationPath: "s3://" + store.Bucket + "/" + storeFolder + "/" + region,
		EndpointURL:     store.Endpoint,
		ServerName:      name + "-" + imagePattern.FindStringSubmatch(a.Image)[1],
		S3Credentials:   s3Credentials{InheritFromIAMRole: true},
	}
	if store.SecretName != nil {
		spec.S3Credentials = s3Credentials{
			AccessKeyID:     &secretKey{Name: secret, Key: kube.KeyAccessKeyID},
			SecretAccessKey: &secretKey{Name: secret, Key: kube.KeySecretAccessKey},
		}
	}
	return spec
}

// storeReferences returns what the constants above stand for.
func storeReferences(args Args) map[string]pulumi.StringInput {
	references := map[string]pulumi.StringInput{}
	if args.Store != nil && args.Store.SecretName != nil {
		references[ownStoreSecret] = args.Store.SecretName
	}
	if args.Standby != nil && args.Standby.Store.SecretName != nil {
		references[primaryStoreSecret] = args.Standby.Store.SecretName
	}
	return references
}

// storeEnv tells Barman the region of the bucket, which CloudNativePG takes from a Secret only. A bucket of another
// region, such as that of the primary, is found by the redirection of S3.
//
// It also makes Barman give up after two attempts. A replica that is promoted first asks the store for more of the
// write-ahead log, so a store that was lost together with the primary holds the failover up: for seconds where it
// refuses connections, for two minutes a file where it does not answer, since Barman waits a minute for each
// connection. PostgreSQL itself tries again what has to be tried again.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-smart-config-defaults.html
func storeEnv(args Args) []envVar {
	if args.Store == nil {
		return nil
	}
	return []envVar{
		{Name: "AWS_DEFAULT_REGION", Value: args.Store.Region},
		{Name: "AWS_DEFAULTS_MODE", Value: "in-region"},
		{Name: "AWS_MAX_ATTEMPTS", Value: "2"},
	}
}

// scheduledBackup takes the first base backup at once: before it the WAL archive is of no use, and a standby has
// nothing to begin with. The records of the backups live as long as the cluster, whatever becomes of the schedule.
func scheduledBackup(args Args) kube.CustomResource[scheduledBackupSpec] {
	return kube.CustomResource[scheduledBackupSpec]{
		APIVersion: apiVersion,
		Kind:       "ScheduledBackup",
		Metadata:   args.metadata(args.Name),
		Spec: scheduledBackupSpec{
			Cluster:              objectReference{Name: args.Name},
			Schedule:             args.Backup.Schedule,
			Immediate:            true,
			BackupOwnerReference: "cluster",
			Method:               "barmanObjectStore",
			Target:               backupTarget,
		},
	}
}
