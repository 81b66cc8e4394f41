// Package databases judges PostgreSQL clusters of CloudNativePG, and Redis.
package databases

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"agentstack/policy/rule"
	"agentstack/policy/workload"
)

// Rules of this concern. Those on what a loss would cost hold for every environment but local.
var Rules = []rule.Rule{{
	Name: "postgres-instances",
	Description: "PostgreSQL has at least three instances: with two, the loss of one leaves no standby to confirm " +
		"a synchronous commit. https://cloudnative-pg.io/documentation/current/replication/",
	Level:    rule.Mandatory,
	Resource: shared(instances),
}, {
	Name: "postgres-synchronous",
	Description: "PostgreSQL replicates synchronously: the loss of the primary loses no committed row. " +
		"https://cloudnative-pg.io/documentation/current/replication/#synchronous-replication",
	Level:    rule.Mandatory,
	Resource: shared(synchronous),
}, {
	Name: "postgres-no-superuser",
	Description: "Nobody logs in to PostgreSQL as its superuser over the network. " +
		"https://cloudnative-pg.io/documentation/current/security/",
	Level:    rule.Mandatory,
	Resource: clusters(noSuperuser),
}, {
	Name: "postgres-tls",
	Description: "PostgreSQL and its connection pools refuse connections without TLS. " +
		"https://cloudnative-pg.io/documentation/current/security/#client-tlsssl-connections",
	Level:    rule.Mandatory,
	Resource: encrypted,
}, {
	Name: "postgres-backup",
	Description: "PostgreSQL archives to an object store and keeps at least 30 days, so that it can go back to any " +
		"point in time. https://cloudnative-pg.io/documentation/current/backup/",
	Level:    rule.Mandatory,
	Resource: shared(backup),
}, {
	Name: "postgres-scheduled-backup",
	Description: "A ScheduledBackup makes base backups of each PostgreSQL cluster: an archive without one restores " +
		"nothing. https://cloudnative-pg.io/documentation/current/backup/#scheduled-backups",
	Level: rule.Mandatory,
	Stack: scheduledBackup,
}, {
	Name: "postgres-storage",
	Description: "PostgreSQL says how much storage it gets and of which class: the default class of a cluster may be " +
		"slow, unencrypted or gone tomorrow. https://cloudnative-pg.io/documentation/current/storage/",
	Level:    rule.Mandatory,
	Resource: shared(storage),
}, {
	Name: "redis-persistence",
	Description: "Redis keeps its data on volumes: a restart of all nodes must not empty it. " +
		"https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/",
	Level:    rule.Mandatory,
	Resource: redisPersistence,
}}

const (
	clusterKind      = "postgresql.cnpg.io/Cluster"
	minimumInstances = 3
	minimumRetention = 30 // days
)

func clusters(check func(rule.Resource, rule.Report)) func(rule.Resource, rule.Report) {
	return func(resource rule.Resource, report rule.Report) {
		if resource.IsA(clusterKind) && !resource.At("spec").Unknown() {
			check(resource, report)
		}
	}
}

func shared(check func(rule.Resource, rule.Report)) func(rule.Resource, rule.Report) {
	return clusters(func(cluster rule.Resource, report rule.Report) {
		if cluster.Environment.Shared() {
			check(cluster, report)
		}
	})
}

func instances(cluster rule.Resource, report rule.Report) {
	at := cluster.At("spec.instances")
	if number, known := at.Number(); !at.Unknown() && (!known || number < minimumInstances) {
		report(at, "must be at least %d", minimumInstances)
	}
}

func synchronous(cluster rule.Resource, report rule.Report) {
	at := cluster.At("spec.postgresql.synchronous.number")
	if number, known := at.Number(); !at.Unknown() && (!known || number < 1) {
		report(at, "must be at least 1: set method any and number 1")
	}
}

func noSuperuser(cluster rule.Resource, report rule.Report) {
	if at := cluster.At("spec.enableSuperuserAccess"); at.Is(true) {
		report(at, "must not be true: use the Secret of the application's user")
	}
}

var refusesPlain = regexp.MustCompile(`^hostnossl\s+all\s+all\s+all\s+reject$`)

func encrypted(resource rule.Resource, report rule.Report) {
	switch {
	case resource.At("spec").Unknown():
	case resource.IsA(clusterKind):
		at := resource.At("spec.postgresql.pg_hba")
		refuses := func(line rule.Value) bool { return line.Unknown() || refusesPlain.MatchString(line.Text()) }
		if !at.Unknown() && !slices.ContainsFunc(at.Items(), refuses) {
			report(at, `has no line "hostnossl all all all reject": add it`)
		}
	case resource.IsA("postgresql.cnpg.io/Pooler"):
		at := resource.At("spec.pgbouncer.parameters.client_tls_sslmode")
		if !at.CanBe("require", "verify-ca", "verify-full") {
			report(at, "must be require, verify-ca or verify-full")
		}
	}
}

func storage(cluster rule.Resource, report rule.Report) {
	for _, path := range []string{"spec.storage.size", "spec.storage.storageClass"} {
		if at := cluster.At(path); at.Empty() {
			report(at, "is missing: set it in the stack's configuration")
		}
	}
}

func backup(cluster rule.Resource, report rule.Report) {
	if usesPlugin(cluster) {
		return
	}
	if at := cluster.At("spec.backup.barmanObjectStore.destinationPath"); at.Empty() {
		report(at, "is missing: name a bucket such as s3://backups/postgres, or the plugin barman-cloud")
	}
	at := cluster.At("spec.backup.retentionPolicy")
	if days, valid := retention(at.Text()); !at.Unknown() && (!valid || days < minimumRetention) {
		report(at, "is %q: give at least %dd", at.Text(), minimumRetention)
	}
}

// usesPlugin reports whether the cluster archives by the barman-cloud plugin. Its ObjectStore holds the retention.
// https://cloudnative-pg.io/plugin-barman-cloud/docs/usage/
func usesPlugin(cluster rule.Resource) bool {
	plugins := cluster.At("spec.plugins")
	for _, plugin := range plugins.Items() {
		if plugin.At("name").CanBe("barman-cloud.cloudnative-pg.io") && plugin.At("isWALArchiver").CanBe(true) {
			return true
		}
	}
	return plugins.Unknown()
}

var retentionPolicy = regexp.MustCompile(`^(\d+)([dwm])$`)

// retention turns a retention policy of CloudNativePG, such as 30d, 5w or 1m, into days.
func retention(policy string) (days int, valid bool) {
	parts := retentionPolicy.FindStringSubmatch(policy)
	if parts == nil {
		return 0, false
	}
	number, err := strconv.Atoi(parts[1])
	return number * map[string]int{"d": 1, "w": 7, "m": 30}[parts[2]], err == nil
}

func scheduledBackup(stack rule.Stack, report rule.Report) {
	for _, cluster := range stack.Of(clusterKind) {
		if stack.Environment.Shared() && !hasSchedule(stack, cluster) {
			report(cluster.At("metadata.name"), "no ScheduledBackup names this cluster: add one with a schedule")
		}
	}
}

func hasSchedule(stack rule.Stack, cluster rule.Resource) bool {
	for _, schedule := range stack.Of("postgresql.cnpg.io/ScheduledBackup") {
		if schedule.Beside(cluster) && schedule.At("spec.cluster.name").CanEqual(cluster.ObjectName()) &&
			!schedule.At("spec.schedule").Empty() && !schedule.At("spec.suspend").Is(true) {
			return true
		}
	}
	return false
}

func redisPersistence(resource rule.Resource, report rule.Report) {
	w, _ := workload.Of(resource)
	if !resource.IsA("apps/StatefulSet") || !runsRedis(w) {
		return
	}
	if at := resource.At("spec.volumeClaimTemplates"); at.Empty() {
		report(at, "is missing: give each node a volume, and set appendonly yes")
	}
}

func runsRedis(w workload.Workload) bool {
	for _, container := range w.Containers() {
		image := container.At("image").Text()
		name := image[strings.LastIndex(image, "/")+1:]
		if strings.HasPrefix(name, "redis:") || strings.HasPrefix(name, "redis@") || strings.HasPrefix(name, "valkey") {
			return true
		}
	}
	return false
}
